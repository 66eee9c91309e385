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

/// Tokens of several digits, and such as end a number or go on behind it.
const NUMERALS: [&str; 24] = [
    "00", "12", "123", "999", "000", "15", "50", "1,", "12,", "0]", "5}", "-1", "0.", ".5", ".00", "1.5", "e-", "E+1", "e1",
    "5e", ",1", "], ", "},{", "1,2",
];

#[test]
fn masks_of_numbers_follow_the_law() {
    for (i, schema) in [
        r#"{"type":"array","items":{"type":"integer"}}"#,
        r#"{"type":"array","items":{"type":"number","minimum":-3.5,"exclusiveMaximum":150}}"#,
        r#"{"type":"array","items":{"type":"integer","minimum":0,"maximum":150000}}"#,
        r#"{"type":"array","items":{"multipleOf":0.25,"exclusiveMinimum":-1,"maximum":12.5,"type":"number"},"maxItems":3}"#,
        r#"{"type":"array","items":{"multipleOf":7,"type":"number"},"minItems":2}"#,
        r#"{"type":"array","items":{"enum":[1,12,120,1.5,-15,1e-7]},"uniqueItems":true}"#,
        r#"{"type":"array","items":{"type":"integer"},"uniqueItems":true,"maxItems":4}"#,
        r#"{"type":"array","contains":{"type":"integer","minimum":12},"items":{"type":"number"},"maxItems":3}"#,
        r#"{"type":"array","items":{"anyOf":[{"type":"integer","maximum":15},{"type":"number","minimum":50}]},"contains":{"multipleOf":5}}"#,
        r#"{"type":"object","properties":{"1":{"type":"integer"},"5":{"type":"number","minimum":1}},"additionalProperties":false}"#,
        r#"{"oneOf":[{"type":"integer","minimum":3,"maximum":1200},{"type":"number","multipleOf":0.5,"maximum":500}]}"#,
        r#"{"type":"array","not":{"uniqueItems":true},"items":{"type":"integer"}}"#,
    ]
    .iter()
    .enumerate()
    {
        let value = serde_json::from_str(schema).expect("JSON");
        let grammar = Grammar::from_json_schema(value, JsonOptions::default());
        for seed in 0..3 {
            check_grammar(&grammar, schema, &NUMERALS, 1 + seed + 10 * i as u64);
        }
    }
}

/// Behind each of the texts, written one after another, the grammar needs no mask that it had not made behind the first.
fn check_shared(schema: &str, extra: &[&str], first: &str, others: &[&str]) {
    let info = vocabulary(extra);
    let value = serde_json::from_str(schema).expect("JSON");
    let grammar = Grammar::from_json_schema(value, JsonOptions::default());
    let compiled = Arc::new(CompiledGrammar::new(&grammar, info.clone()).expect("compiles"));
    let mut matcher = Matcher::new(compiled.clone()).expect("a start");
    let mut row = vec![0; bitmask::words_for(info.vocab_size())];
    let mut fill_behind = |text: &str| {
        assert!(matcher.accept_bytes(text.as_bytes()).expect("no limit"), "{text} in {schema}");
        matcher.fill_next_token_bitmask(&mut row).expect("a mask");
        compiled.mask_counts()
    };
    let counts = fill_behind(first);
    for other in others {
        assert_eq!(fill_behind(other), counts, "{other} in {schema}");
    }
}

#[test]
fn states_that_no_token_tells_apart_share_their_masks() {
    for (items, first, others) in [
        (r#""type":"number""#, "[3.25", &[",4.125", ",12345.0", ",1.123456789"][..]),
        (r#""type":"integer""#, "[31", &[",4", ",123456789"]),
        (r#""maximum":2e30,"type":"integer""#, "[31", &[",4", ",123456789"]),
    ] {
        let schema = format!(r#"{{"type":"array","items":{{{items}}}}}"#);
        check_shared(&schema, &NUMERALS, first, others);
    }
    let texts = texts();
    let extra: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (items, first, others) in [
        (r#""pattern":"^[a-f0-9]{30}-[a-f]$""#, "[\"", &["a", "bc0", "def"][..]),
        (r#""pattern":"^[a-f]{28}$""#, "[\"a", &["a", "bcc", "def"]),
        (
            r#""pattern":"^[0-9]*$","minLength":30,"maxLength":50"#,
            "[\"",
            &["1", "023", "4567"],
        ),
    ] {
        let schema = format!(r#"{{"type":"array","items":{{"type":"string",{items}}}}}"#);
        check_shared(&schema, &extra, first, others);
    }
}

/// Enough tokens of few letters for slices, of digits, and such as leave a set of characters, close a string or go on behind it.
fn texts() -> Vec<String> {
    let letters = || ('a'..='f').map(String::from);
    let pairs = || letters().flat_map(|first| letters().map(move |second| first.clone() + &second));
    let mut all: Vec<String> = pairs().collect();
    all.extend(
        pairs()
            .take(14)
            .flat_map(|pair| letters().map(move |third| pair.clone() + &third)),
    );
    all.extend((0..=99).map(|number| format!("{number:02}")));
    let more = [
        "abcde", "fade-", "abc-1", "-ab", "--", "a\"", "ab\"", "abc\",\"", "\",\"a", "\"]", "1\"", "ab1", "é", "aé", "éa",
        "ab\\u00", "\\u0061", "a\\", "g", "fg", "A", "AB", "aB", " a", "face",
    ];
    all.extend(more.map(String::from));
    all
}

#[test]
fn masks_of_counted_characters_follow_the_law() {
    let texts = texts();
    let extra: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (i, item) in [
        r#""pattern":"^[a-f0-9]{12}-[a-f]{2}$""#,
        r#""pattern":"^[a-f]{9,11}(-[0-9]{6}|g)$""#,
        r#""pattern":"^[a-fé]{2,7}$""#,
        r#""pattern":"^[0-9]*$","minLength":3,"maxLength":9"#,
        r#""pattern":"^[ -~]+$","minLength":10,"maxLength":10"#,
        r#""anyOf":[{"pattern":"^[a-f]{8}$"},{"pattern":"^[a-f]{12}-"}]"#,
        r#""pattern":"^([0-9]{16})$""#,
    ]
    .iter()
    .enumerate()
    {
        let schema = format!(r#"{{"type":"array","items":{{"type":"string",{item}}}}}"#);
        let value = serde_json::from_str(&schema).expect("JSON");
        let grammar = Grammar::from_json_schema(value, JsonOptions::default());
        check_grammar(&grammar, &schema, &extra, 1 + i as u64);
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
