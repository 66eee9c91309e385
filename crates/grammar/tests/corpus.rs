//! Every case of `corpus/ebnf`, by the obvious recogniser and by the lowered grammar, before and after printing.
mod common;

use common::corpus::{cases, Case};
use common::lowered::Machine;
use common::reference;
use penstock_grammar::{Grammar, LowerLimits};

const NOTHING_INLINED: LowerLimits = LowerLimits {
    max_inlined_size: 0,
    max_regular_size: 100_000,
    max_grammar_depth: 2_500,
};

fn check(case: &Case) {
    let name = format!("{}: {}", case.file, case.heading);
    let grammar = match Grammar::from_ebnf(&case.grammar, "root") {
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

#[test]
fn corpus() {
    let cases = cases("ebnf");
    assert!(cases.len() >= 40, "{} cases", cases.len());
    cases.iter().for_each(check);
}
