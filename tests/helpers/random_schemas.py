"""Random schemas of the common core and values near them, for hypothesis. Universes are tiny, so that things coincide."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "ab", "abc", "b", "", "é", "😀", 'q"t')
WORDS = ("", "a", "b", "ab", "ba", "aab", "é", "😀", "a\nb", 'q"', "2024-02-29")
NUMBERS = (0, 1, -1, 2, 3, 9, 10, 11, 12, 99, 100, 0.5, -0.5, 1.5, 2.25, 10.75, -10, 1e3)
PATTERNS = ("^a", "b$", "^(ab)*$", "[^a]", "^a?b+$", "é|😀", "^.{2}$")
VALUES = (None, True, False, *NUMBERS, *WORDS)


def subset(draw: st.DrawFn, keywords: dict[str, st.SearchStrategy]) -> dict[str, Any]:
    """Some of the keywords."""
    chosen = draw(st.sets(st.sampled_from(sorted(keywords)), max_size=3))
    return {name: draw(keywords[name]) for name in sorted(chosen)}


@st.composite
def scalars(draw: st.DrawFn) -> dict[str, Any]:
    """A schema of one number, string or constant."""
    kind = draw(st.sampled_from(["integer", "number", "string", "enum", "const", "plain"]))
    number, count = st.sampled_from(NUMBERS), st.integers(0, 3)
    if kind in ("integer", "number"):
        bounds = {name: number for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")}
        return {"type": kind, **subset(draw, bounds)}
    if kind == "string":
        return {"type": kind, **subset(draw, {"minLength": count, "maxLength": count, "pattern": st.sampled_from(PATTERNS)})}
    if kind == "enum":
        return {"enum": draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4, unique_by=repr))}
    if kind == "const":
        return {"const": draw(st.one_of(st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), max_size=2)))}
    return {"type": draw(st.sampled_from(["null", "boolean", "string", "integer", ["integer", "string"], ["null", "number"]]))}


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Objects, arrays and choices of inner schemas."""

    @st.composite
    def objects(draw: st.DrawFn) -> dict[str, Any]:
        keywords = {
            "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
            "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
            "additionalProperties": st.one_of(st.just(False), st.just(False), inner),
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(0, 3),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b", "é"]), inner, max_size=1),
        }
        return {"type": "object", "properties": draw(keywords["properties"]), **subset(draw, keywords)}

    @st.composite
    def arrays(draw: st.DrawFn) -> dict[str, Any]:
        keywords = {
            "items": st.one_of(inner, st.just(False)),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(0, 3),
        }
        return {"type": "array", "items": draw(inner), **subset(draw, keywords)}

    choices = st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts})
    return st.one_of(objects(), objects(), arrays(), choices)


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    """A schema; half of them call a definition that may call itself."""
    leaf = st.one_of(scalars(), scalars(), st.just(True), st.just({"$ref": "#/$defs/d"}))
    schema = draw(st.recursive(leaf, containers, max_leaves=6))
    if schema is True or "$ref" not in repr(schema):
        return schema
    inner = st.one_of(scalars(), st.just({"$ref": "#/$defs/d"}))
    definition = draw(containers(inner).filter(lambda d: "anyOf" not in d or {"$ref": "#/$defs/d"} not in d["anyOf"]))
    return {"allOf": [schema], "$defs": {"d": definition}} if "$ref" in schema else {**schema, "$defs": {"d": definition}}


PLAIN = st.sampled_from(VALUES)
ANY_VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)),
    max_leaves=5,
)


def values_near(schema: Any, depth: int = 3) -> st.SearchStrategy:
    """Values that have a fair chance to satisfy the schema."""
    if not isinstance(schema, dict) or depth == 0:
        return ANY_VALUES
    near = lambda inner: values_near(inner, depth - 1)  # noqa: E731
    ways = [ANY_VALUES]
    if "enum" in schema or "const" in schema:
        ways.append(st.sampled_from(schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "string":
        ways += [st.sampled_from(WORDS)] * 3
    if schema.get("type") in ("integer", "number"):
        ways += [st.sampled_from(NUMBERS), st.integers(-12, 105)]
    ways += [near(part) for part in schema.get("anyOf", []) + schema.get("allOf", [])]
    if schema.get("type") == "array":
        firsts = [near(part) for part in schema.get("prefixItems", [])]
        rest = st.lists(near(schema.get("items")), max_size=3)
        ways += [st.tuples(*firsts, rest).map(lambda parts: [*parts[:-1], *parts[-1]])] * 4
    if schema.get("type") == "object":
        known = {name: near(part) for name, part in schema.get("properties", {}).items()}
        required = {name: known.pop(name, ANY_VALUES) for name in schema.get("required", [])}
        others = st.dictionaries(st.sampled_from(NAMES), near(schema.get("additionalProperties")), max_size=2)
        fixed = st.fixed_dictionaries(required, optional=known)
        ways += [fixed, fixed, st.tuples(others, fixed).map(lambda parts: parts[0] | parts[1])] * 2
    return st.one_of(ways)
