//! What is said of a grammar that cannot be used, and of what is odd in one that can: all of it at once, each with its place.
use penstock_automata::Regexes;
use penstock_grammar::{lower, Dialect, Grammar, GrammarError, JsonOptions};

/// A mistake: place, message, way out.
type Said = (&'static str, &'static str, &'static str);

type Read = fn(&str) -> Result<Grammar, GrammarError>;

fn ebnf(text: &str) -> Result<Grammar, GrammarError> {
    Grammar::from_ebnf(text, "root")
}

fn regex(text: &str) -> Result<Grammar, GrammarError> {
    Grammar::from_regex(text, Dialect::Python)
}

fn tag(format: &str) -> Result<Grammar, GrammarError> {
    let format: serde_json::Value = serde_json::from_str(format).expect("JSON");
    let tag = serde_json::json!({"type": "structural_tag", "format": format});
    Grammar::from_structural_tag(tag, JsonOptions::default())
}

fn place_of(line: usize, column: usize, pointer: &str) -> String {
    match (line, pointer) {
        (0, pointer) => pointer.to_owned(),
        (_, "") => format!("{line}:{column}"),
        (_, pointer) => format!("{pointer} {line}:{column}"),
    }
}

fn check(read: Read, cases: &[(&str, &[Said])]) {
    for (text, expected) in cases {
        let lowered = read(text).and_then(|grammar| lower(&grammar, &mut Regexes::new()).map(|_| ()));
        let error = lowered.expect_err(text);
        let found: Vec<(String, &str, &str)> = error
            .problems
            .iter()
            .map(|problem| {
                let place = place_of(problem.line, problem.column, &problem.pointer);
                (place, problem.message.as_str(), problem.hint.as_str())
            })
            .collect();
        let expected: Vec<(String, &str, &str)> = expected.iter().map(|said| (said.0.to_owned(), said.1, said.2)).collect();
        assert_eq!(found, expected, "{text}");
        for problem in error.problems.iter().filter(|problem| problem.line > 0) {
            let (line, caret) = problem.snippet.rsplit_once('\n').expect("a line and a caret");
            assert_eq!(
                Some(line),
                text_of(text, &problem.pointer).lines().nth(problem.line - 1),
                "{text}"
            );
            assert_eq!(caret, format!("{}^", " ".repeat(problem.column - 1)), "{text}");
        }
    }
}

/// The text that stands at a pointer of a tag; without a pointer the text itself.
fn text_of(text: &str, pointer: &str) -> String {
    match pointer.strip_prefix("/format") {
        None => text.to_owned(),
        Some(inner) => {
            let format: serde_json::Value = serde_json::from_str(text).expect("JSON");
            let found = format.pointer(inner).and_then(serde_json::Value::as_str);
            found.expect("a text stands there").to_owned()
        }
    }
}

const END_IT: &str = "give it an alternative that can end";

#[test]
fn in_ebnf() {
    check(
        ebnf,
        &[
            (
                "root ::= \"a\" rot2 other\nroot2 ::= \"b\" (\nroot2 ::= [b-a]",
                &[
                    ("1:14", "the rule `rot2` is not defined", "did you mean `root2`?"),
                    (
                        "1:19",
                        "the rule `other` is not defined",
                        "define it, or put it in double quotes if it is text",
                    ),
                    ("2:15", "`(` isn't closed in its rule", "close it with `)`"),
                    (
                        "3:1",
                        "the rule `root2` is defined twice, first in line 2",
                        "join both with `|`, or rename one",
                    ),
                    ("3:13", "the range ends before it starts: `'b'` to `'a'`", "exchange its ends"),
                ],
            ),
            (
                "root ::= x | Regex(\"ab(c\")\nx ::= Regex(\"a\\\\q(\")\n",
                &[
                    ("1:23", "a group is not closed", "add `)`"),
                    ("2:13", "a group is not closed", "add `)`"),
                ],
            ),
            (
                "root ::= \"<\" list\nlist ::= item list\n# comment\nitem ::= \"é\" item | list\nfree ::= \"x\"",
                &[
                    (
                        "1:1",
                        "no text matches the rule `root`",
                        "give `item` an alternative that can end",
                    ),
                    (
                        "2:1",
                        "no text matches the rule `list`",
                        "give `item` an alternative that can end",
                    ),
                    ("4:1", "no text matches the rule `item`", END_IT),
                ],
            ),
            (
                "root ::= \"a\" | part\npart ::= \"c\" & nested\nnested ::= \"(\" nested \")\" | \"\"\n",
                &[(
                    "2:1",
                    "`&` stands over the rule `nested`, which calls itself: that can't be decided",
                    "keep to rules without recursion, schemas and tokens there",
                )],
            ),
            (
                "root ::= \"a\" b\nb[max_tokens=3] ::= \"(\" b? \")\"",
                &[(
                    "2:1",
                    "`max_tokens` of the rule `b` is refused: the rule holds itself",
                    "count the tokens of a rule without recursion, schemas, tokens and options inside, or of the whole output",
                )],
            ),
        ],
    );
}

#[test]
fn in_lark() {
    check(
        Grammar::from_lark,
        &[
            (
                "start: a B strat\na: \"(\" a\nB: /x[yz/\nC: /é(?<=a)b/i | Y\n%import common.IMT",
                &[
                    ("1:12", "the rule `strat` is not defined", "did you mean `start`?"),
                    ("3:6", "a class is not closed", "add `]` or escape the bracket"),
                    (
                        "4:6",
                        "lookbehind is not supported in regular expressions",
                        "say it with a lookahead or alternatives",
                    ),
                    ("4:18", "the terminal `Y` is not defined", "did you mean `B`?"),
                    ("5:16", "`common` has no terminal `IMT`", "did you mean `INT`?"),
                ],
            ),
            (
                "start: a | \"x\"\na: \"(\" a \")\"\nb: c\n  | b c\nc: b",
                &[
                    ("2:1", "no text matches the rule `a`", END_IT),
                    ("3:1", "no text matches the rule `b`", END_IT),
                    ("5:1", "no text matches the rule `c`", END_IT),
                ],
            ),
            (
                "start: A\nA: /b/ & /c/",
                &[
                    (
                        "1:1",
                        "no text matches the rule `start`",
                        "give `A` an alternative that can end",
                    ),
                    ("2:1", "no text matches the rule `A`", END_IT),
                ],
            ),
        ],
    );
}

#[test]
fn in_patterns() {
    check(
        regex,
        &[
            ("a(b", &[("1:2", "a group is not closed", "add `)`")]),
            ("x\n[b-a]", &[("2:2", "a range runs backwards", "swap its ends")]),
            (
                "(?=b)a",
                &[(
                    "",
                    "no text matches the pattern `(?=b)a`",
                    "look for assertions and classes that contradict what stands beside them",
                )],
            ),
        ],
    );
}

#[test]
fn in_structural_tags() {
    check(
        tag,
        &[(
            r#"{"type": "sequence", "elements": [
                    {"type": "const_sting", "value": "x"},
                    {"type": "any_text", "exclude": ["x"], "max_chars": -1},
                    {"type": "tag", "begin": ["a"], "content": {"type": "plus"}, "end": 7},
                    {"type": "regex", "pattern": "a\n(b"},
                    {"type": "grammar", "grammar": "root ::= a\na ::= \"(\" a"},
                    {"type": "grammar", "grammar": "root ::= x(\ny ::= z"},
                    {"type": "triggered_tags", "triggers": ["<a"], "tags": [
                        {"begin": "<b", "content": {"type": "any_text"}, "end": ""},
                        {"begin": "x", "content": {"type": "any_text"}, "end": ""}]}
                ]}"#,
            &[
                (
                    "/format/elements/0/type",
                    "`\"const_sting\"` is no type of format",
                    "did you mean `const_string`?",
                ),
                (
                    "/format/elements/1/exclude",
                    "`any_text` has no field `exclude`",
                    "did you mean `excludes`?",
                ),
                (
                    "/format/elements/1/max_chars",
                    "`-1` is no count",
                    "write a number from 0 to 4294967294",
                ),
                ("/format/elements/2/begin", "a tag begins in one way", "write one string"),
                (
                    "/format/elements/2/end",
                    "`7` is no border of a tag",
                    "write a string or a token",
                ),
                ("/format/elements/2/content", "the field `content` is missing", "write it"),
                ("/format/elements/3/pattern 2:1", "a group is not closed", "add `)`"),
                ("/format/elements/4/grammar 1:1", "no text matches the rule `root`", END_IT),
                (
                    "/format/elements/5/grammar 1:10",
                    "the rule `x` is not defined",
                    "did you mean `y`?",
                ),
                (
                    "/format/elements/5/grammar 1:11",
                    "`(` isn't closed in its rule",
                    "close it with `)`",
                ),
                (
                    "/format/elements/5/grammar 2:7",
                    "the rule `z` is not defined",
                    "did you mean `y`?",
                ),
                (
                    "/format/elements/6/tags/0/begin",
                    "`<b` starts with no trigger",
                    "let it start with exactly one of `triggers`",
                ),
                (
                    "/format/elements/6/tags/1/begin",
                    "`x` starts with no trigger",
                    "let it start with exactly one of `triggers`",
                ),
            ],
        )],
    );
}

