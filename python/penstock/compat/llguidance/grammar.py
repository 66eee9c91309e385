"""Grammars as llguidance hands them around: text, either Lark or JSON `{"grammars": [...]}`.

The JSON is llguidance's, with three more kinds of entry for what Penstock reads itself: `regex`, `ebnf` and
`structural_tag`. Only single grammars are read: references between the entries are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import penstock
from penstock.compat.json_schema import any_of_for_one_of

__all__ = ["GrammarFormat", "StructTag", "grammar_from", "grammar_of", "json_schema_text", "regex_to_lark"]

GrammarFormat = Literal["lark", "gbnf", "ebnf", "cfg", "grammar", "json_schema", "json", "regex", "choice", "llguidance"]

_OPTIONS = (
    "item_separator",
    "key_separator",
    "whitespace_pattern",
    "whitespace_flexible",
    "coerce_one_of",
    "lenient",
    "json_allowed_escapes",
    "json_allow_general_unicode_escapes",
)


def grammar_text(kind: str, value: Any) -> str:
    """Return the text of a grammar of one entry."""
    return json.dumps({"grammars": [{"name": kind, kind: value}], "max_tokens": None})


def json_schema_text(schema: Any, defaults: Any = None, overrides: Any = None) -> str:
    """Return the grammar of a schema; options as `defaults`, the schema's `x-guidance`, `overrides`, the last one wins.

    Raises ValueError for what is no JSON object.
    """
    value = json.loads(schema) if isinstance(schema, str) else schema
    if isinstance(value, dict) and (defaults or overrides):
        value = {**value, "x-guidance": {**(defaults or {}), **value.get("x-guidance", {}), **(overrides or {})}}
    elif defaults or overrides:
        raise ValueError("the schema is no JSON object and cannot carry options; give {} for any value")
    return grammar_text("json_schema", value)


def grammar_from(format: GrammarFormat, text: Any) -> str:
    """Return the grammar of a text in one of the formats. Raises ValueError for an unknown format."""
    if format in ("lark", "llguidance"):
        return str(text)
    if format in ("gbnf", "ebnf", "cfg", "grammar"):
        return grammar_text("ebnf", text) if "::=" in text else str(text)
    if format in ("json_schema", "json"):
        return json_schema_text(text)
    if format == "regex":
        return grammar_text("regex", text)
    if format == "choice":
        words = json.loads(text) if isinstance(text, str) else text
        return grammar_text("ebnf", "root ::= " + " | ".join(json.dumps(word) for word in words))
    raise ValueError(f"Unknown grammar type: {format}")


def grammar_of(text: str) -> penstock.Grammar:
    """Read a grammar. Raises GrammarError; ValueError for JSON that is none."""
    if not text.lstrip().startswith("{"):
        return penstock.Grammar.from_lark(text)
    value = json.loads(text)
    entries = value.get("grammars")
    if not isinstance(entries, list) or not entries:
        raise ValueError('the JSON has no `grammars`; give {"grammars": [...]}')
    if len(entries) > 1 or value.get("max_tokens") is not None:
        raise _refused("several grammars in one, or `max_tokens`", "write one grammar, and limit the tokens in the loop")
    found = {kind: entries[0][kind] for kind in _READERS if entries[0].get(kind) is not None}
    if len(found) != 1:
        raise ValueError(f"a grammar is one of {list(_READERS)}; give one of them")
    ((kind, body),) = found.items()
    grammar: penstock.Grammar = _READERS[kind](body)
    return grammar


def _refused(what: str, way_out: str) -> penstock.UnsupportedFeatureError:
    return penstock.UnsupportedFeatureError(f"{what} is not supported by the shim; {way_out}", code="unsupported_by_shim")


def _from_schema(schema: Any) -> penstock.Grammar:
    options = dict(schema.get("x-guidance", {})) if isinstance(schema, dict) else {}
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise _refused(f"the option `{unknown[0]}`", f"use {', '.join(_OPTIONS)}")
    for name in ("whitespace_pattern", "json_allowed_escapes"):
        if options.get(name) is not None:
            raise _refused(f"`{name}`", "leave it out; whitespace is bounded, and strings may use every escape of JSON")
    separators = (options.get("item_separator") or ",", options.get("key_separator") or ":")
    named: dict[str, Any] = {"strict": not options.get("lenient", False), "property_order": "schema"}
    if options.get("whitespace_flexible") is False:
        named["separators"] = separators
    elif separators != (",", ":"):
        raise _refused(f"flexible whitespace with the separators `{separators}`", "set whitespace_flexible to false")
    if isinstance(schema, dict):
        schema = {key: value for key, value in schema.items() if key != "x-guidance"}
    return penstock.Grammar.from_json_schema(any_of_for_one_of(schema) if options.get("coerce_one_of") else schema, **named)


_READERS: dict[str, Any] = {
    "json_schema": _from_schema,
    "lark_grammar": penstock.Grammar.from_lark,
    "regex": lambda pattern: penstock.Grammar.from_regex(pattern, dialect="rust"),
    "ebnf": penstock.Grammar.from_ebnf,
    "structural_tag": lambda tag: penstock.Grammar.from_structural_tag(tag, property_order="schema"),
}


@dataclass(kw_only=True)
class StructTag:
    """A call inside running text: from `trigger` on, `begin`, a JSON value of `grammar` (a schema), `end`."""

    trigger: str
    begin: str
    grammar: str | dict[str, Any]
    end: str

    def __post_init__(self) -> None:
        if not self.trigger or not self.begin.startswith(self.trigger):
            raise AssertionError("trigger must not be empty, and begin must start with it")

    @staticmethod
    def to_grammar(tags: list[StructTag], *, assume_special: bool = True, text_regex: str = r"(.|\n)*") -> str:
        """Return the grammar of text with these calls, as a structural tag. A text_regex of your own is refused.

        assume_special: triggers that look like `<...>` are special tokens. Raises UnsupportedFeatureError for a `grammar`
        in Lark.
        """
        if not tags:
            raise AssertionError("tags must not be empty")
        if text_regex != r"(.|\n)*":
            raise _refused("`text_regex`", "leave it out: any text may stand between calls")
        special = {tag.trigger for tag in tags if assume_special and tag.trigger.startswith("<") and tag.trigger.endswith(">")}
        if special and special != {tag.trigger for tag in tags}:
            raise _refused("triggers that are tokens beside triggers that are text", "use one kind")
        made = [tag._format(bool(special)) for tag in tags]
        triggers = sorted({tag.trigger for tag in tags})
        kind, name = ("token_triggered_tags", "trigger_tokens") if special else ("triggered_tags", "triggers")
        return grammar_text(
            "structural_tag", {"type": "structural_tag", "format": {"type": kind, name: triggers, "tags": made}}
        )

    def _format(self, special: bool) -> dict[str, Any]:
        schema = self.grammar
        if isinstance(schema, str):
            if not schema.lstrip().startswith("{"):
                raise _refused("a call whose grammar is Lark", "give a JSON Schema")
            schema = json.loads(schema)
        content: dict[str, Any] = {"type": "json_schema", "json_schema": schema}
        if not special:
            return {"type": "tag", "begin": self.begin, "content": content, "end": self.end}
        head = {"type": "const_string", "value": self.begin.removeprefix(self.trigger)}
        elements = [head, content] if head["value"] else [content]
        token = {"type": "token", "token": self.trigger}
        return {"type": "tag", "begin": token, "content": {"type": "sequence", "elements": elements}, "end": self.end}


def regex_to_lark(regex: str, use_ascii: str = "d") -> str:
    r"""Return a pattern for Lark's `/.../`, its slashes escaped; use_ascii: `d`, `w`, `s` where those mean ASCII only."""
    narrow = {"d": "0-9", "w": "0-9a-zA-Z_", "s": r" \t\n\r\f\v"}
    out, at = [], 0
    while at < len(regex):
        piece = regex[at : at + 2] if regex[at] == "\\" else regex[at]
        letter = piece[1:].lower() if len(piece) == 2 else ""
        if letter and letter in use_ascii and letter in narrow:
            out.append(f"[{'' if piece[1].islower() else '^'}{narrow[letter]}]")
        else:
            out.append("\\/" if piece == "/" else piece)
        at += len(piece)
    return "".join(out)
