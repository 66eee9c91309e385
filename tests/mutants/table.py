# ruff: noqa: E501 (the old and the new text stand as they do in the sources)
"""Seeded bugs: one change of a source each, of the kinds that an implementer of the schema machine or of the masks makes.

Each names the tests that must catch it: arguments of `cargo test`. `old` occurs once in its file, so that a mutant which no
longer applies is seen (`tests/test_mutants.py`) and gets a new text with the code that it changes.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A seeded bug."""

    name: str
    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]


SCHEMAS = ("-p", "penstock-schema", "--test", "schemas")
LIVENESS = ("-p", "penstock-schema", "--test", "liveness")
UNITS = ("-p", "penstock-schema", "--lib")
MASKS = ("-p", "penstock-matcher", "--test", "mask_law")
TEXTS = ("-p", "penstock-matcher", "--lib")

MUTANTS = (
    Mutant(
        "required_without_a_value",
        "crates/schema/src/search/object.rs",
        "self.names.is_seen(seen, name) || !self.satisfiable(base)? {",
        "self.names.is_seen(seen, name) {",
        "emptiness: a required member that no value satisfies is taken for possible",
        SCHEMAS,
    ),
    Mutant(
        "required_beyond_max_properties",
        "crates/schema/src/search/object.rs",
        "high < goal.low || goal.need.len() as u32 > high)",
        "high < goal.low || goal.need.len() as u32 > high + 1)",
        "liveness: one required member more than `maxProperties` leaves room for",
        LIVENESS,
    ),
    Mutant(
        "violations_share_no_member",
        "crates/schema/src/search/object.rs",
        "for at in 0..members.len() {\n            let breach = self.breach(atom, members[at].0)?;",
        "for at in members.len()..members.len() {\n            let breach = self.breach(atom, members[at].0)?;",
        "liveness: two violations never fall on one member",
        SCHEMAS,
    ),
    Mutant(
        "seen_names_are_fresh",
        "crates/schema/src/search/object.rs",
        "let mut taken = self.names.seen_names(seen);\n        taken.extend(goal.forbidden",
        "let mut taken = Vec::new();\n        taken.extend(goal.forbidden",
        "liveness: names that were written count as names still to come where few are possible",
        LIVENESS,
    ),
    Mutant(
        "names_repeat",
        "crates/schema/src/objects.rs",
        "let member = if self.names.is_seen(seen, name) {",
        "let member = if self.names.is_seen(SeenId::EMPTY, name) {",
        "a member may be written twice",
        SCHEMAS,
    ),
    Mutant(
        "one_branch_twice",
        "crates/schema/src/formula/build.rs",
        "left.retain(|part| !twice.contains(part));\n            let mut all: Vec<FormulaId> = twice.iter().map(|&part| self.not(part)).collect();",
        "left.dedup();\n            let mut all: Vec<FormulaId> = Vec::new();",
        "branches of `oneOf` that become equal midway count as one",
        SCHEMAS,
    ),
    Mutant(
        "one_of_as_any_of",
        "crates/schema/src/formula/build.rs",
        "if trues > 1 || left.is_empty() {\n            return FormulaId::FALSE;\n        }",
        "if left.is_empty() {\n            return FormulaId::FALSE;\n        }\n        if trues > 1 {\n            return FormulaId::TRUE;\n        }",
        "two branches of `oneOf` may hold",
        SCHEMAS,
    ),
    Mutant(
        "not_of_members",
        "crates/schema/src/search/object.rs",
        "let all = self.formulas.and(&all);\n                Ok(self.formulas.not(all))",
        "let all: Vec<FormulaId> = all.iter().map(|&part| self.formulas.not(part)).collect();\n                Ok(self.formulas.and(&all))",
        "`not` over `properties`: every asked schema of the member must fail, not some",
        SCHEMAS,
    ),
    Mutant(
        "min_items_by_one",
        "crates/schema/src/formula/rewrite.rs",
        "Node::MinItems(count) => Ok(formulas.min_items(count - 1)),",
        "Node::MinItems(count) => Ok(formulas.min_items(count.saturating_sub(2))),",
        "an item counts twice towards `minItems`",
        LIVENESS,
    ),
    Mutant(
        "max_contains_by_one",
        "crates/schema/src/search/array.rs",
        "raise(&mut goal.caps, *schema, *count - 1, u32::min)",
        "raise(&mut goal.caps, *schema, *count, u32::min)",
        "emptiness: `maxContains` allows one more",
        LIVENESS,
    ),
    Mutant(
        "prefix_covers_all",
        "crates/schema/src/formula/rewrite.rs",
        "ItemCover::First(count) => (ItemCover::First(count - 1), holds),",
        "ItemCover::First(count) => (ItemCover::First(count), holds),",
        "`prefixItems` evaluates every item for `unevaluatedItems`",
        SCHEMAS,
    ),
    Mutant(
        "items_differ_by_spelling",
        "crates/schema/src/identity.rs",
        ".intern(Known::Number(Decimal::parse(text).unwrap_or_else(Decimal::zero)))",
        ".intern(Known::Text(text.into()))",
        "`uniqueItems` compares numbers by their spelling",
        UNITS,
    ),
    Mutant(
        "values_run_out_unseen",
        "crates/schema/src/search/distinct.rs",
        "let formula = self.formulas.and(&[item, fresh]);",
        "let (formula, _) = (item, fresh);",
        "`uniqueItems`: values that were there before count as values still to come",
        LIVENESS,
    ),
    Mutant(
        "integers_are_any_number",
        "crates/schema/src/number/program.rs",
        'NumberFormula::Integer => self.multiple_of(grid, &Decimal::from_digits(false, "1", 0)),',
        'NumberFormula::Integer => self.multiple_of(grid, &Decimal::from_digits(false, "1", -1)),',
        "an integer may have a digit behind the point",
        UNITS,
    ),
    Mutant(
        "passed_names_come_again",
        "crates/schema/src/formula/rewrite.rs",
        "Ok(self.formulas.order_from(order, all.min(place + 1)))",
        "Ok(self.formulas.order_from(order, all.min(done + 1)))",
        "`property_order`: a name that was passed over may still come",
        SCHEMAS,
    ),
    Mutant(
        "ids_do_not_join",
        "crates/schema/src/lowering/resources.rs",
        "let uri = uri::join(&outer.uri, own);",
        "let uri = own.to_owned();",
        "a relative `$id` is taken for an address of its own",
        SCHEMAS,
    ),
    Mutant(
        "refusals_that_leaned",
        "crates/schema/src/search/mod.rs",
        "if found || low >= depth && !leaned {",
        "if found || low >= depth || !leaned {",
        "a refusal that leaned on an open goal is remembered for good",
        SCHEMAS,
    ),
    Mutant(
        "bytes_of_forbidden_names",
        "crates/matcher/src/json.rs",
        "_ => key.declared_only(),",
        "_ => key,",
        "inside a character a name that patterns allow elsewhere keeps a forbidden one alive",
        MASKS,
    ),
    Mutant(
        "names_behind_names",
        "crates/matcher/src/vocabulary.rs",
        'let wanted = b":,\\"";',
        'let wanted = b":,\\"\\"";',
        "a token that ends one name and starts another is judged by a name that stands for the first",
        MASKS,
    ),
    Mutant(
        "overlong_characters",
        "crates/matcher/src/text.rs",
        "let valid = [(0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, MAX_CHAR)]",
        "let valid = [(0x80, 0x7FF), (0x80, 0xFFFF), (0x80, MAX_CHAR)]",
        "characters in more bytes than they need",
        TEXTS,
    ),
    Mutant(
        "lone_surrogates",
        "crates/matcher/src/text.rs",
        "(2, 0xDC..=0xDF) | (1, 0xDC0..=0xDFF) => Piece::Dead,",
        "(2, 0xDE..=0xDF) | (1, 0xDE0..=0xDFF) => Piece::Dead,",
        "the second half of a pair may stand alone",
        TEXTS,
    ),
    Mutant(
        "guards_always_open",
        "crates/matcher/src/masks.rs",
        "let open = groups.filter(|(_, group)| any_bit(available, group.0 .0, group.0 .1));",
        "let open = groups.filter(|(_, group)| !available.is_empty() && group.0 .0 < group.0 .1);",
        "a remembered mask offers names that were written before",
        MASKS,
    ),
)
