//! What rules say besides their texts: `max_tokens` against every sequence of tokens, captures however the output is cut.
use penstock_grammar::Grammar;
use penstock_matcher::{CompileError, CompiledGrammar, Matcher};
use penstock_tokens::{bitmask, TokenizerInfo};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Every byte, then these tokens, then the stop token.
fn info(extra: &[&[u8]]) -> Arc<TokenizerInfo> {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    tokens.extend(extra.iter().map(|text| text.to_vec()));
    tokens.push(b"<eos>".to_vec());
    let stop = tokens.len() as u32 - 1;
    Arc::new(TokenizerInfo::new(tokens, vec![stop], vec![], None).expect("a usable vocabulary"))
}

fn compiled(ebnf: &str, info: &Arc<TokenizerInfo>) -> Arc<CompiledGrammar> {
    let grammar = Grammar::from_ebnf(ebnf, "root").expect(ebnf);
    Arc::new(CompiledGrammar::new(&grammar, info.clone()).expect(ebnf))
}

const TOKENS: [&[u8]; 5] = [b"xz", b"zx", b"xzx", b"z!", b"!y"];

/// What can be written, and where it is complete, by trying everything.
struct Twin {
    complete: fn(&[&[u8]]) -> bool,
    prefixes: BTreeSet<Vec<u32>>,
    info: Arc<TokenizerInfo>,
    alphabet: Vec<u32>,
}

impl Twin {
    /// `most`: no complete output has more tokens.
    fn new(info: &Arc<TokenizerInfo>, most: usize, complete: fn(&[&[u8]]) -> bool) -> Twin {
        let mut alphabet: Vec<u32> = b"xz!y".iter().map(|&byte| u32::from(byte)).collect();
        alphabet.extend(256..256 + TOKENS.len() as u32);
        let mut twin = Twin {
            complete,
            prefixes: BTreeSet::new(),
            info: info.clone(),
            alphabet,
        };
        twin.try_all(&mut Vec::new(), most);
        twin
    }

    fn is_complete(&self, tokens: &[u32]) -> bool {
        let texts: Vec<&[u8]> = tokens.iter().map(|&token| self.info.token_bytes(token)).collect();
        (self.complete)(&texts)
    }

    fn try_all(&mut self, tokens: &mut Vec<u32>, left: usize) {
        let text: Vec<u8> = tokens
            .iter()
            .flat_map(|&token| self.info.token_bytes(token))
            .copied()
            .collect();
        if !may_go_on(&text) {
            return;
        }
        if self.is_complete(tokens) {
            for end in 0..=tokens.len() {
                self.prefixes.insert(tokens[..end].to_vec());
            }
        }
        if left > 0 {
            for token in self.alphabet.clone() {
                tokens.push(token);
                self.try_all(tokens, left - 1);
                tokens.pop();
            }
        }
    }

    /// The masks at every prefix hold exactly what some complete output goes on with.
    fn check(&self, compiled: &Arc<CompiledGrammar>) {
        let stop = self.info.vocab_size() as u32 - 1;
        for prefix in &self.prefixes {
            let mut matcher = Matcher::new(compiled.clone()).expect("a start");
            for &token in prefix {
                assert!(matcher.accept_token(token).expect("no limit"), "{prefix:?}");
            }
            let mut row = vec![0; bitmask::words_for(self.info.vocab_size())];
            matcher.fill_next_token_bitmask(&mut row).expect("a mask");
            let allowed: BTreeSet<u32> = bitmask::iter(&row).filter(|&token| token != stop).collect();
            let goes_on = |&token: &u32| self.prefixes.contains(&[&prefix[..], &[token]].concat());
            let expected: BTreeSet<u32> = self.alphabet.iter().copied().filter(goes_on).collect();
            assert_eq!(allowed, expected, "after {prefix:?}");
            assert_eq!(matcher.is_accepting(), self.is_complete(prefix), "{prefix:?}");
            for &token in &self.alphabet {
                let accepted = matcher.fork().accept_token(token).expect("no limit");
                assert_eq!(accepted, allowed.contains(&token), "{prefix:?} {token}");
            }
        }
    }
}

/// Whether the text may begin one: pairs of `x` and `z`, whole ones before a sign.
fn may_go_on(text: &[u8]) -> bool {
    let mut parts: Vec<&[u8]> = text.split(|byte| b"!y".contains(byte)).collect();
    let last = parts.pop().unwrap_or_default();
    let is_pairs = |part: &&[u8]| part.chunks(2).all(|pair| pair == b"xz");
    parts.iter().all(is_pairs) && last.chunks(2).all(|pair| b"xz".starts_with(pair))
}

/// `(xz)*` and `!`, perhaps `y`: how many tokens hold some of the first part?
fn counted(texts: &[&[u8]]) -> Option<usize> {
    let text = texts.concat();
    let body = text.strip_suffix(b"y").unwrap_or(&text).strip_suffix(b"!")?;
    let is_body = body.chunks(2).all(|pair| pair == b"xz");
    let holds = |text: &&&[u8]| text.iter().any(|byte| b"xz".contains(byte));
    is_body.then(|| texts.iter().filter(holds).count())
}

#[test]
fn a_budget_of_tokens_is_kept_to_the_last_one() {
    let info = info(&TOKENS);
    let grammar = |most: u32| format!("root ::= a \"!\" \"y\"?\na[max_tokens={most}] ::= (\"xz\")*");
    let few = Twin::new(&info, 5, |texts| counted(texts).is_some_and(|count| count <= 3));
    few.check(&compiled(&grammar(3), &info));
    let many = Twin::new(&info, 6, |texts| counted(texts).is_some_and(|count| count <= 4));
    many.check(&compiled(&grammar(4), &info));
    assert!(few.prefixes.len() > 50 && many.prefixes.len() > few.prefixes.len());
}