#[test]
fn in_grammars_of_structural_tags() {
    check(
        tag,
        &[(
            r#"{"type": "grammar", "grammar": "root ::= part\npart ::= \"a\" & (n)\nn ::= \"(\" n \")\" | \"\""}"#,
            &[(
                "/format/grammar 2:1",
                "`&` stands over the rule `n`, which calls itself: that can't be decided",
                "keep to rules without recursion, schemas and tokens there",
            )],
        )],
    );
}

fn remarks(read: Read, text: &str) -> Vec<String> {
    let grammar = read(text).expect(text);
    assert!(lower(&grammar, &mut Regexes::new()).is_ok(), "a remark is no mistake: {text}");
    let told = grammar.remarks().into_iter();
    told.map(|problem| {
        format!(
            "{} {}",
            place_of(problem.line, problem.column, &problem.pointer),
            problem.message
        )
    })
    .collect()
}

#[test]
fn what_is_odd_is_no_mistake() {
    let cases: &[(Read, &str, &[&str])] = &[
        (ebnf, "root ::= a\na ::= \"a\"", &[]),
        (
            ebnf,
            "root ::= a | loop\na ::= \"a\"\n loop ::= \"(\" loop\nfree ::= more\nmore ::= free",
            &[
                "3:2 no text matches the rule `loop`",
                "4:1 nothing uses the rule `free`",
                "5:1 nothing uses the rule `more`",
            ],
        ),
        (
            Grammar::from_lark,
            "start: list::0\nlist::_ : \"a\" list::incr(_) %if lt(_, 3)\n  | \"b\"\nfree: B\nB: \"b\"\n%import common (INT, WS)\n%ignore WS",
            &[
                "4:1 nothing uses the rule `free`",
                "5:1 nothing uses the rule `B`",
                "6:17 nothing uses the rule `INT`",
            ],
        ),
        (
            tag,
            r#"{"type": "or", "elements": [{"type": "grammar", "grammar": "root ::= \"a\"\nx ::= \"b\""}]}"#,
            &["/format/elements/0/grammar 2:1 nothing uses the rule `x`"],
        ),
        (regex, "a|b", &[]),
    ];
    for (read, text, expected) in cases {
        assert_eq!(remarks(*read, text), *expected, "{text}");
    }
}

#[test]
fn a_print_parses_back_to_an_equal_grammar_with_places_of_its_own() {
    let grammar = ebnf("  root ::= a\n\n  a ::= \"a\"").expect("a grammar");
    let again = ebnf(&grammar.to_ebnf()).expect("its print");
    assert_eq!(grammar, again);
}
