//! The Lark front end against texts that nobody would write, and its grammars through EBNF and back.
mod common;

use common::lowered::Machine;
use common::random::Random;
use penstock_grammar::{Grammar, GrammarErrorKind};
use std::collections::BTreeMap;

/// What broken grammars are made of: enough of each construct to open it and to break it.
const PIECES: &[&str] = &[
    "start",
    ": ",
    "\n",
    " | ",
    "a",
    "B",
    "\"x\"",
    "/y+/",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{2,3}",
    "~2",
    " ~",
    " & ",
    "*",
    "+",
    "?",
    "%ignore ",
    "%import common.INT",
    "%json {\"type\": 1}",
    "%json {",
    "%lark {",
    "%regex {\"substring_chars\":\"ab\"}",
    "::_",
    "::incr([0:2])",
    " %if lt(_, 2)",
    "[lazy]",
    "[suffix=",
    "<a>",
    "<[1-3]>",
    "@n",
    "->",
    "..",
    ",",
    "\"",
    "/",
    "//",
    "\\",
    "é",
    "%override ",
    "%extend ",
    "\nstart: ",
    "\nx::_: ",
];

fn random_text(random: &mut Random) -> String {
    let count = 1 + random.below(40);
    let mut text = if random.below(2) == 0 {
        "start: ".to_owned()
    } else {
        String::new()
    };
    (0..count).for_each(|_| text.push_str(random.pick(PIECES)));
    text
}

/// Any text is read or refused with its places, and what is read prints as EBNF that parses back to the same print.
#[test]
fn no_text_breaks_the_reader() {
    let mut read = 0;
    for seed in 0..20_000 {
        let text = random_text(&mut Random(seed));
        match Grammar::from_lark(&text) {
            Ok(grammar) => {
                read += 1;
                let printed = grammar.to_ebnf();
                let again =
                    Grammar::from_ebnf(&printed, "root").unwrap_or_else(|error| panic!("seed {seed}: {error}\n{printed}"));
                assert_eq!(again.to_ebnf(), printed, "seed {seed}");
            }
            Err(error) => {
                assert!(!error.problems.is_empty(), "seed {seed}");
                for problem in &error.problems {
                    assert!(problem.line > 0 && problem.column > 0, "seed {seed}: {problem}");
                    assert!(!problem.hint.is_empty(), "seed {seed}: {problem}");
                }
            }
        }
    }
    assert!(read > 200, "{read} texts were grammars: the pieces no longer fit together");
}

/// Grammars that mean something, from the seed: rules and terminals of two letters and a space to ignore.
fn random_grammar(random: &mut Random) -> String {
    let mut text = String::new();
    for rule in ["start", "x", "y"] {
        text.push_str(&format!("{rule}: {}\n", expression(random, 3, false)));
    }
    for terminal in ["A", "B"] {
        text.push_str(&format!("{terminal}: {}\n", expression(random, 2, true)));
    }
    if random.below(2) == 0 {
        text.push_str("%ignore \" \"\n");
    }
    text
}

fn expression(random: &mut Random, depth: usize, terminal: bool) -> String {
    let leaves: &[&str] = if terminal {
        &["\"a\"", "\"b\"i", "/[ab]/", "\"a\"..\"b\"", "/a*/", "\"\""]
    } else {
        &["\"a\"", "\"b\"", "A", "B", "x", "y", "/ab?/"]
    };
    if depth == 0 {
        return random.pick(leaves).to_owned();
    }
    let mut part = || expression(random, depth - 1, terminal);
    let (first, second) = (part(), part());
    match random.below(if terminal { 8 } else { 6 }) {
        0 | 1 => format!("{first} {second}"),
        2 => format!("({first} | {second})"),
        3 => format!("({first}){}", random.pick(&["*", "+", "?", "{1,2}", "~2"])),
        4 => format!("[{first}] {second}"),
        5 => first,
        6 => format!("({first} & {second})"),
        _ => format!("({first} & ~({second}))"),
    }
}

