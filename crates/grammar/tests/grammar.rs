//! What lowering gives, how grammars combine, and what their errors say.
mod common;

use common::lowered::Machine;
use penstock_automata::{RegexId, Regexes};
use penstock_grammar::{
    lower, Dialect, Expr, Grammar, GrammarBuilder, GrammarErrorKind, JsonOptions, Lowered, Symbol, Whitespace,
};
use penstock_schema::{Draft, FormatMode, PropertyOrder};

fn ebnf(text: &str) -> Grammar {
    Grammar::from_ebnf(text, "root").unwrap_or_else(|error| panic!("{error}"))
}

fn lowered(text: &str) -> Lowered {
    lower(&ebnf(text), &mut Regexes::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn check_texts(grammar: &Grammar, accept: &[&str], reject: &[&str]) {
    let mut machine = Machine::new(grammar).unwrap_or_else(|error| panic!("{error}"));
    let mut printed = Machine::new(&ebnf(&grammar.to_ebnf())).expect("printed grammars parse");
    for (texts, expected) in [(accept, true), (reject, false)] {
        for text in texts {
            assert_eq!(machine.accepts(text), expected, "{text:?}");
            assert_eq!(printed.accepts(text), expected, "{text:?} after printing");
        }
    }
}

/// llama.cpp's JSON grammar keeps two rules that call: everything lexical is inlined.
#[test]
fn lexical_rules_are_inlined() {
    let lowered = lowered(
        r#"
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"#,
    );
    assert_eq!(lowered.names, ["root", "object", "value", "array"]);
    assert_eq!(lowered.symbols, [Symbol::Rule(1), Symbol::Rule(2), Symbol::Rule(3)]);
    assert!(!lowered.root_nullable);
}

#[test]
fn one_sided_recursion_is_regular() {
    let lowered = lowered("root ::= ws list\nws ::= ([ \\t] ws)?\nlist ::= list \",\" [a-z] | [a-z]");
    assert_eq!((lowered.bodies.len(), lowered.symbols.len()), (1, 0));
}

#[test]
fn unreachable_and_unproductive_rules_are_dropped() {
    let lowered =
        lowered("root ::= \"(\" root \")\" | \"a\" | endless\nendless ::= endless \"x\" endless\nunused ::= unused root");
    assert_eq!(lowered.names, ["root"]);
}

#[test]
fn special_tokens_and_schemas_are_symbols() {
    let lowered = lowered(
        "root ::= Token(7, 3, 7) <think> ExcludeToken(9) !<[9]> <[3]> JsonSchema({\"type\": \"string\"}) \
         JsonSchema(\"{\\\"type\\\": \\\"string\\\"}\") JsonSchema(true, indent=2)",
    );
    let ids = |ids: &[u32]| ids.to_vec().into();
    let expected = [
        Symbol::Tokens(ids(&[3, 7])),
        Symbol::TokenText("<think>".to_owned()),
        Symbol::ExcludeTokens(ids(&[9])),
        Symbol::Tokens(ids(&[3])),
        Symbol::Json(0),
        Symbol::Json(1),
    ];
    assert_eq!(lowered.symbols, expected);
    assert_eq!(lowered.schemas.len(), 2);
    assert_eq!(lowered.schemas[1].1.whitespace, Whitespace::Indent(2));
}

/// A dead start of an alternative is dead although a call follows it: liveness never asks through a call.
#[test]
fn dead_ends_before_calls_are_seen() {
    let nested = "nested\nnested ::= \"(\" nested \")\" | \"|\"";
    for part in [
        "((\"ax\" [x] | \"bx\" [x]{2}) & .{4})",
        "word",
        "Regex(\"(?=.{4})(?:axx|bxxx)\")",
    ] {
        let word = "word ::= (\"axx\" | \"bxxx\") & .{4}";
        let grammar = ebnf(&format!("root ::= {part} {nested}\n{word}"));
        let mut regexes = Regexes::new();
        let lowered = lower(&grammar, &mut regexes).expect("no limit");
        let Some(Symbol::Rule(called)) = lowered.symbols.first() else {
            panic!("{part} is inlined")
        };
        let start = lowered.bodies[*called];
        assert!(
            regexes.is_regular(start) && regexes.externals(lowered.bodies[0]).len() == 1,
            "{part}"
        );
        assert_ne!(regexes.step(start, u32::from('b')), Ok(RegexId::NEVER), "{part}");
        assert_eq!(regexes.step(start, u32::from('a')), Ok(RegexId::NEVER), "{part}");
        check_texts(&grammar, &["bxxx|", "bxxx(|)"], &["bxxx", "axx|", "bxx|"]);
    }
}

#[test]
fn combinations_rename_rules_apart() {
    let one = ebnf("root ::= x\nx ::= \"1\" root?");
    let two = ebnf("root ::= x\nx ::= \"2\"");
    check_texts(
        &Grammar::choice(&[one.clone(), two.clone()]),
        &["1", "11", "2"],
        &["", "12", "22"],
    );
    check_texts(
        &Grammar::concat(&[one.clone(), two.clone(), two.clone()]),
        &["122", "1122"],
        &["", "12", "221"],
    );
    check_texts(
        &Grammar::and(&[two.not(), Grammar::from_regex("[12]{1,2}", Dialect::Ecma).expect("a pattern")]),
        &["1", "12"],
        &["2", ""],
    );
    check_texts(&Grammar::concat(&[]), &[""], &["a"]);
    let nothing = lower(&Grammar::choice(&[]), &mut Regexes::new()).expect_err("nothing");
    assert_eq!(nothing.kind, GrammarErrorKind::EmptyLanguage);
    let recursive = ebnf("root ::= \"(\" root \")\" | \"\"");
    let error = lower(&recursive.not(), &mut Regexes::new()).expect_err("not regular");
    assert_eq!(error.kind, GrammarErrorKind::Unsupported);
}

#[test]
fn schemas_print_and_parse_back() {
    let styles = [
        Whitespace::Flexible,
        Whitespace::Compact,
        Whitespace::AtMost(3),
        Whitespace::Indent(4),
        Whitespace::Separators {
            item: ",\n".to_owned(),
            key: ": ".to_owned(),
        },
    ];
    for whitespace in styles {
        let schema = serde_json::json!({"properties": {"a\"\\é\u{7}": {"const": 1.50}}, "not": {"type": "null"}});
        let options = JsonOptions {
            whitespace,
            ..JsonOptions::default()
        };
        let grammar = Grammar::from_json_schema(schema, options);
        assert_eq!(ebnf(&grammar.to_ebnf()), grammar);
    }
    let mut options = JsonOptions::default();
    let plain = Grammar::from_json_schema(serde_json::json!(true), options.clone());
    options.schema.strict = false;
    options.schema.property_order = PropertyOrder::Schema;
    options.schema.format = FormatMode::Annotation;
    options.schema.default_draft = Draft::Draft7;
    options.schema.report_enforced = true;
    options
        .schema
        .registry
        .insert("urn:a".to_owned(), serde_json::json!({"$defs": {"b": false}}));
    options.schema.limits.max_name_classes = 7;
    let grammar = Grammar::from_json_schema(serde_json::json!(true), options);
    assert_eq!(ebnf(&grammar.to_ebnf()), grammar);
    assert_ne!(grammar, plain);
    assert_eq!(plain.to_ebnf(), "root ::= JsonSchema(true)\n");
}

#[test]
fn names_are_printed_so_that_they_parse() {
    let mut builder = GrammarBuilder::new();
    let start = builder.rule("start");
    let names = ["root", "a b", "_a_b", "", "Regex", "x.y", ".x"];
    let mut parts = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let rule = builder.rule(name);
        let body = builder.text(i.to_string());
        builder.define(rule, body);
        parts.push(builder.add(Expr::Rule(rule)));
        let group = builder.text("");
        let bracket = builder.add(Expr::Choice(vec![group]));
        parts.push(bracket);
    }
    let body = builder.sequence(parts);
    builder.define(start, body);
    check_texts(&builder.finish(start).expect("defined"), &["0123456"], &["", "012345"]);
}

#[test]
fn another_root_can_be_named() {
    let grammar = Grammar::from_ebnf("start ::= root\nroot ::= \"a\"", "start").expect("a grammar");
    assert_eq!(grammar.to_ebnf(), "root ::= root_1\nroot_1 ::= \"a\"\n");
    check_texts(&grammar, &["a"], &[""]);
}

#[test]
fn errors_show_the_place_and_the_way_out() {
    let check = |text: &str, kind, expected: &str| {
        let error = Grammar::from_ebnf(text, "root").expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
        assert_eq!(error.kind, kind, "{text}");
    };
    use GrammarErrorKind::{Syntax, Unsupported};
    check(
        "root ::= ñ \"b\"\nñ ::= \"x\" | vlaue\nvalue ::= [a-",
        Syntax,
        "2:13: the rule `vlaue` is not defined; did you mean `value`?\n    ñ ::= \"x\" | vlaue\n                ^\n\
         3:11: this class isn't closed on its line; close it with `]`\n    value ::= [a-\n              ^",
    );
    check(
        "root ::= \"a\"*?",
        Syntax,
        "1:14: a repetition is repeated; put brackets around the inner one; there is no lazy repetition, a language has no order\
         \n    root ::= \"a\"*?\n                 ^",
    );
    check(
        "root[stop_capture=x] ::= \"a\"",
        Unsupported,
        "1:6: the option `stop_capture` is refused; name the rule itself with `capture`, and cut the text apart\
         \n    root[stop_capture=x] ::= \"a\"\n         ^",
    );
    check(
        "",
        Syntax,
        "1:1: the root rule `root` is not defined; define it, or name another root\n    \n    ^",
    );
    check(
        "root ::= JsonSchema({\"type\": })",
        Syntax,
        "1:21: the schema is no JSON: expected value at line 1 column 10; write a JSON object\n    \
         root ::= JsonSchema({\"type\": })\n                        ^",
    );
}
