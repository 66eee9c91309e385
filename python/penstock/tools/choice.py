"""Tools and the choice among them, as OpenAI's interfaces write both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from penstock.errors import GrammarSyntaxError, UnsupportedFeatureError

__all__ = ["Choice", "Tool", "choose", "read_tools"]

# What can be written between quotes and in angle brackets as it is.
NAME = re.compile(r"[\w.:/-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class Tool:
    """A tool: its name, and the format of its arguments, or of its input where `is_custom`."""

    name: str
    parameters: Any
    is_custom: bool = False


@dataclass(frozen=True)
class Choice:
    """The tools that may be called, and how: "auto", "required", "named" (exactly one call) or "none"."""

    tools: tuple[Tool, ...]
    mode: Literal["auto", "required", "named", "none"]


def read_tools(tools: Sequence[Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Return the tools of a list in the form of Chat Completions, of Responses (flat), or of bare functions.

    Raises GrammarSyntaxError (`tool_syntax`) and UnsupportedFeatureError, the JSON pointer of the tool in `location`.
    """
    if isinstance(tools, (str, Mapping)) or not isinstance(tools, Iterable):
        raise _wrong(f"`{tools}` is no list of tools; pass a list of dicts, as OpenAI's interfaces take them", "/tools")
    found = tuple(_read_tool(tool, f"/tools/{i}") for i, tool in enumerate(tools))
    names = [tool.name for tool in found]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise _wrong(f"two tools are called `{name}`; rename one", f"/tools/{i}")
    return found


def _read_tool(tool: Any, place: str) -> Tool:
    if not isinstance(tool, Mapping):
        raise _wrong(f"`{tool}` is no tool; pass dicts as OpenAI's interfaces take them", place)
    kind = tool.get("type", "function")
    if kind not in ("function", "custom"):
        raise UnsupportedFeatureError(
            f"tools of the type `{kind}` are refused; use `function` or `custom`", code="unsupported_tool", location=place
        )
    fields = tool.get(kind, tool)
    name = fields.get("name") if isinstance(fields, Mapping) else None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _wrong(f"`{name}` is no name of a tool; use letters, digits and any of `_ . : / -`, at most 128", place)
    if kind == "custom":
        return Tool(name, _custom_format(fields.get("format") or {"type": "text"}, place), is_custom=True)
    parameters = fields.get("parameters")
    if parameters is None:
        parameters = {"type": "object"}
    if not isinstance(parameters, (Mapping, bool)):
        raise _wrong(f"the parameters of `{name}` are no schema; pass a dict or leave them out", place)
    return Tool(name, dict(parameters) if isinstance(parameters, Mapping) else parameters)


def _custom_format(format: Any, place: str) -> dict[str, Any]:
    """The input of a custom tool as a format of structural tags."""
    grammar = format.get("grammar", format) if isinstance(format, Mapping) else None
    if not isinstance(grammar, Mapping):
        raise _wrong(f"`{format}` is no format of a custom tool; pass a dict with a `type`", place)
    if format.get("type") == "text":
        return {"type": "any_text"}
    if format.get("type") == "grammar" and grammar.get("syntax") == "regex":
        return {"type": "regex", "pattern": grammar.get("definition")}
    raise UnsupportedFeatureError(
        f"a custom tool with the format `{format.get('type')}`, syntax `{grammar.get('syntax')}` is refused; "
        "use `text`, or a grammar with the syntax `regex`",
        code="unsupported_tool",
        location=place,
    )


def choose(tools: tuple[Tool, ...], tool_choice: Any) -> Choice:
    """Return what `tool_choice` leaves. Raises GrammarSyntaxError (`tool_choice`)."""
    if tool_choice is None:
        tool_choice = "auto"
    if isinstance(tool_choice, Mapping) and tool_choice.get("type") == "allowed_tools":
        allowed = tool_choice.get("allowed_tools", tool_choice)
        listed = allowed.get("tools", ()) if isinstance(allowed, Mapping) else None
        if not isinstance(listed, (list, tuple)):
            raise _wrong(f"`{allowed}` lists no tools; write the allowed ones as a list in `tools`", "/tool_choice")
        names = [_named(one) for one in listed]
        tools, tool_choice = tuple(_find(tools, name) for name in names), allowed.get("mode", "auto")
    elif isinstance(tool_choice, Mapping):
        return Choice((_find(tools, _named(tool_choice)),), "named")
    if tool_choice not in ("auto", "required", "none"):
        raise _wrong(
            f"`{tool_choice}` is no choice of tools; use `auto`, `required`, `none` or the dict of one tool", "/tool_choice"
        )
    if tool_choice == "required" and not tools:
        raise _wrong("a call is required and there is no tool; pass tools, or choose `auto`", "/tool_choice")
    return Choice(() if tool_choice == "none" else tools, tool_choice)


def _named(choice: Any) -> Any:
    kind = choice.get("type", "function") if isinstance(choice, Mapping) else None
    fields = choice.get(kind, choice) if isinstance(kind, str) else choice
    return fields.get("name") if isinstance(fields, Mapping) else None


def _find(tools: tuple[Tool, ...], name: Any) -> Tool:
    for tool in tools:
        if tool.name == name:
            return tool
    raise _wrong(f"there is no tool `{name}`; choose one of {', '.join(f'`{tool.name}`' for tool in tools)}", "/tool_choice")


def _wrong(message: str, place: str) -> GrammarSyntaxError:
    code = "tool_choice" if place == "/tool_choice" else "tool_syntax"
    return GrammarSyntaxError(message, code=code, location=place)
