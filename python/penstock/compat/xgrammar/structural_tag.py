"""The classes of XGrammar's structural tags: Pydantic models of their JSON. Penstock reads the JSON."""

from __future__ import annotations

import copy
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from penstock.compat.xgrammar.exception import InvalidJSONError, InvalidStructuralTagError
from penstock.compat.xgrammar.schema import closed_schema, schema_value

__all__ = [
    "AnyTextFormat",
    "AnyTokensFormat",
    "ConstStringFormat",
    "DispatchFormat",
    "ExcludeTokenFormat",
    "Format",
    "GrammarFormat",
    "JSONSchemaFormat",
    "OptionalFormat",
    "OrFormat",
    "PlusFormat",
    "QwenXMLParameterFormat",
    "RegexFormat",
    "RepeatFormat",
    "SequenceFormat",
    "StarFormat",
    "StructuralTag",
    "StructuralTagItem",
    "TagFormat",
    "TagsWithSeparatorFormat",
    "TokenDispatchFormat",
    "TokenFormat",
    "TokenTriggeredTagsFormat",
    "TriggeredTagsFormat",
]

_MAX_COUNT = 2_147_483_647
_Count = Annotated[int | None, Field(ge=0, le=_MAX_COUNT)]
_Token = int | str


class ConstStringFormat(BaseModel):
    """Exactly this text."""

    type: Literal["const_string"] = "const_string"
    value: str


class JSONSchemaFormat(BaseModel):
    """A value of a JSON Schema, written as JSON or in the style of a model family."""

    type: Literal["json_schema"] = "json_schema"
    json_schema: bool | dict[str, Any]
    style: str = "json"
    any_order: bool = False
    max_whitespace_cnt: int | None = None
    excludes: list[str] = []


class QwenXMLParameterFormat(BaseModel):
    """The old name of a JSON Schema in the style `qwen_xml`."""

    type: Literal["qwen_xml_parameter"] = "qwen_xml_parameter"
    json_schema: bool | dict[str, Any]


class AnyTextFormat(BaseModel):
    """Text without some words, within budgets."""

    type: Literal["any_text"] = "any_text"
    excludes: list[str] = []
    max_tokens: _Count = None
    max_chars: _Count = None


class TokenFormat(BaseModel):
    """One token, by id or text."""

    type: Literal["token"] = "token"
    token: _Token


class ExcludeTokenFormat(BaseModel):
    """One token that is none of these."""

    type: Literal["exclude_token"] = "exclude_token"
    exclude_tokens: list[_Token] = []


class AnyTokensFormat(BaseModel):
    """Any number of tokens that are none of these."""

    type: Literal["any_tokens"] = "any_tokens"
    exclude_tokens: list[_Token] = []
    max_tokens: _Count = None


class GrammarFormat(BaseModel):
    """Text of a grammar in EBNF."""

    type: Literal["grammar"] = "grammar"
    grammar: str


class RegexFormat(BaseModel):
    """Text that a regular expression matches."""

    type: Literal["regex"] = "regex"
    pattern: str


class SequenceFormat(BaseModel):
    """All of these, one after the other."""

    type: Literal["sequence"] = "sequence"
    elements: list[Format]


class OrFormat(BaseModel):
    """One of these."""

    type: Literal["or"] = "or"
    elements: list[Format]


class TagFormat(BaseModel):
    """Content between a beginning and an end."""

    type: Literal["tag"] = "tag"
    begin: str | TokenFormat
    content: Format
    end: str | list[str] | TokenFormat


class TriggeredTagsFormat(BaseModel):
    """Free text in which a trigger starts a tag."""

    type: Literal["triggered_tags"] = "triggered_tags"
    triggers: list[str]
    tags: list[TagFormat]
    at_least_one: bool = False
    stop_after_first: bool = False
    excludes: list[str] = []


class TokenTriggeredTagsFormat(BaseModel):
    """Free text in which a token starts a tag."""

    type: Literal["token_triggered_tags"] = "token_triggered_tags"
    trigger_tokens: list[_Token]
    tags: list[TagFormat]
    exclude_tokens: list[_Token] = []
    at_least_one: bool = False
    stop_after_first: bool = False


class TagsWithSeparatorFormat(BaseModel):
    """Tags with a separator between them."""

    type: Literal["tags_with_separator"] = "tags_with_separator"
    tags: list[TagFormat]
    separator: str
    at_least_one: bool = False
    stop_after_first: bool = False


class OptionalFormat(BaseModel):
    """The content or nothing."""

    type: Literal["optional"] = "optional"
    content: Format


class PlusFormat(BaseModel):
    """The content, at least once."""

    type: Literal["plus"] = "plus"
    content: Format


class StarFormat(BaseModel):
    """The content, any number of times."""

    type: Literal["star"] = "star"
    content: Format


