# ruff: noqa: E501 (tables of keywords read better on their lines)
"""Random schemas over every assertion keyword, and values that have a fair chance to satisfy or to just miss them.

Universes are tiny (few names, short words, small numbers), so that things coincide. All numbers are dyadic: the judges
compute with floats, and a disagreement should be about the schema.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

NAMES = ("a", "ab", "b", "ba", "", "é", "è", "😀", "😁", 'q"')  # some share their first bytes
WORDS = ("", "a", "b", "ab", "ba", "aab", "é", "😀", "a\nb", 'q"', "2024-02-29", "2023-02-29", "10:00:00Z", "1.2.3.4", "a@b.de")
NUMBERS = (0, 1, -1, 2, 3, 4, 6, 9, 10, 11, 12, 99, 100, 0.5, -0.5, 1.5, 2.25, 10.75, -10, 1e3, 12345678901234567890)
PATTERNS = ("^a", "b$", "^(ab)*$", "[^a]", "^a?b+$", "é|😀", "^.{2}$", "^(?!a)", "\\bb", "^[a-c]{1,2}$", "\\d")
FORMATS = ("ipv4", "ipv6", "unknown")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
DRAFTS = {
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "7": "http://json-schema.org/draft-07/schema#",
    "6": "http://json-schema.org/draft-06/schema#",
    "4": "http://json-schema.org/draft-04/schema#",
}
LATE = ("2019-09", "2020-12")


class Drawing:
    """One random schema of a draft. `size` bounds how many sub-schemas it has."""

    def __init__(self, rng: random.Random, draft: str = "2020-12", size: int = 9):
        self.rng, self.draft, self.left = rng, draft, size
        self.groups: list[tuple[int, Callable[[dict[str, Any]], None]]] = [
            (4, self.types), (3, self.numbers), (4, self.strings), (2, self.constants), (6, self.members), (3, self.names),
            (5, self.elements), (3, self.counted), (4, self.choices), (2, self.conditions), (2, self.dependents), (1, self.unevaluated),
        ]  # fmt: skip

    def document(self) -> Any:
        """The schema, with `$schema` and a definition that may call itself."""
        schema = self.schema()
        if not isinstance(schema, dict):
            return schema
        text = repr(schema)
        schema = {"$schema": DRAFTS[self.draft], **schema}
        if "'$ref'" in text:
            self.left = 4
            body = self.schema(plain=True)
            target = {"properties": {"a": self.reference()}, **body} if isinstance(body, dict) else body
            schema["$defs" if self.draft in LATE else "definitions"] = {"d": target}
        return schema

    def reference(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/d" if self.draft in LATE else "#/definitions/d"}

    def schema(self, plain: bool = False) -> Any:
        """A schema; `plain`: without choices at its top, so that a reference to it is never left recursive."""
        self.left -= 1
        if self.left <= 0 or self.rng.random() < 0.06:
            return self.leaf()
        drawn: dict[str, Any] = {}
        weights, groups = zip(*self.groups, strict=True)
        for group in self.rng.choices(groups, weights, k=self.rng.choice((1, 1, 2, 2, 3))):
            if not (plain and group in (self.choices, self.conditions, self.dependents)):
                group(drawn)
        return drawn

    def leaf(self) -> Any:
        roll = self.rng.random()
        if roll < 0.12 and self.draft != "4":
            return roll < 0.08
        if roll < 0.2:
            return self.reference()
        drawn: dict[str, Any] = {}
        self.rng.choice((self.types, self.numbers, self.strings, self.constants))(drawn)
        return drawn

    def some(self, keywords: dict[str, Callable[[], Any]], low: int = 1, high: int = 2) -> dict[str, Any]:
        names = self.rng.sample(sorted(keywords), min(len(keywords), self.rng.randint(low, high)))
        return {name: keywords[name]() for name in names}

    def count(self) -> int:
        return self.rng.randrange(4)

    def types(self, drawn: dict[str, Any]) -> None:
        drawn["type"] = self.rng.choice(TYPES) if self.rng.random() < 0.7 else self.rng.sample(TYPES, self.rng.randint(1, 3))

    def numbers(self, drawn: dict[str, Any]) -> None:
        if self.rng.random() < 0.7:
            drawn["type"] = self.rng.choice(("integer", "number"))
        number = lambda: self.rng.choice(NUMBERS)  # noqa: E731
        keywords = {
            "minimum": number,
            "maximum": number,
            "multipleOf": lambda: self.rng.choice((1, 2, 3, 0.5, 0.25, 1.5, 7, 10)),
        }
        if self.draft != "4":
            keywords |= {"exclusiveMinimum": number, "exclusiveMaximum": number}
        drawn |= self.some(keywords)
        if self.draft == "4" and "minimum" in drawn and self.rng.random() < 0.4:
            drawn["exclusiveMinimum"] = self.rng.random() < 0.7

    def strings(self, drawn: dict[str, Any]) -> None:
        if self.rng.random() < 0.7:
            drawn["type"] = "string"
        pattern, format_ = (lambda: self.rng.choice(PATTERNS)), (lambda: self.rng.choice(FORMATS))
        drawn |= self.some({"minLength": self.count, "maxLength": self.count, "pattern": pattern, "format": format_})

    def constants(self, drawn: dict[str, Any]) -> None:
        values = distinct([value(self.rng) for _ in range(self.rng.randint(1, 4))])
        if self.rng.random() < 0.4 and self.draft != "4":
            drawn["const"] = values[0]
        else:
            drawn["enum"] = values

    def members(self, drawn: dict[str, Any]) -> None:
        if self.rng.random() < 0.8:
            drawn["type"] = "object"
        drawn["properties"] = {name: self.schema() for name in self.rng.sample(NAMES, self.rng.randint(0, 3))}
        patterns = lambda: {p: self.schema() for p in self.rng.sample(PATTERNS[:6], self.rng.randint(1, 2))}  # noqa: E731
        others = lambda: False if self.rng.random() < 0.4 else self.schema()  # noqa: E731
        drawn |= self.some({"required": self.required, "additionalProperties": others, "patternProperties": patterns}, low=0)

    def required(self) -> list[str]:
        return self.rng.sample(NAMES, self.rng.randint(1, 2))

    def names(self, drawn: dict[str, Any]) -> None:
        keywords: dict[str, Callable[[], Any]] = {
            "minProperties": self.count,
            "maxProperties": self.count,
            "required": self.required,
        }
        if self.draft != "4":
            keywords["propertyNames"] = self.schema
        drawn |= self.some(keywords)

    def elements(self, drawn: dict[str, Any]) -> None:
        if self.rng.random() < 0.8:
            drawn["type"] = "array"
        first = [self.schema() for _ in range(self.rng.randint(1, 2))]
        rest = False if self.rng.random() < 0.2 and self.draft != "4" else self.schema()
        if self.rng.random() < 0.6:
            drawn["items"] = rest
        elif self.draft == "2020-12":
            drawn |= {"prefixItems": first, "items": rest}
        else:
            drawn |= {"items": first, "additionalItems": rest}

    def counted(self, drawn: dict[str, Any]) -> None:
        keywords: dict[str, Callable[[], Any]] = {
            "minItems": self.count,
            "maxItems": self.count,
            "uniqueItems": lambda: self.rng.random() < 0.9,
        }
        if self.draft != "4":
            keywords["contains"] = self.schema
        drawn |= self.some(keywords)
        if "contains" in drawn and self.draft in LATE:
            drawn |= self.some({"minContains": self.count, "maxContains": self.count}, low=0)

    def choices(self, drawn: dict[str, Any]) -> None:
        keyword = self.rng.choice(("anyOf", "oneOf", "allOf", "not"))
        drawn[keyword] = self.schema() if keyword == "not" else [self.schema() for _ in range(self.rng.randint(1, 3))]

    def conditions(self, drawn: dict[str, Any]) -> None:
        if self.draft in ("4", "6"):
            return self.choices(drawn)
        drawn["if"] = self.schema()
        drawn |= self.some({"then": self.schema, "else": self.schema})
        return None

    def dependents(self, drawn: dict[str, Any]) -> None:
        name = self.rng.choice(NAMES)
        if self.draft in LATE:
            ways = {"dependentRequired": lambda: {name: self.required()}, "dependentSchemas": lambda: {name: self.schema()}}
            drawn |= self.some(ways, high=1)
        else:
            drawn["dependencies"] = {name: self.required() if self.rng.random() < 0.5 else self.schema()}

    def unevaluated(self, drawn: dict[str, Any]) -> None:
        if self.draft in LATE:
            rest = lambda: False if self.rng.random() < 0.6 else self.schema()  # noqa: E731
            drawn |= self.some({"unevaluatedProperties": rest, "unevaluatedItems": rest}, high=1)


def distinct(values: list[Any]) -> list[Any]:
    return list({repr(value): value for value in values}.values())


def scalar(rng: random.Random) -> Any:
    return rng.choice((None, True, False, rng.choice(NUMBERS), rng.choice(NUMBERS), rng.choice(WORDS), rng.choice(WORDS)))


def value(rng: random.Random, depth: int = 2) -> Any:
    """Any JSON value."""
    roll = rng.random()
    if depth == 0 or roll < 0.6:
        return scalar(rng)
    if roll < 0.8:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {name: value(rng, depth - 1) for name in rng.sample(NAMES, rng.randrange(4))}


def near(rng: random.Random, schema: Any, root: Any, depth: int = 4) -> Any:
    """A value that follows some of the schema's hints."""
    if not isinstance(schema, dict) or depth == 0 or rng.random() < 0.08:
        return value(rng)
    hints = [key for key in HINTS if key in schema]
    if not hints:
        return value(rng)
    return HINTS[rng.choice(hints)](rng, schema, root, depth)


