//! The mask law on rules: a bit is set exactly when the token is accepted, however the state was reached.
use penstock_grammar::{Grammar, JsonOptions};
use penstock_matcher::{CompiledGrammar, Matcher};
use penstock_tokens::{bitmask, TokenizerInfo};
use std::sync::Arc;

fn vocabulary(extra: &[&str]) -> Arc<TokenizerInfo> {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    tokens.extend(extra.iter().map(|text| text.as_bytes().to_vec()));
    tokens.push(b"<eos>".to_vec());
    let stop = tokens.len() as u32 - 1;
    Arc::new(TokenizerInfo::new(tokens, vec![stop], vec![], None).expect("a usable vocabulary"))
}

/// Walks through the masks at random, checking every bit against `accept_token` on a fork.
fn check(ebnf: &str, extra: &[&str], seed: u64) {
    check_grammar(&Grammar::from_ebnf(ebnf, "root").expect("a grammar"), ebnf, extra, seed);
}

fn check_grammar(grammar: &Grammar, ebnf: &str, extra: &[&str], seed: u64) {
    let info = vocabulary(extra);
    let compiled = Arc::new(CompiledGrammar::new(grammar, info.clone()).expect("compiles"));
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for _ in 0..8 {
        let mut matcher = Matcher::new(compiled.clone()).expect("a start");
        for _ in 0..24 {
            let mut row = vec![0; bitmask::words_for(info.vocab_size())];
            matcher.fill_next_token_bitmask(&mut row).expect("a mask");
            let mut again = vec![u32::MAX; row.len()];
            matcher.fill_next_token_bitmask(&mut again).expect("a mask");
            assert_eq!(row, again, "a remembered mask differs in {ebnf}");
            let allowed: Vec<u32> = bitmask::iter(&row).collect();
            for token in 0..info.vocab_size() as u32 {
                let accepted = matcher.fork().accept_token(token).expect("no limit");
                assert_eq!(
                    accepted,
                    allowed.contains(&token),
                    "token {:?} in {ebnf}",
                    String::from_utf8_lossy(info.spelling(token))
                );
            }
            assert!(!allowed.is_empty(), "a dead end in {ebnf}");
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let token = allowed[(random >> 33) as usize % allowed.len()];
            assert!(matcher.accept_token(token).expect("no limit"));
            if matcher.is_terminated() {
                break;
            }
        }
    }
}

#[test]
fn masks_of_rules_follow_the_law() {
    let extra = [
        "ab",
        "ba",
        "aa",
        "(a",
        "))",
        "a)",
        "1+",
        "+1",
        "é",
        "ab)",
        "bbb",
        " a",
        "\u{1F600}",
        "a+(b",
    ];
    for (i, ebnf) in [
        r#"root ::= "a" root "b" | "c""#,
        r#"root ::= root "+" term | term
term ::= "a" | "(" root ")""#,
        r#"root ::= x x
x ::= "a" x | "a" y | "b"
y ::= "a" x | "a" y | """#,
        r#"root ::= opt opt "b"
opt ::= "a"*"#,
        r#"root ::= a
a ::= b "a" | "x"
b ::= c? a | "ab"
c ::= "c" | """#,
        r#"root ::= [a-zé😀]{2,5} ("+" [0-9]{1,3})?"#,
        r#"root ::= s
s ::= s s | "a" | "(" s ")""#,
        r#"root ::= ("a" | "ab") ("b" | "")  rest*
rest ::= "b" | "(" rest ")""#,
    ]
    .iter()
    .enumerate()
    {
        for seed in 0..4 {
            check(ebnf, &extra, 1 + seed + 10 * i as u64);
        }
    }
}