#[test]
fn each_call_has_a_budget_of_its_own() {
    let info = info(&TOKENS);
    let twin = Twin::new(&info, 8, |texts| {
        if texts.concat().contains(&b'y') {
            return false;
        }
        let ends: Vec<usize> = (0..texts.len()).filter(|&i| texts[i].contains(&b'!')).collect();
        let is_twice = ends.len() == 2 && texts.concat().iter().filter(|&&byte| byte == b'!').count() == 2;
        is_twice && texts.concat().ends_with(b"!") && {
            let halves = [&texts[..=ends[0]], &texts[ends[0] + 1..]];
            halves.iter().all(|half| counted(half).is_some_and(|count| count <= 3))
        }
    });
    twin.check(&compiled("root ::= a \"!\" a \"!\"\na[max_tokens=3] ::= (\"xz\")*", &info));
}

#[test]
fn a_budget_that_could_end_in_a_dead_end_is_refused_with_what_it_takes() {
    let info = info(&TOKENS);
    let grammar = Grammar::from_ebnf("root ::= a \"!\"\na[max_tokens=3] ::= \"x\" \"xyz\"*", "root").expect("a grammar");
    match CompiledGrammar::new(&grammar, info) {
        Err(CompileError::Budget(message)) => assert!(message.contains("give it at least `max_tokens="), "{message}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it compiles"),
    }
}

/// Every way to cut `text` into tokens of the vocabulary.
fn cuts(info: &TokenizerInfo, text: &[u8]) -> Vec<Vec<u32>> {
    if text.is_empty() {
        return vec![Vec::new()];
    }
    let mut found = Vec::new();
    for token in 0..info.vocab_size() as u32 - 1 {
        let bytes = info.token_bytes(token);
        if !bytes.is_empty() && text.starts_with(bytes) {
            for rest in cuts(info, &text[bytes.len()..]) {
                found.push([&[token], &rest[..]].concat());
            }
        }
    }
    found
}

/// A grammar, an output, and its captures.
type Reading = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn captures_are_the_same_however_the_output_is_cut() {
    let cases: &[Reading] = &[
        (
            "root ::= a b\na[capture] ::= [a-c]+\nb[capture=\"end\"] ::= \"!\"",
            "ab!",
            &[("a", "ab"), ("end", "!")],
        ),
        (
            "root ::= (a \",\"?)*\na[capture] ::= [é😀]",
            "é,😀é",
            &[("a", "é"), ("a", "😀"), ("a", "é")],
        ),
        (
            "root ::= a\na[capture] ::= \"(\" a? \")\"",
            "(())",
            &[("a", "()"), ("a", "(())")],
        ),
        ("root ::= a [a-z]*\na[capture] ::= [a-z]*", "abc", &[("a", "abc")]),
        ("root ::= a \"b\"\na[capture] ::= \"x\"*", "b", &[]),
        (
            "root ::= (a | b)*\na[capture] ::= \"a\" | \"ab\"\nb[capture] ::= \"b\" | \"c\"",
            "abc",
            &[("a", "ab"), ("b", "c")],
        ),
        (
            "root ::= a \"!\"\na[capture, capture_trim=2] ::= \"x\" [é€]+",
            "xé€!",
            &[("a", "x")],
        ),
        (
            "root ::= a JsonSchema({\"type\": \"integer\"})\na[capture] ::= [a-z]+ \":\"",
            "ab:12",
            &[("a", "ab:")],
        ),
    ];
    let extra: [&[u8]; 8] = [
        b"ab",
        b"b!",
        b"((",
        b"))",
        "é".as_bytes(),
        "é,".as_bytes(),
        b":1",
        b"\x9f\x98",
    ];
    let info = info(&extra);
    for (ebnf, text, expected) in cases {
        let compiled = compiled(ebnf, &info);
        let expected: Vec<(String, Vec<u8>)> = expected.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        for tokens in cuts(&info, text.as_bytes()) {
            let mut matcher = Matcher::new(compiled.clone()).expect("a start");
            for (i, &token) in tokens.iter().enumerate() {
                assert!(matcher.accept_token(token).expect("no limit"), "{ebnf}: {tokens:?} at {i}");
            }
            assert_eq!(
                matcher.captures().expect("no limit").as_ref(),
                Some(&expected),
                "{ebnf}: {tokens:?}"
            );
            let stop = info.vocab_size() as u32 - 1;
            assert!(matcher.accept_token(stop).expect("no limit"));
            assert_eq!(
                matcher.captures().expect("no limit").as_ref(),
                Some(&expected),
                "{ebnf}, stopped"
            );
        }
    }
}

#[test]
fn there_are_no_captures_before_the_end() {
    let info = info(&[]);
    let mut matcher = Matcher::new(compiled("root ::= a \"b\"\na[capture] ::= \"a\"", &info)).expect("a start");
    assert!(matcher.accept_bytes(b"a").expect("no limit"));
    assert_eq!(matcher.captures().expect("no limit"), None);
    assert!(matcher.accept_bytes(b"b").expect("no limit"));
    assert_eq!(
        matcher.captures().expect("no limit"),
        Some(vec![("a".to_owned(), b"a".to_vec())])
    );
}