def near_reference(rng: random.Random, schema: Any, root: Any, depth: int) -> Any:
    return near(rng, (root.get("$defs") or root.get("definitions") or {}).get("d"), root, depth - 1)


def near_choice(keyword: str) -> Callable[..., Any]:
    def draw(rng: random.Random, schema: Any, root: Any, depth: int) -> Any:
        part = schema[keyword]
        return near(rng, rng.choice(part) if isinstance(part, list) else part, root, depth - 1)

    return draw


def near_object(rng: random.Random, schema: Any, root: Any, depth: int) -> Any:
    known = schema.get("properties", {})
    names = [name for name in known if rng.random() < 0.7] + schema.get("required", [])
    names += rng.sample(NAMES, rng.choice((0, 0, 0, 1, 1, 2)))
    rng.shuffle(names)
    others = [part for key in ("additionalProperties", "unevaluatedProperties") for part in [schema.get(key)]]
    others += list(schema.get("patternProperties", {}).values())
    return {name: near(rng, known[name] if name in known else rng.choice(others), root, depth - 1) for name in names}


def near_array(rng: random.Random, schema: Any, root: Any, depth: int) -> Any:
    items = schema.get("items")
    first = items if isinstance(items, list) else schema.get("prefixItems", [])
    rest = [schema.get(key) for key in ("additionalItems", "contains", "unevaluatedItems")] + [items] * (
        not isinstance(items, list)
    )
    count = rng.choice((0, 1, 2, 2, 3, 4))
    return [near(rng, first[i] if i < len(first) else rng.choice(rest or [None]), root, depth - 1) for i in range(count)]


BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def near_number(rng: random.Random, schema: Any, root: Any, depth: int) -> Any:
    # Draft 4 has `exclusiveMinimum: true`.
    bounds = [schema[key] for key in BOUNDS if not isinstance(schema.get(key, True), bool)]
    base = rng.choice(bounds or [0])
    return rng.choice((base, base + rng.randint(-3, 3), base * rng.randint(-2, 3), base + 0.5, rng.choice(NUMBERS)))


def near_type(rng: random.Random, schema: Any, root: Any, depth: int) -> Any:
    kind = schema["type"] if isinstance(schema["type"], str) else rng.choice(schema["type"])
    if kind in BY_TYPE:
        return BY_TYPE[kind](rng, schema, root, depth)
    return {"null": None, "boolean": rng.random() < 0.5, "string": rng.choice(WORDS)}[kind]


BY_TYPE = {"array": near_array, "object": near_object, "integer": near_number, "number": near_number}
HINTS: dict[str, Callable[..., Any]] = {
    "type": near_type, "$ref": near_reference, "properties": near_object, "required": near_object, "items": near_array,
    "prefixItems": near_array, "contains": near_array, "minimum": near_number, "multipleOf": near_number,
    "anyOf": near_choice("anyOf"), "oneOf": near_choice("oneOf"), "allOf": near_choice("allOf"),
    "not": near_choice("not"), "if": near_choice("if"), "then": near_choice("then"), "else": near_choice("else"),
    "const": lambda rng, schema, root, depth: schema["const"],
    "enum": lambda rng, schema, root, depth: rng.choice(schema["enum"]),
}  # fmt: skip


def mutated(rng: random.Random, whole: Any) -> Any:
    """The value with one place changed."""
    if isinstance(whole, list) and whole and rng.random() < 0.8:
        at = rng.randrange(len(whole))
        ways = (
            [*whole[:at], mutated(rng, whole[at]), *whole[at + 1 :]],
            whole[:at] + whole[at + 1 :],
            [*whole, whole[at]],
            [*whole, scalar(rng)],
        )
        return rng.choice(ways)
    if isinstance(whole, dict) and whole and rng.random() < 0.8:
        name = rng.choice(sorted(whole))
        without = {key: item for key, item in whole.items() if key != name}
        return rng.choice((without, {**whole, name: mutated(rng, whole[name])}, {**whole, rng.choice(NAMES): scalar(rng)}))
    return value(rng, 1)