#[test]
fn masks_of_schemas_follow_the_law() {
    let extra = [
        "\"a",
        "ab",
        "\":",
        "\": ",
        "{\"",
        "\",",
        "\", \"",
        ",\"",
        "\"}",
        "}}",
        "1,",
        "12",
        "1.",
        "e1",
        "\\u00",
        "\\n",
        "true",
        "null",
        "[1",
        "], ",
        "\"ab\":",
        "\n  ",
        "é",
        "b\"",
        "a\":\"",
        "\"}",
        "aa",
        "\"\":",
        "{}",
        "[]",
        "-1",
        "x-",
        "\", \"ab\": ",
        "\":1,\"a",
        "\\ud83d",
    ];
    for (i, schema) in [
        r#"{"type":"object","properties":{"a":{"type":"integer"},"ab":{"type":"string","maxLength":2},"é":true},"required":["ab"],"additionalProperties":false}"#,
        r#"{"type":"object","properties":{"a":{"type":"array","items":{"enum":["ab","a",1,null]},"maxItems":2}},"additionalProperties":{"type":"boolean"}}"#,
        r#"{"type":"array","items":{"type":"object","properties":{"a":{"const":1},"b":{"const":2}},"additionalProperties":false},"minItems":1}"#,
        r#"{"type":"string","pattern":"^[ab]{1,3}(x-)?$","minLength":2}"#,
        r#"{"type":"object","patternProperties":{"^a":{"type":"string"},"b$":{"minLength":1}},"additionalProperties":false,"maxProperties":2}"#,
        r#"{"anyOf":[{"type":"object","properties":{"a":{"const":1}},"required":["a"]},{"type":"object","properties":{"ab":{"type":"number"}},"required":["ab"]}]}"#,
        r#"{"oneOf":[{"type":"integer","minimum":3,"maximum":12},{"type":"number","multipleOf":0.5,"maximum":5}]}"#,
        r#"{"type":"object","propertyNames":{"pattern":"^(a|ab|b)$"},"minProperties":2}"#,
        r#"{"type":"object","properties":{"😀":false,"é":false,"è":true,"b":true},"patternProperties":{"^a":true},"additionalProperties":false}"#,
        r#"{"type":"object","patternProperties":{"^(😀|a)$":{"type":"integer"}},"additionalProperties":false}"#,
    ]
    .iter()
    .enumerate()
    {
        let value = serde_json::from_str(schema).expect("JSON");
        let grammar = Grammar::from_json_schema(value, JsonOptions::default());
        for seed in 0..3 {
            check_grammar(&grammar, schema, &extra, 1 + seed + 10 * i as u64);
        }
    }
}

/// A mask that was looked up while a token was read must go when the matcher leaves the state, whose number is used again.
#[test]
fn a_mask_goes_with_its_state() {
    let info = vocabulary(&["ab"]);
    let grammar = Grammar::from_ebnf(r#"root ::= "ab" "c" | "b" "d" | "a" "x""#, "root").expect("a grammar");
    let compiled = Arc::new(CompiledGrammar::new(&grammar, info.clone()).expect("compiles"));
    let mask = |matcher: &mut Matcher| {
        let mut row = vec![0; bitmask::words_for(info.vocab_size())];
        matcher.fill_next_token_bitmask(&mut row).expect("a mask");
        bitmask::iter(&row).collect::<Vec<u32>>()
    };
    let (a, b, c, d, x) = (97, 98, 99, 100, 120);
    let mut matcher = Matcher::new(compiled.clone()).expect("a start");
    for _ in 0..2 {
        // Twice, so that every mask is remembered in the second turn.
        assert_eq!(mask(&mut matcher), [a, b, 256]);
        assert!(matcher.accept_token(a).expect("no limit"));
        assert_eq!(mask(&mut matcher), [b, x]);
        assert!(matcher.accept_token(b).expect("no limit"));
        matcher.rollback(1).expect("a token to take back");
        assert_eq!(mask(&mut matcher), [b, x]);
        assert_eq!(matcher.validate_tokens(&[b, c]), Ok(2));
        assert_eq!(mask(&mut matcher), [b, x]);
        matcher.rollback(1).expect("a token to take back");
        assert!(matcher.accept_token(b).expect("no limit"));
        assert!(!matcher.accept_token(a).expect("no limit"));
        assert_eq!(mask(&mut matcher.fork()), [d]);
        assert_eq!(mask(&mut matcher), [d]);
        matcher.reset();
        assert_eq!(mask(&mut matcher), [a, b, 256]);
        assert!(matcher.accept_bytes(b"a").expect("no limit"));
        assert_eq!(mask(&mut matcher), [b, x]);
        matcher.reset();
        assert_eq!(matcher.accept_tokens(&[256]), Ok(1));
        assert_eq!(mask(&mut matcher), [c]);
        matcher.reset();
    }
}
