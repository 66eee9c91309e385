//! Text made to hurt: it costs a named limit, never a stack or a hang.
use penstock_automata::{RegexId, Regexes};
use penstock_grammar::{lower, Expr, Grammar, GrammarBuilder, GrammarErrorKind, MAX_GRAMMAR_NESTING};

fn limit_of(text: &str) -> &'static str {
    let error = Grammar::from_ebnf(text, "root").expect_err("too much");
    assert_eq!(error.kind, GrammarErrorKind::Limit, "{error}");
    error.limit.expect("a limit").name
}

fn step(regexes: &mut Regexes, mut term: RegexId, text: &str) -> RegexId {
    for character in text.chars() {
        term = regexes.step(term, character as u32).expect("no limit");
    }
    term
}

#[test]
fn nested_brackets_reach_a_limit() {
    let deep = format!("root ::= {}\"a\"{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(limit_of(&deep), "max_grammar_nesting");
    let open = format!("root ::= {}", "(".repeat(100_000));
    assert_eq!(limit_of(&open), "max_grammar_nesting");
}

#[test]
fn counts_reach_a_limit() {
    assert_eq!(limit_of("root ::= \"a\"{99999999999}"), "max_repetition_count");
}

/// The deepest text that is read uses every operator at every level, and all of it runs on a small stack.
#[test]
fn the_deepest_grammar_fits_a_small_stack() {
    let deepest = || {
        let (before, after) = ("~(\"b\" | [ab]* & (\"a\"? ", ")*)");
        let levels = MAX_GRAMMAR_NESTING / 2;
        let text = format!("root ::= {}\"a\"{}", before.repeat(levels), after.repeat(levels));
        let grammar = Grammar::from_ebnf(&text, "root").expect("deep, but not too deep");
        assert_eq!(Grammar::from_ebnf(&grammar.to_ebnf(), "root"), Ok(grammar.clone()));
        let mut regexes = Regexes::new();
        let lowered = lower(&grammar, &mut regexes).expect("no limit");
        step(&mut regexes, lowered.bodies[0], "ab");
    };
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(deepest)
        .expect("a thread");
    thread.join().expect("no overflow");
}

#[test]
fn built_depth_reaches_a_limit() {
    let mut builder = GrammarBuilder::new();
    let mut body = builder.text("a");
    for _ in 0..1_000_000 {
        body = builder.add(Expr::Not(body));
    }
    let root = builder.rule("root");
    builder.define(root, body);
    let grammar = builder.finish(root).expect("defined");
    assert!(grammar.to_ebnf().len() > 1_000_000);
    let error = lower(&grammar, &mut Regexes::new()).expect_err("too deep");
    assert_eq!(error.limit.expect("a limit").name, "max_grammar_depth");
}

#[test]
fn long_chains_of_rules_are_no_depth() {
    let mut text = String::from("root ::= r0\n");
    for i in 0..100_000 {
        text.push_str(&format!("r{i} ::= \"a\" r{} | \"b\"\n", i + 1));
    }
    text.push_str("r100000 ::= \"c\"\n");
    let grammar = Grammar::from_ebnf(&text, "root").expect("a grammar");
    let lowered = lower(&grammar, &mut Regexes::new()).expect("no limit");
    assert!(lowered.bodies.len() > 1_000);
}

/// Each rule is the one before it twice: written out, the last would have 2^64 characters.
#[test]
fn doubling_rules_stay_calls() {
    let mut text = String::from("root ::= r64\nr0 ::= \"a\"\n");
    for i in 0..64 {
        text.push_str(&format!("r{} ::= r{i} r{i}\n", i + 1));
    }
    let grammar = Grammar::from_ebnf(&text, "root").expect("a grammar");
    let mut regexes = Regexes::new();
    let lowered = lower(&grammar, &mut regexes).expect("no limit");
    assert!(lowered.bodies.len() > 50 && regexes.len() < 10_000, "{}", regexes.len());
    let excluded = Grammar::from_ebnf(&text.replace("root ::= ", "root ::= ~"), "root").expect("a grammar");
    let error = lower(&excluded, &mut regexes).expect_err("too large");
    assert_eq!(error.limit.expect("a limit").name, "max_regular_size");
}

#[test]
fn floods_of_mistakes_are_capped() {
    let undefined: String = (0..20_000).map(|i| format!("a{i} ")).collect();
    let error = Grammar::from_ebnf(&format!("root ::= {undefined}"), "root").expect_err("undefined");
    assert_eq!(error.problems.len(), 100);
    let error = Grammar::from_ebnf(&"<".repeat(1_000_000), "root").expect_err("no grammar");
    assert_eq!(error.problems.len(), 100);
    let error = Grammar::from_ebnf(&"root ::= 'a\n".repeat(20_000), "root").expect_err("no grammar");
    assert_eq!(error.problems.len(), 100);
}
