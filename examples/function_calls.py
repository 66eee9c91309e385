"""A small language made of Python functions: calls with named arguments, nested where the types allow it.

    python examples/function_calls.py

Every function becomes a rule; an argument of type T is a literal of T or a call of a function that returns T. A program
that the masks allow needs no `eval`: it is parsed by `ast`, and every call in it is one of the functions given, with
arguments of the right types.
"""

from __future__ import annotations

import ast
import enum
import inspect
import json
import random
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import penstock

Functions = Sequence[Callable[..., Any]]
MAX_BYTES = 400  # of a random walk, before it is led to an end

# Literals as Python spells them; texts hold no control characters, which a literal would have to escape.
LITERALS = {
    int: '"-"? ("0" | [1-9] [0-9]{0,8})',
    float: '"-"? ("0" | [1-9] [0-9]{0,8}) "." [0-9]{1,6}',
    bool: '"True" | "False"',
    str: r'"\"" ([^"\\\u0000-\u001f\u007f-\u009f\u2028\u2029] | "\\" ["\\nt])* "\""',
    type(None): '"None"',
}


def grammar_of(functions: Functions) -> penstock.Grammar:
    """Return the grammar of programs: one call a line, nested calls by their return types. Raises TypeError."""
    rules = _Rules(functions)
    calls = " | ".join(rules.call(function) for function in functions)
    rules.lines[:0] = [r'root ::= call ("\n" call)*', f"call ::= {calls}"]
    return penstock.Grammar.from_ebnf("\n".join(rules.lines))


class _Rules:
    """The rules, made as they are asked for."""

    def __init__(self, functions: Functions) -> None:
        self.functions, self.lines, self.names = functions, [], {}

    def call(self, function: Callable[..., Any]) -> str:
        """The rule of the calls of a function."""
        name = f"call-{function.__name__}"
        if name not in self.names:
            self.names[name] = name
            self.lines.append(f"{name} ::= {json.dumps(function.__name__ + '(')} {self.arguments(function)} {json.dumps(')')}")
        return name

    def arguments(self, function: Callable[..., Any]) -> str:
        """Named arguments in the order of the signature; those with a default may be left out."""
        hints = typing.get_type_hints(function)
        parameters = list(inspect.signature(function).parameters.values())
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY) for p in parameters):
            raise TypeError(f"`{function.__name__}` takes arguments without names; wrap it in a function that names them")
        # rest: what may follow when an argument has been written, and when none has.
        after, first = '""', '""'
        for parameter in reversed(parameters):
            item = f"{json.dumps(parameter.name + '=')} {self.value(hints.get(parameter.name, str))}"
            written, begun = f'", " {item} {self.named(after)}', f"{item} {self.named(after)}"
            is_optional = parameter.default is not parameter.empty
            after, first = (
                (f"{written} | {self.named(after)}", f"{begun} | {self.named(first)}") if is_optional else (written, begun)
            )
        return f"({first})"

    def named(self, body: str) -> str:
        """A rule for what is used twice."""
        if body == '""':
            return body
        if body not in self.names:
            self.names[body] = f"rest-{len(self.names)}"
            self.lines.append(f"{self.names[body]} ::= {body}")
        return self.names[body]

    def value(self, t: Any) -> str:
        """The rule of the values of a type: literals, and calls that return it."""
        key = f"type {t!r}"
        if key not in self.names:
            self.names[key] = f"value-{len(self.names)}"
            returning = [f for f in self.functions if typing.get_type_hints(f).get("return", type(None)) == t]
            parts = [self.literal(t), *(self.call(function) for function in returning)]
            self.lines.append(f"{self.names[key]} ::= {' | '.join(parts)}")
        return self.names[key]

    def literal(self, t: Any) -> str:
        origin, arguments = typing.get_origin(t), typing.get_args(t)
        if t in LITERALS:
            return LITERALS[t]
        if origin is Literal:
            return " | ".join(json.dumps(repr(value)) for value in arguments)
        if isinstance(t, type) and issubclass(t, enum.Enum):
            return " | ".join(json.dumps(f"{t.__name__}.{member.name}") for member in t)
        if origin is list:
            return f'"[" ({self.value(arguments[0])} (", " {self.value(arguments[0])})*)? "]"'
        if arguments and origin is not None:
            return " | ".join(self.value(argument) for argument in arguments)
        raise TypeError(f"`{t}` has no literal here; use int, float, bool, str, None, Literal, an Enum, list or a union")


def evaluate(program: str, functions: Functions) -> list[Any]:
    """Run a program and return what each line gave. Raises ValueError for what is no call of these functions."""
    named = {function.__name__: function for function in functions}
    enums = {t.__name__: t for f in functions for t in typing.get_type_hints(f).values() if inspect.isclass(t)}
    return [_value(statement.value, named, enums) for statement in ast.parse(program).body if isinstance(statement, ast.Expr)]


def _value(node: ast.expr, functions: Mapping[str, Callable[..., Any]], enums: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, functions, enums)
        case ast.List(items):
            return [_value(item, functions, enums) for item in items]
        case ast.Attribute(ast.Name(name), member) if name in enums:
            return enums[name][member]
        case ast.Call(ast.Name(name), [], keywords) if name in functions:
            return functions[name](**{str(word.arg): _value(word.value, functions, enums) for word in keywords})
    raise ValueError(f"`{ast.unparse(node)}` is no call of a given function")


# A robot, to have something to call.


class Side(enum.Enum):
    LEFT = "left"
    RIGHT = "right"


def move(steps: int, speed: Literal["slow", "fast"] = "slow") -> int:
    """Go some steps; return how many were free."""
    return min(steps, 100) if speed == "fast" else steps


def turn(side: Side, degrees: float = 90.0) -> None:
    """Turn on the spot."""


def look(side: Side | None = None) -> list[int]:
    """Return the distances to what is seen."""
    return [3, 1, 4] if side is None else [1]


def nearest(distances: list[int]) -> int:
    """Return the smallest distance."""
    return min(distances, default=0)


def say(words: str, *, loud: bool = False) -> None:
    """Say something."""


ROBOT: Functions = (move, turn, look, nearest, say)


def random_program(compiled: penstock.CompiledGrammar, rng: random.Random) -> str:
    """Walk along the masks of a vocabulary of bytes at random; at MAX_BYTES take the shortest way out."""
    matcher, out = penstock.Matcher(compiled), b""
    bitmask = penstock.allocate_token_bitmask(1, BYTES.vocab_size)
    while len(out) < MAX_BYTES:
        matcher.fill_next_token_bitmask(bitmask)
        allowed = [token for token in range(257) if int(bitmask[0, token // 32]) >> (token % 32) & 1]
        token = rng.choice(allowed)
        if token == STOP:
            return out.decode()
        out += bytes([token])
        matcher.accept_token(token)
    return (out + matcher.shortest_completion_bytes()).decode()


STOP = 256
BYTES = penstock.TokenizerInfo([bytes([value]) for value in range(256)] + [b""], stop_token_ids=[STOP])


def main() -> None:
    compiled, rng = penstock.GrammarCompiler(BYTES).compile(grammar_of(ROBOT)), random.Random(5)
    for number in range(3):
        program = random_program(compiled, rng)
        print(f"Program {number + 1}:")
        for line, result in zip(program.splitlines(), evaluate(program, ROBOT), strict=True):
            print(f"  {line}  ->  {result!r}")


if __name__ == "__main__":
    main()