class RepeatFormat(BaseModel):
    """The content, min to max times; max -1 is without bound."""

    type: Literal["repeat"] = "repeat"
    min: int
    max: int
    content: Format


class DispatchFormat(BaseModel):
    """Free text in which a pattern is followed by its format."""

    type: Literal["dispatch"] = "dispatch"
    rules: list[tuple[str, Format]]
    loop: bool = True
    excludes: list[str] = []


class TokenDispatchFormat(BaseModel):
    """Free text in which a token is followed by its format."""

    type: Literal["token_dispatch"] = "token_dispatch"
    rules: list[tuple[_Token, Format]]
    loop: bool = True
    exclude_tokens: list[_Token] = []


Format = Annotated[
    ConstStringFormat
    | JSONSchemaFormat
    | QwenXMLParameterFormat
    | AnyTextFormat
    | TokenFormat
    | ExcludeTokenFormat
    | AnyTokensFormat
    | GrammarFormat
    | RegexFormat
    | SequenceFormat
    | OrFormat
    | TagFormat
    | TriggeredTagsFormat
    | TokenTriggeredTagsFormat
    | TagsWithSeparatorFormat
    | OptionalFormat
    | PlusFormat
    | StarFormat
    | RepeatFormat
    | DispatchFormat
    | TokenDispatchFormat,
    Field(discriminator="type"),
]

for _model in (
    SequenceFormat,
    OrFormat,
    TagFormat,
    TriggeredTagsFormat,
    TokenTriggeredTagsFormat,
    TagsWithSeparatorFormat,
    OptionalFormat,
    PlusFormat,
    StarFormat,
    RepeatFormat,
    DispatchFormat,
    TokenDispatchFormat,
):
    _model.model_rebuild()


class StructuralTagItem(BaseModel):
    """A tag of the old form: begin, schema, end."""

    begin: str
    schema_: str | type[BaseModel] | dict[str, Any] = Field(alias="schema")
    end: str


class StructuralTag(BaseModel):
    """A whole structural tag."""

    type: Literal["structural_tag"] = "structural_tag"
    format: Format

    @staticmethod
    def from_legacy_structural_tag(tags: list[StructuralTagItem], triggers: list[str]) -> StructuralTag:
        """Return the tag that the old form stands for: free text, triggers, JSON between begin and end."""
        made = [
            TagFormat(begin=tag.begin, content=JSONSchemaFormat(json_schema=schema_value(tag.schema_)), end=tag.end)
            for tag in tags
        ]
        return StructuralTag(format=TriggeredTagsFormat(triggers=triggers, tags=made))

    @staticmethod
    def from_json(json_str: str | dict[str, Any]) -> StructuralTag:
        """Read a tag out of JSON text or a dict."""
        return StructuralTag.model_validate(json.loads(json_str) if isinstance(json_str, str) else json_str)


def closed_tag(value: dict[str, Any]) -> dict[str, Any]:
    """Return a tag whose schemas are closed, as XGrammar reads all schemas of tags (`closed_schema`)."""
    closed = copy.deepcopy(value)
    rest: list[Any] = [closed]
    while rest:
        node = rest.pop()
        if isinstance(node, dict) and isinstance(node.get("json_schema"), dict) and "type" in node:
            node["json_schema"] = closed_schema(node["json_schema"])
        elif isinstance(node, (dict, list, tuple)):
            rest += node.values() if isinstance(node, dict) else node
    return closed


def tag_value(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the JSON of a tag out of the arguments that XGrammar takes: one tag, or tags and triggers.

    Raises TypeError, InvalidJSONError, InvalidStructuralTagError.
    """
    names = ("structural_tag",) if len(args) + len(kwargs) == 1 else ("tags", "triggers")
    given = dict(zip(names, args, strict=False)) | kwargs
    if set(given) == {"tags", "triggers"}:
        return StructuralTag.from_legacy_structural_tag(given["tags"], given["triggers"]).model_dump()
    if set(given) != {"structural_tag"}:
        raise TypeError("Invalid arguments for from_structural_tag")
    tag = given["structural_tag"]
    if isinstance(tag, StructuralTag):
        return tag.model_dump()
    if not isinstance(tag, (str, dict)):
        raise TypeError("Invalid argument type for from_structural_tag")
    return _read(tag)


def _read(tag: str | dict[str, Any]) -> dict[str, Any]:
    try:
        value = json.loads(tag) if isinstance(tag, str) else tag
    except ValueError as error:
        raise InvalidJSONError(f"the structural tag is no JSON: {error}") from error
    if isinstance(value, dict) and "structures" in value:
        items = [StructuralTagItem(**item) for item in value["structures"]]
        return StructuralTag.from_legacy_structural_tag(items, value["triggers"]).model_dump()
    if not isinstance(value, dict) or "format" not in value:
        raise InvalidStructuralTagError("a structural tag is an object with a `format`; give it one")
    return value
