"""Cases for shims: a grammar in XGrammar's words, and texts to walk along. Masks are compared before every token."""

from __future__ import annotations

from typing import Any, NamedTuple


class Case(NamedTuple):
    """make: name of a compile method; arguments: its arguments; texts: each is read token by token as far as both allow."""

    make: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    texts: tuple[str, ...]


COMPACT = {"any_whitespace": False, "separators": (",", ":")}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "ok": {"type": "boolean"}},
    "required": ["name", "age", "ok"],
}
ONE = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def _json(schema: Any, *texts: str, **options: Any) -> Case:
    return Case("compile_json_schema", (schema,), options or COMPACT, texts)


def _ebnf(text: str, *texts: str) -> Case:
    return Case("compile_grammar", (text,), {}, texts)


def _regex(pattern: str, *texts: str) -> Case:
    return Case("compile_regex", (pattern,), {}, texts)


CASES: dict[str, Case] = {
    "ebnf words": _ebnf('root ::= ("yes" | "no") " "?', "yes", "no "),
    "ebnf recursion": _ebnf('root ::= "(" root ")" | [a-z]+', "((abc))", "x"),
    "ebnf left recursion": _ebnf('root ::= root "+" n | n\nn ::= [0-9]+', "1+22+3"),
    "ebnf repeats": _ebnf('root ::= "a"{2,4} [b-d]* (","  [^,;]){1,}', "aaa,x,y", "aabcd,é"),
    "ebnf escapes": _ebnf(r'root ::= "\"\\\n\t\u00e9" [\]\-x]+', '"\\\n\té]-x'),
    "ebnf any": _ebnf("root ::= [^]*", "anything: \té"),
    "ebnf empty": _ebnf('root ::= "" | "ab"', "ab"),
    "ebnf dispatch": _ebnf('root ::= TagDispatch(("<t>", x), loop_after_dispatch=false)\nx ::= "ab"', "x <<t>ab", "free"),
    "regex digits": _regex(r"\d{3}-[0-9a-f]+", "123-0af"),
    "regex words": _regex("(red|green|blue)( and (red|green))?", "red and green"),
    "regex classes": _regex(r"[^a-c]+\.[A-Z]?", "xyz.A"),
    "regex any": _regex("a.*b", "a anything b"),
    "schema person": _json(PERSON, '{"name":"a b","age":12,"ok":true}'),
    "schema one member": _json(ONE, '{"name":"Ann é"}'),
    "schema optional member": _json({**PERSON, "required": ["name"]}, '{"name":"x","ok":false}'),
    "schema enum": _json({"enum": ["red", "green", 3, None, True]}, '"red"', "null", "3"),
    "schema const": _json({"const": "only"}, '"only"'),
    "schema boolean": _json({"type": "boolean"}, "true"),
    "schema integer": _json({"type": "integer"}, "-12"),
    "schema number": _json({"type": "number"}, "-1.5e3"),
    "schema string": _json({"type": "string"}, '"a\\n\\u00e9b"'),
    "schema array": _json({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}, "[true,false]"),
    "schema tuple": _json({"type": "array", "prefixItems": [{"type": "null"}, {"type": "boolean"}]}, "[null,true]", "[null]"),
    "schema union": _json({"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "null"}}]}, "null", "[null,null]"),
    "schema recursive": _json(
        {"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"}, "[[],[[]]]"
    ),
    "schema nested": _json({"type": "object", "properties": {"in": ONE}, "required": ["in"]}, '{"in":{"name":"x"}}'),
    "schema length": _json({"type": "string", "minLength": 2, "maxLength": 4}, '"abc"'),
    "schema pattern": _json({"type": "string", "pattern": "^[a-z]+$"}, '"abc"'),
    "schema open pattern": _json({"type": "string", "pattern": "b"}, '"abc"'),
    "schema range": _json({"type": "integer", "minimum": 5, "maximum": 120}, "77", "120"),
    "schema date": _json({"type": "string", "format": "date"}, '"2026-02-28"'),
    "schema all of": _json({"allOf": [ONE, {"type": "object", "properties": {"b": {"type": "null"}}}]}, '{"name":"x"}'),
    "schema not": _json({"type": "integer", "not": {"const": 3}}, "31"),
    "schema default separators": _json(ONE, '{"name": "x"}', any_whitespace=False),
    "schema indented": _json(ONE, '{\n  "name": "x"\n}', any_whitespace=False, indent=2),
    "schema whitespace": _json(ONE, '{ "name": "x" }', any_whitespace=True),
    "schema counted whitespace": _json(ONE, '{ \n"name"\t:"x"}', any_whitespace=True, max_whitespace_cnt=2),
    "schema open": _json(ONE, '{"name":"x","more":1}', **COMPACT, strict_mode=False),
    "schema any order": _json(PERSON, '{"age":1,"name":"x","ok":true}', **COMPACT, any_order=True),
    "any JSON": Case("compile_builtin_json_grammar", (), {}, ('{"a":[1,"b",null]}',)),
}
