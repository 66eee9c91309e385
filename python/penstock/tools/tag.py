"""Structural tags out of tools, a choice and a family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from penstock.errors import UnsupportedFeatureError
from penstock.tools.choice import Choice, Tool, choose, read_tools
from penstock.tools.families import Family, family_named
from penstock.tools.keywords import keyword_arguments

__all__ = ["structural_tag"]

Format = dict[str, Any]
Reasoning = Literal["auto", "required", "open", "none"]


def structural_tag(
    tools: Sequence[Mapping[str, Any]] = (),
    *,
    family: str,
    tool_choice: str | Mapping[str, Any] | None = "auto",
    reasoning: Reasoning = "auto",
    parallel: bool = True,
) -> dict[str, Any]:
    """Return the structural tag of an assistant's turn: reasoning, text and tool calls as the family writes them.

    tools: as OpenAI's interfaces take them; every schema is enforced, whatever `strict` says.
    tool_choice: "auto" (text and calls), "required" (calls only), "none" (text only), the dict of one tool (one call of
    it), or {"type": "allowed_tools", ...}.
    reasoning: "auto" (a section may come first), "required", "none", or "open" where the prompt has begun it already.
    parallel: whether more than one call may be written.

    The arguments of a call follow the tool's schema. Raises GrammarSyntaxError for tools and choices that are none,
    UnsupportedFeatureError for unknown families and what a family cannot write.
    """
    chosen, how = choose(read_tools(tools), tool_choice), family_named(family)
    if reasoning not in ("auto", "required", "open", "none"):
        raise ValueError(f"reasoning cannot be `{reasoning}`; use auto, required, open or none")
    if how.messages is not None:
        format = _messages(how.messages, chosen, reasoning, parallel)
    else:
        format = _sequence([*_reasoning(how, reasoning), *_turn(how, chosen, parallel)])
    return {"type": "structural_tag", "format": format}


def _text(value: str) -> Format:
    return {"type": "const_string", "value": value}


def _maybe(content: Format) -> Format:
    return {"type": "optional", "content": content}


def _sequence(elements: list[Format]) -> Format:
    return elements[0] if len(elements) == 1 else {"type": "sequence", "elements": elements}


def _reasoning(family: Family, mode: Reasoning) -> list[Format]:
    """The section before everything else."""
    if mode == "none":
        return []
    section = family.reasoning
    if section is None:
        if mode == "auto":
            return []
        raise UnsupportedFeatureError(
            f"the family `{family.name}` has no reasoning section; leave `reasoning` at auto", code="no_reasoning"
        )
    begin = "" if mode == "open" else section["begin"]
    content = {"type": "any_text", "excludes": [section["begin"]] if mode != "open" else []}
    elements: list[Format] = [{"type": "tag", "begin": begin, "content": content, "end": section["end"]}]
    if section.get("suffix"):
        elements.append(_maybe(_text(section["suffix"])))
    return [_maybe(_sequence(elements))] if mode == "auto" else elements


def _turn(family: Family, choice: Choice, parallel: bool) -> list[Format]:
    """Text and calls."""
    excludes = list(family.excludes)
    if not choice.tools:
        return [_free(family, [family.trigger] if "{name}" not in family.trigger else [])]
    once = choice.mode == "named" or not parallel
    if choice.mode == "auto" and (family.exclusive or family.answer):
        triggers = [family.trigger.replace("{name}", tool.name) for tool in choice.tools]
        return [{"type": "or", "elements": [_free(family, triggers), *_sections(family, choice.tools, once)]}]
    if choice.mode == "auto":
        tags = [*_sections(family, choice.tools, once)] if family.section else _calls(family, choice.tools)
        triggered = {"type": "triggered_tags", "triggers": [family.trigger], "tags": tags, "excludes": excludes}
        return [{**triggered, "stop_after_first": not parallel}]
    lead = [_maybe(_text(family.lead))] if family.lead else []
    if family.section:
        sections = _sections(family, choice.tools, once)
        return [*lead, sections[0] if len(sections) == 1 else {"type": "or", "elements": sections}]
    return [*lead, _list(family, _calls(family, choice.tools), once)]


def _free(family: Family, triggers: list[str]) -> Format:
    """Text alone, in the section that the family puts around it."""
    text: Format = {"type": "any_text", "excludes": [*family.excludes, *dict.fromkeys(triggers)]}
    sections = [{"type": "tag", "begin": one["begin"], "content": text, "end": one["end"]} for one in family.answer]
    return {"type": "or", "elements": sections} if sections else text


def _list(family: Family, calls: list[Format], once: bool) -> Format:
    """One call or more."""
    separated = {"type": "tags_with_separator", "tags": calls, "separator": family.separator}
    return {**separated, "at_least_one": True, "stop_after_first": once}


def _sections(family: Family, tools: tuple[Tool, ...], once: bool) -> list[Format]:
    """The tag around all calls, once for each way to begin it."""
    section = family.section or {}
    begins = section["begin"] if isinstance(section["begin"], list) else [section["begin"]]
    content = _list(family, _calls(family, tools), once)
    return [{"type": "tag", "begin": begin, "content": content, "end": section["end"]} for begin in begins]


def _calls(family: Family, tools: tuple[Tool, ...]) -> list[Format]:
    for tool in tools:
        if tool.is_custom:
            raise UnsupportedFeatureError(
                f"the family `{family.name}` cannot write the custom tool `{tool.name}`; make it a function with one text",
                code="unsupported_tool",
            )
    call = family.call or {}
    return [_call(call, tool, family.arguments) for tool in tools]


def _call(call: Mapping[str, Any], tool: Tool, style: str) -> Format:
    arguments: Format = tool.parameters
    if style == "keywords":
        arguments = keyword_arguments(tool.parameters, tool.name)
    elif not tool.is_custom:
        arguments = {"type": "json_schema", "json_schema": tool.parameters, "style": style}
    around = [[_named(part, tool.name) for part in call.get(place, ())] for place in ("middle", "tail")]
    content = _sequence([*around[0], arguments, *around[1]])
    return {"type": "tag", "begin": call["begin"].replace("{name}", tool.name), "content": content, "end": call["end"]}


def _named(part: Format, name: str) -> Format:
    """A fixed text with the name of the tool in it; other formats as they are."""
    return {**part, "value": part["value"].replace("{name}", name)} if part["type"] == "const_string" else part


def _messages(how: Mapping[str, Any], choice: Choice, reasoning: Reasoning, parallel: bool) -> Format:
    """A turn of messages: analysis and final answers between calls, a fixed text between each two."""
    analysis = {"type": "tag", "content": {"type": "any_text"}, **how["analysis"]}
    final = {"type": "tag", "content": {"type": "any_text"}, **how["final"]}
    calls = [_call(call, tool, "json") for tool in choice.tools for call in how["calls"]]
    separator = _text(how["separator"])
    before = [] if reasoning == "none" else [{"type": "star", "content": _sequence([analysis, separator])}]
    if reasoning in ("required", "open"):
        opened = {**analysis, "begin": ""} if reasoning == "open" else analysis
        before = [opened, separator, *before]
    separated = {"type": "tags_with_separator", "separator": how["separator"], "at_least_one": True}
    several = {**separated, "tags": calls, "stop_after_first": choice.mode == "named" or not parallel}
    if choice.mode in ("required", "named"):
        return _sequence([*before, several])
    if not calls:
        return _sequence([*before, final])
    if parallel:
        several = _sequence([several, _maybe(_sequence([separator, final]))])
    return _sequence([*before, {"type": "or", "elements": [final, several]}])
