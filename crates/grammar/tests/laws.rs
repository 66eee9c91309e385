//! Laws on random grammars and random text.
mod common;

use common::corpus::cases;
use common::lowered::Machine;
use common::random::{grammar, Random};
use common::reference;
use penstock_grammar::{Grammar, GrammarErrorKind, LowerLimits};

const NOTHING_INLINED: LowerLimits = LowerLimits {
    max_inlined_size: 0,
    max_regular_size: 100_000,
    max_grammar_depth: 2_500,
};

const TEXTS: &[&str] = &[
    "", "a", "b", "ab", "ba", "aa", "bb", "aab", "aba", "bba", "abab", "\"", "\\\n", "\\", "a\"", "é😀", "aé😀", "-", "]",
    "bbbb",
];

/// Printing, parsing, inlining and every other pass keep the language; the recogniser that tries everything says which it is.
#[test]
fn lowering_and_printing_keep_the_language() {
    let mut empty = 0;
    for seed in 0..3_000 {
        let grammar = grammar(&mut Random(seed));
        let printed = grammar.to_ebnf();
        let again = Grammar::from_ebnf(&printed, "root").unwrap_or_else(|error| panic!("seed {seed}: {error}\n{printed}"));
        // Lists of one part lose their brackets once; from then on the text stays as it is.
        let settled = again.to_ebnf();
        let third = Grammar::from_ebnf(&settled, "root").expect("printed grammars parse");
        assert_eq!(third.to_ebnf(), settled, "seed {seed}");
        let machines = [
            Machine::new(&grammar),
            Machine::with(&grammar, &NOTHING_INLINED),
            Machine::new(&again),
        ];
        for (i, machine) in machines.into_iter().enumerate() {
            match machine {
                Ok(mut machine) => {
                    for text in TEXTS {
                        let expected = reference::accepts(&grammar, text);
                        assert_eq!(
                            machine.accepts(text),
                            expected,
                            "seed {seed}, machine {i}, {text:?}\n{printed}"
                        );
                    }
                }
                Err(error) => {
                    assert_eq!(error.kind, GrammarErrorKind::EmptyLanguage, "seed {seed}: {error}\n{printed}");
                    assert!(
                        TEXTS.iter().all(|text| !reference::accepts(&grammar, text)),
                        "seed {seed}\n{printed}"
                    );
                    empty += 1;
                }
            }
        }
    }
    assert!(empty < 3 * 3_000 / 2, "{empty} of the grammars say nothing");
}

const FRAGMENTS: &[&str] = &[
    "root",
    " ::= ",
    "\n",
    "\"",
    "a",
    "\\",
    "[",
    "]",
    "^",
    "-",
    "(",
    ")",
    "|",
    "&",
    "~",
    "*",
    "+",
    "?",
    "{",
    "}",
    "2",
    ",",
    ".",
    "#",
    "Regex(",
    "JsonSchema({",
    "Token(",
    "ExcludeToken(",
    "dialect=",
    "<",
    ">",
    "!",
    "\\u{",
    "\\x4",
    "é",
    "😀",
    "'",
    "=",
    "TagDispatch(",
    "::=",
    "\r\n",
    "\u{0}",
    "1e9",
    "\"a\"",
    "\"type\":",
    "(=",
    "\\uD83D",
];

/// No text makes the parser panic, and what it reads prints as something that parses.
#[test]
fn no_text_panics() {
    let mut read = 0;
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut text = if seed % 2 == 0 {
            String::from("root ::= ")
        } else {
            String::new()
        };
        for _ in 0..random.below(12) {
            text.push_str(random.pick(FRAGMENTS));
        }
        read += usize::from(survives(&text));
    }
    assert!(read > 100, "only {read} texts were grammars");
}

#[test]
fn no_damage_to_a_grammar_panics() {
    let mut random = Random(1);
    for case in cases("ebnf") {
        for _ in 0..50 {
            let mut text: Vec<char> = case.grammar.chars().collect();
            for _ in 0..1 + random.below(3) {
                let at = random.below(text.len());
                match random.below(3) {
                    0 => drop(text.remove(at)),
                    1 => text.splice(at..at, random.pick(FRAGMENTS).chars()).for_each(drop),
                    _ => text.truncate(at.max(1)),
                }
                if text.is_empty() {
                    text.push(' ');
                }
            }
            survives(&text.into_iter().collect::<String>());
        }
    }
}

fn survives(text: &str) -> bool {
    match Grammar::from_ebnf(text, "root") {
        Ok(grammar) => {
            let printed = grammar.to_ebnf();
            let again = Grammar::from_ebnf(&printed, "root").unwrap_or_else(|error| panic!("{error}\n{text}\n{printed}"));
            assert_eq!(again.to_ebnf(), printed, "{text}");
            drop(Machine::new(&grammar));
            true
        }
        Err(error) => {
            assert!(!error.problems.is_empty() && !error.to_string().is_empty(), "{text}");
            assert_eq!(error.limit.is_some(), error.kind == GrammarErrorKind::Limit, "{text}");
            false
        }
    }
}
