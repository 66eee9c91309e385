//! Every case of `corpus/ebnf` and `corpus/lark`, by the obvious recogniser and by the lowered grammar, before and after printing.
mod common;

use common::corpus::{cases, Case};
use common::lowered::Machine;
use common::reference;
use penstock_grammar::{Expr, Grammar, GrammarError, LowerLimits};

const NOTHING_INLINED: LowerLimits = LowerLimits {
    max_inlined_size: 0,
    max_regular_size: 100_000,
    max_grammar_depth: 2_500,
};

type Read = fn(&str) -> Result<Grammar, GrammarError>;

fn check(case: &Case, read: Read) {
    let name = format!("{}: {}", case.file, case.heading);
    let grammar = match read(&case.grammar) {
        Ok(grammar) => grammar,
        Err(error) => return check_error(case, &name, &error.to_string()),
    };
    let mut machine = match Machine::new(&grammar) {
        Ok(machine) => machine,
        Err(error) => return check_error(case, &name, &error.to_string()),
    };
    assert!(case.errors.is_empty(), "{name}: expected errors {:?}", case.errors);
    assert!(
        !case.accept.is_empty() || !case.reject.is_empty(),
        "{name}: the case says nothing"
    );
    let printed = grammar.to_ebnf();
    let again = Grammar::from_ebnf(&printed, "root").unwrap_or_else(|error| panic!("{name}: {error}\n{printed}"));
    assert_eq!(again.to_ebnf(), printed, "{name}");
    if has_json(&grammar) {
        // Values are read by the matcher: `tests/test_corpus.py` does.
        return;
    }
    let mut machine_again = Machine::new(&again).expect("an equal grammar");
    let mut uninlined = Machine::with(&grammar, &NOTHING_INLINED).expect("an equal grammar");
    let expected = case
        .accept
        .iter()
        .map(|text| (text, true))
        .chain(case.reject.iter().map(|text| (text, false)));
    for (text, accepted) in expected {
        assert_eq!(reference::accepts(&grammar, text), accepted, "{name}: reference on {text:?}");
        assert_eq!(machine.accepts(text), accepted, "{name}: lowered on {text:?}");
        assert_eq!(machine_again.accepts(text), accepted, "{name}: printed on {text:?}");
        assert_eq!(uninlined.accepts(text), accepted, "{name}: without inlining on {text:?}");
    }
}

fn check_error(case: &Case, name: &str, error: &str) {
    assert!(!case.errors.is_empty(), "{name}: {error}");
    for expected in &case.errors {
        assert!(error.contains(expected), "{name}: expected {expected:?} in\n{error}");
    }
}

fn has_json(grammar: &Grammar) -> bool {
    grammar.exprs().iter().any(|expr| matches!(expr, Expr::JsonSchema { .. }))
}

fn check_folder(folder: &str, at_least: usize, read: Read) {
    let cases = cases(folder);
    assert!(cases.len() >= at_least, "{} cases", cases.len());
    cases.iter().for_each(|case| check(case, read));
}

#[test]
fn ebnf() {
    check_folder("ebnf", 40, |text| Grammar::from_ebnf(text, "root"));
}

#[test]
fn lark() {
    check_folder("lark", 70, Grammar::from_lark);
}
