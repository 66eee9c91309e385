"""`Grammar` with XGrammar's constructors, over `penstock.Grammar`."""

from __future__ import annotations

import json
from typing import Any

import penstock
from penstock.compat.xgrammar.exception import (
    DeserializeFormatError,
    RefusedTagError,
    as_runtime_errors,
    refuse,
)
from penstock.compat.xgrammar.schema import closed_schema, json_options, schema_value
from penstock.compat.xgrammar.structural_tag import StructuralTagItem, closed_tag, tag_value
from penstock.compat.xgrammar.tokenizer_info import SERIALIZATION_VERSION, read_serialized

__all__ = ["Grammar", "StructuralTagItem"]


class Grammar:
    """A language; `native` is Penstock's grammar. Everything that is wrong with one is a RuntimeError."""

    def __init__(self, native: penstock.Grammar) -> None:
        self.native = native

    def __str__(self) -> str:
        """EBNF that `from_ebnf` reads back."""
        return str(self.native)

    @staticmethod
    def from_ebnf(ebnf_string: str, *, root_rule_name: str = "root") -> Grammar:
        """Read EBNF. The options of rules are read, those apart that print XGrammar's own bookkeeping."""
        with as_runtime_errors():
            return Grammar(penstock.Grammar.from_ebnf(ebnf_string, root_rule_name))

    @staticmethod
    def from_json_schema(
        schema: Any,
        *,
        any_whitespace: bool = True,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        strict_mode: bool = True,
        max_whitespace_cnt: int | None = None,
        print_converted_ebnf: bool = False,
        any_order: bool = False,
    ) -> Grammar:
        """Return the JSON texts of a schema: dict, JSON text or Pydantic model.

        Every keyword is enforced or refused. strict_mode closes objects and arrays that name their
        members; the options are explained in `compat/xgrammar/schema.py`.
        """
        if print_converted_ebnf:
            raise refuse("`print_converted_ebnf`", "print `str(grammar)`")
        options = json_options(
            any_whitespace=any_whitespace,
            indent=indent,
            separators=separators,
            max_whitespace_cnt=max_whitespace_cnt,
            any_order=any_order,
        )
        with as_runtime_errors():
            value = schema_value(schema)
            return Grammar(penstock.Grammar.from_json_schema(closed_schema(value) if strict_mode else value, **options))

    @staticmethod
    def from_regex(regex_string: str, *, print_converted_ebnf: bool = False) -> Grammar:
        """Return the whole matches of a regular expression of ECMA-262."""
        if print_converted_ebnf:
            raise refuse("`print_converted_ebnf`", "print `str(grammar)`")
        with as_runtime_errors():
            return Grammar(penstock.Grammar.from_regex(regex_string, dialect="ecma"))

    @staticmethod
    def from_lark(
        lark_string: str, *, tokenizer_info: Any = None, named_grammars: dict[str, Grammar | str] | None = None
    ) -> Grammar:
        """Read a grammar in Lark's notation. tokenizer_info is not needed: special tokens are found when compiling.

        A text among named_grammars may name those before it.
        """
        named = {
            name: grammar.native if isinstance(grammar, Grammar) else grammar
            for name, grammar in (named_grammars or {}).items()
        }
        with as_runtime_errors():
            return Grammar(penstock.Grammar.from_lark(lark_string, named_grammars=named))

    @staticmethod
    def from_structural_tag(*args: Any, **kwargs: Any) -> Grammar:
        """Read a structural tag (object, JSON text or dict), or tags and triggers of the old form.

        Its schemas are closed, and members come in their order unless a format says `any_order`.

        Raises InvalidJSONError, InvalidStructuralTagError; what Penstock does not read is a RefusedTagError, which is one, too.
        """
        value = closed_tag(tag_value(*args, **kwargs))
        with as_runtime_errors(RefusedTagError):
            return Grammar(penstock.Grammar.from_structural_tag(value, property_order="schema"))

    @staticmethod
    def builtin_json_grammar() -> Grammar:
        """Return the grammar of any JSON object or array."""
        return Grammar(penstock.Grammar.from_json_schema({"type": ["object", "array"]}))

    @staticmethod
    def concat(*grammars: Grammar) -> Grammar:
        """Return the texts of each grammar, one after the other."""
        return Grammar(penstock.Grammar.concat(*(grammar.native for grammar in grammars)))

    @staticmethod
    def union(*grammars: Grammar) -> Grammar:
        """Return the texts of any of the grammars."""
        return Grammar(penstock.Grammar.union(*(grammar.native for grammar in grammars)))

    def serialize_json(self) -> str:
        """Return the grammar as JSON, for `deserialize_json` of this shim."""
        return json.dumps({"__VERSION__": SERIALIZATION_VERSION, "ebnf": str(self.native)})

    @staticmethod
    def deserialize_json(json_string: str) -> Grammar:
        """Read `serialize_json`. Raises InvalidJSONError, DeserializeVersionError, DeserializeFormatError."""
        with as_runtime_errors(DeserializeFormatError):
            return Grammar(penstock.Grammar.from_ebnf(read_serialized(json_string, ("ebnf",))["ebnf"]))