/// The language is the same before and after printing.
#[test]
fn printing_keeps_the_language() {
    let (mut read, mut taken) = (0, 0);
    for seed in 0..300 {
        let random = &mut Random(seed);
        let text = random_grammar(random);
        let Ok(grammar) = Grammar::from_lark(&text) else { continue };
        let Ok(mut machine) = Machine::new(&grammar) else { continue };
        let again = Grammar::from_ebnf(&grammar.to_ebnf(), "root").unwrap_or_else(|error| panic!("{text}\n{error}"));
        let mut again = Machine::new(&again).unwrap_or_else(|error| panic!("{text}\n{error}"));
        read += 1;
        for _ in 0..30 {
            let output: String = (0..random.below(6)).map(|_| random.pick(&['a', 'b', 'B', ' '])).collect();
            let accepted = machine.accepts(&output);
            assert_eq!(accepted, again.accepts(&output), "seed {seed}: {output:?} of\n{text}");
            assert_eq!(
                accepted,
                common::reference::accepts(&grammar, &output),
                "seed {seed}: {output:?} of\n{text}"
            );
            taken += u32::from(accepted);
        }
    }
    assert!(read > 150 && taken > 500, "{read} grammars, {taken} texts");
}

fn error_of(text: &str) -> penstock_grammar::GrammarError {
    Grammar::from_lark(text).expect_err(&text[..text.len().min(80)])
}

#[test]
fn deep_nesting_is_a_named_limit() {
    for (open, close) in [("(", ")"), ("[", "]"), ("~(", ")")] {
        let deep = |depth: usize| format!("start: {}\"a\"{}", open.repeat(depth), close.repeat(depth));
        assert!(Grammar::from_lark(&deep(400)).is_ok());
        let error = error_of(&deep(100_000));
        assert_eq!(error.kind, GrammarErrorKind::Limit);
        assert_eq!(error.limit.map(|limit| limit.name), Some("max_grammar_nesting"));
    }
    let nested = |depth: usize| format!("{}start: \"a\"{}", "start: %lark { ".repeat(depth), " }".repeat(depth));
    assert!(Grammar::from_lark(&nested(300)).is_ok());
    let conditions = format!("start: x::0\nx::_: \"a\" %if {}true{}", "not(".repeat(1000), ")".repeat(1000));
    assert_eq!(
        error_of(&conditions).limit.map(|limit| limit.name),
        Some("max_condition_nesting")
    );
}

#[test]
fn long_texts_take_no_longer_than_they_are() {
    let count = 20_000;
    let chain: String = (1..count)
        .map(|i| format!("r{i}: \"a\" r{} | \"b\"\n", (i + 1) % count))
        .collect();
    assert!(Grammar::from_lark(&format!("start: r1\nr0: \"c\"\n{chain}")).is_ok());
    let brackets = format!("start: {}{}", "(".repeat(100_000), "}".repeat(100_000));
    assert!(!error_of(&brackets).problems.is_empty());
    let quotes = "start: \"a\n".repeat(10_000);
    assert!(error_of(&quotes).problems.len() <= 100);
    let terminals: String = (1..count).map(|i| format!("T{i}: \"a\" T{}\n", (i + 1) % count)).collect();
    assert!(Grammar::from_lark(&format!("start: T1\nT0: \"c\"\n{terminals}")).is_ok());
}

#[test]
fn named_grammars() {
    let other = Grammar::from_lark("start: \"x\" rule | \"y\"\nrule: \"!\"").expect("a grammar");
    let named = BTreeMap::from([("other".to_owned(), other)]);
    let text = "start: @other \"-\" rule @other\nrule: \"?\"\n%ignore \" \"";
    let grammar = Grammar::from_lark_with(text, &named).expect("a grammar");
    let mut machine = Machine::new(&grammar).expect("a grammar");
    for (output, accepted) in [("x! - ? y", true), ("y-?x!", true), ("x !-?y", false), ("x?-!y", false)] {
        assert_eq!(machine.accepts(output), accepted, "{output}");
    }
    let error = Grammar::from_lark_with("start: @othr", &named).expect_err("no such grammar");
    assert!(error.to_string().contains("did you mean `@other`?"), "{error}");
}

#[test]
fn tokens() {
    let printed = |text: &str| Grammar::from_lark(text).expect(text).to_ebnf();
    assert_eq!(printed("start: <[3,1-2,2]>"), "root ::= Token(1, 2, 3)\n");
    assert_eq!(printed("start: <[^7,9]>"), "root ::= ExcludeToken(7, 9)\n");
    assert_eq!(printed("start: <[*]>"), "root ::= ExcludeToken()\n");
    assert_eq!(printed("start: <|end|>"), "root ::= Token(\"<|end|>\")\n");
    assert_eq!(
        error_of("start: <[0-1000001]>").limit.map(|limit| limit.name),
        Some("max_token_set")
    );
    for text in ["<[5-3]>", "<[]>", "<[x]>", "<[^]>", "<a b>", "<>"] {
        assert_eq!(error_of(&format!("start: {text}")).kind, GrammarErrorKind::Syntax, "{text}");
    }
}
