"""The command line: `penstock generate`, `penstock check`, `penstock show`, `penstock bench`.

What was asked for goes to stdout; everything about it (times, verdicts of the run, errors) goes to stderr.
Exit codes: 0 done; 1 the answer is no (an instance does not pass, a keyword is refused, the output could not be finished);
2 the command cannot be carried out as it stands (arguments, files, a broken grammar); 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import penstock
from penstock.errors import GenerationError, GrammarError, LimitError, PenstockError
from penstock.instances import excerpt, pointer_at

__all__ = ["main"]

OK, NO, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
_STOP = 256  # the stop token of the byte vocabulary, after its 256 bytes
_CHUNK_BYTES = 65_536
_WHITESPACE = b" \t\r\n"
_ANY_WHITESPACE = 65_535  # the most that `max_whitespace` takes: an instance is judged as a value
_MAX_CHARACTERS = 8  # beyond ASCII, that a message spells out
DEFAULT_REWARD_WEIGHT = 20.0
_BENCHMARKS = ("masks", "drafts", "lookaheads", "decode")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. arguments: without the program's name; None: those of the process."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except GenerationError as error:
        return _complain(str(error), NO)
    except PenstockError as error:
        return _complain(str(error), UNUSABLE)
    except _UnusableError as error:
        return _complain(str(error), UNUSABLE)
    except BrokenPipeError:  # the reader of stdout left, as `head` does
        sys.stderr.close()
        return OK


class _UnusableError(Exception):
    """A file or an argument that cannot be used; the text names the way out."""


def _complain(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"penstock: {message}", file=sys.stderr)
    return code


def _tell(message: str) -> None:
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)


# Arguments.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="penstock",
        description="Make language models write what a schema, a pattern or a grammar allows.",
        epilog="exit codes: 0 done; 1 the answer is no; 2 the command cannot be carried out; 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"penstock {penstock.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_generate(commands)
    _add_check(commands)
    _add_show(commands)
    _add_bench(commands)
    return parser


def _add_generate(commands: Any) -> None:
    command = commands.add_parser("generate", help="write a text for a prompt", description="Write a text for a prompt.")
    _add_language(command, required=False)
    command.add_argument("prompt", help="the prompt; `-` reads it from stdin")
    command.add_argument("--model", default="tiny", metavar="M", help="a folder or hub name; default: the bundled tiny model")
    command.add_argument("--draft", action="store_true", help="draft tokens by retrieval: the same text in fewer forwards")
    command.add_argument("--chat", action="store_true", help="send the prompt as a user message, through the chat template")
    command.add_argument("--max-tokens", type=_positive, default=None, metavar="N", help="at most N output tokens")
    command.add_argument("--temperature", type=float, default=0.0, metavar="T", help="0 (default) takes the likeliest token")
    command.add_argument("--seed", type=int, default=None, metavar="S", help="repeat a sampled text")
    command.add_argument(
        "--reward", metavar="R", help="steer by a reward: `keywords:owl,harp`, or `module:object` for one of your own"
    )
    command.add_argument("--reward-field", metavar="POINTER", help="the reward judges the JSON value at this pointer alone")
    command.add_argument(
        "--reward-weight", type=float, default=DEFAULT_REWARD_WEIGHT, metavar="W",
        help="nats of log-probability that a reward's full range is worth; default: %(default)s",
    )  # fmt: skip
    command.set_defaults(run=_generate)


def _add_check(commands: Any) -> None:
    description = "Tell what of a schema is enforced, and whether instances pass it; where not, what was expected there."
    command = commands.add_parser("check", help="check a schema, and instances against it", description=description)
    _add_language(command, required=True)
    command.add_argument("instances", nargs="*", metavar="INSTANCE", help="files to check; `-` is stdin")
    command.add_argument("--all", action="store_true", help="list what is enforced, too")
    command.set_defaults(run=_check)


def _add_show(commands: Any) -> None:
    description = "Draw a grammar as railroad diagrams, a schema as an outline."
    command = commands.add_parser("show", help="draw a grammar, a pattern or a schema", description=description)
    group = _add_language(command, required=True, tags=False)
    group.add_argument("file", nargs="?", metavar="FILE", help="a schema (.json), Lark (.lark) or EBNF; `-` is EBNF on stdin")
    command.add_argument("--width", type=_positive, default=None, metavar="N", help="columns; default: those of the terminal")
    command.add_argument("--ascii", action="store_true", help="no box drawing; the default where stdout cannot show it")
    command.set_defaults(run=_show)


def _add_bench(commands: Any) -> None:
    command = commands.add_parser("bench", help="run a benchmark of a source tree", description="Run a benchmark.")
    command.add_argument("benchmark", choices=_BENCHMARKS)
    command.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    command.add_argument("--full", action="store_true", help="lookaheads: the whole table, with its sweeps")
    command.set_defaults(run=_bench)


def _add_language(command: argparse.ArgumentParser, *, required: bool, tags: bool = True) -> Any:
    group = command.add_mutually_exclusive_group(required=required)
    group.add_argument("--schema", metavar="FILE", help="JSON text that this JSON Schema accepts")
    group.add_argument("--regex", metavar="PATTERN", help="text that this regular expression matches as a whole")
    group.add_argument("--grammar", metavar="FILE", help="text of this grammar: Lark if the file ends with .lark, else EBNF")
    group.add_argument("--lark", metavar="FILE", help="text of this grammar in Lark's notation")
    if tags:
        group.add_argument("--structural-tag", metavar="FILE", help="text that this structural tag describes")
    return group


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not at least 1")
    return number


# Files.


def _read(path: str, what: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise _UnusableError(
            f"the {what} `{path}` cannot be read: {error.strerror}; give the path of a readable file"
        ) from error


def _read_text(path: str, what: str) -> str:
    try:
        return _read(path, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnusableError(f"the {what} `{path}` is no UTF-8 at byte {error.start}; save it as UTF-8") from error


def _read_schema(path: str) -> Any:
    text = _read_text(path, "schema")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise _UnusableError(f"{where}: the schema is no JSON: {error.msg}; mend the file at this place") from error
    except RecursionError as error:
        raise _UnusableError(f"the schema `{path}` is nested too deeply to be read; name its parts in `$defs`") from error


# generate.


def _generate(options: argparse.Namespace) -> int:
    prompt: Any = _read_text("-", "prompt") if options.prompt == "-" else options.prompt
    if options.chat:
        prompt = [{"role": "user", "content": prompt}]
    output_type = _output_type(options)
    strategy = _strategy(options)
    model = _model(options.model)
    generator: Any = penstock.Generator(model, output_type, strategy=strategy, drafter="auto" if options.draft else None)
    sampling = penstock.Sampling(temperature=options.temperature, seed=options.seed)
    events = generator.stream(prompt, max_tokens=options.max_tokens, sampling=sampling)
    result = _write_out(events)
    code = OK if output_type is str else _tell_verdict(options, result.text)
    if strategy is not None:
        _tell(f"reward: {result.details['reward']:.3g} of {strategy.reward.range[1]:g}, by {strategy.reward.name}")
    _tell(_costs(result, model.name))
    return code


def _strategy(options: argparse.Namespace) -> Any:
    """Return the search that a reward asks for, or None."""
    from penstock.decoding import Cdlh
    from penstock.rewards import JsonField

    if options.reward is None:
        if options.reward_field is not None:
            raise _UnusableError("`--reward-field` needs a reward to judge it; give `--reward`")
        return None
    if options.draft:
        raise _UnusableError("`--draft` drafts for plain decoding; leave it out where a `--reward` steers")
    reward = _reward(options.reward)
    try:
        if options.reward_field is not None:
            reward = JsonField(options.reward_field, reward)
        low, high = reward.range
        return Cdlh(reward, weight=options.reward_weight / (high - low))
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise _UnusableError(f"the reward `{options.reward}` cannot be used: {error}") from error


def _reward(text: str) -> Any:
    """Read `keywords:a,b` or `module:object`; the folder of the command is searched for modules, too."""
    from penstock.rewards import KeywordCoverage, Reward

    kind, colon, rest = text.partition(":")
    if not colon or not kind or not rest:
        raise _UnusableError(f"the reward `{text}` is not understood; write `keywords:a,b,c` or `module:object`")
    if kind == "keywords":
        try:
            return KeywordCoverage([word.strip() for word in rest.split(",")])
        except ValueError as error:
            raise _UnusableError(f"the reward `{text}` cannot be used: {error}") from error
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        reward: Any = importlib.import_module(kind)
        for name in rest.split("."):
            reward = getattr(reward, name)
    except Exception as error:  # a user's module may raise whatever it likes
        reason = f"{type(error).__name__}: {error}"
        raise _UnusableError(f"the reward `{text}` cannot be imported: {reason}; give `module:object`") from error
    if isinstance(reward, type) or not isinstance(reward, Reward):
        raise _UnusableError(
            f"`{text}` is no reward but {'a class' if isinstance(reward, type) else f'a `{type(reward).__name__}`'}; "
            "give an object such as penstock.rewards.Function(f, range=(0, 1))"
        )
    return reward


def _output_type(options: argparse.Namespace) -> Any:
    from penstock.types import Ebnf, JsonSchema, Lark, Regex, StructuralTag

    if options.schema is not None:
        return JsonSchema(_read_schema(options.schema))
    if options.regex is not None:
        return Regex(options.regex)
    lark = _lark_file(options)
    if lark is not None:
        return Lark(_read_text(lark, "grammar"))
    if options.grammar is not None:
        return Ebnf(_read_text(options.grammar, "grammar"))
    if options.structural_tag is not None:
        return StructuralTag(_read_text(options.structural_tag, "structural tag"))
    return str


def _lark_file(options: argparse.Namespace) -> str | None:
    """Return the file that holds the language in Lark, if one does: the extension tells it from EBNF."""
    path: str | None = options.lark or options.grammar
    return path if path is not None and (options.lark or path.endswith(".lark")) else None


def _model(name: str) -> Any:
    from penstock import models

    try:
        return models.tiny() if name == "tiny" else models.load(name)
    except ImportError as error:
        extra = "tiny" if name == "tiny" else "transformers"
        raise _UnusableError(f"the model `{name}` needs `{error.name}`; run: pip install 'penstock[{extra}]'") from error
    except (OSError, ValueError) as error:
        if isinstance(error, PenstockError):
            raise
        raise _UnusableError(
            f"the model `{name}` cannot be loaded: {error}; give a folder that transformers can read"
        ) from error


def _write_out(events: Iterable[Any]) -> Any:
    """Print the text as it comes and return the result. A text that breaks off still ends its line."""
    from penstock.result import Done, TextDelta

    result = None
    try:
        for event in events:
            if isinstance(event, TextDelta):
                print(event.text, end="", flush=True)
            elif isinstance(event, Done):
                result = event.result
    finally:
        print(flush=True)
    return result


def _tell_verdict(options: argparse.Namespace, text: str) -> int:
    """Read the text back, as a stranger to the run would: byte by byte, and with jsonschema where it is installed."""
    language = options.schema or options.grammar or options.lark or options.structural_tag or "the pattern"
    mistake = _mistake(_compile_for_bytes(options), text.encode())
    if mistake is not None:
        _tell(f"invalid: {mistake.told(language)}")
        return NO
    judges, code = ["read back byte by byte"], OK
    if options.schema is not None:
        opinion, code = _second_opinion(_read_schema(options.schema), text)
        judges += [opinion] if opinion else []
    _tell(f"{'valid' if code == OK else 'disputed'}: the text is in the language of {language} ({'; '.join(judges)})")
    return code


def _second_opinion(schema: Any, text: str) -> tuple[str, int]:
    """Return what jsonschema says, and the exit code of that; nothing where it is not installed."""
    try:
        import jsonschema  # type: ignore[import-untyped]
        from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
    except ImportError:
        return "", OK
    name = f"jsonschema {importlib.metadata.version('jsonschema')}"
    try:
        validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        validator(schema, registry=REGISTRY).validate(json.loads(text))  # with a registry of its own it fetches nothing
    except jsonschema.ValidationError as error:
        return f"{name} disagrees: {error.message}", NO
    except Exception as error:  # it reads schemas in its own way, and may stumble over ours
        return f"{name} cannot judge: {error}", OK
    return f"{name} agrees", OK


def _costs(result: Any, model_name: str) -> str:
    stats, num_tokens = result.stats, len(result.token_ids)
    line = (
        f"{num_tokens} tokens in {stats.seconds:.2f} s: {stats.model_seconds:.2f} s in the model ({model_name}, "
        f"{stats.num_forwards} forwards), {_short_time(stats.mask_seconds)} in masks"
    )
    if num_tokens:
        line += f" ({stats.mask_seconds / num_tokens * 1e6:.0f} us a token)"
    if stats.num_draft_tokens:
        line += f"; {stats.mean_acceptance_length:.2f} tokens a drafted forward"
    return line


def _short_time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.2f} ms"


# check.


@dataclass(frozen=True)
class _Mistake:
    """The first byte that a language does not allow; byte is None where the text ends too early. Lines and columns from 1."""

    line: int
    column: int
    byte: int | None
    allowed: str
    offset: int = 0

    def told(self, name: str) -> str:
        found = "the text ends here" if self.byte is None else f"{_quoted_byte(self.byte)} is not allowed here"
        return f"{name}:{self.line}:{self.column}: {found}; expected {self.allowed}"

    def shown(self, data: bytes, *, is_json: bool) -> list[str]:
        """Return the line of the text with a caret, and the pointer of the JSON value that is open there."""
        line, caret = excerpt(data, self.offset)
        place = f"  in {pointer_at(data[: self.offset]) or 'the whole value'}" if is_json else ""
        return [f"    {line}", f"    {caret}{place}"]


def _check(options: argparse.Namespace) -> int:
    try:
        compiled = _compile_for_bytes(options, strict=False, max_whitespace=_ANY_WHITESPACE)
    except (GrammarError, LimitError) as error:
        return _complain(_located(options, str(error)), UNUSABLE)
    num_refused = _print_report(compiled, everything=options.all) if options.schema is not None else 0
    grammar = _written_grammar(options)
    for remark in () if grammar is None else grammar.remarks:
        print(_located(options, f"remark: {remark}"))
    num_wrong = 0
    for path in options.instances:
        whole = _read(path, "instance")
        data, offset = _trimmed(whole)
        mistake = _mistake(compiled, data, offset)
        if mistake is None:
            print(f"{path}: passes")
            continue
        num_wrong += 1
        print("\n".join([mistake.told(path), *mistake.shown(whole, is_json=options.schema is not None)]))
    return NO if num_refused or num_wrong else OK


def _written_grammar(options: argparse.Namespace) -> Any:
    """Return the grammar of a file in Lark or EBNF, None where the language is given in another way."""
    lark = _lark_file(options)
    if lark is not None:
        return penstock.Grammar.from_lark(_read_text(lark, "grammar"))
    return None if options.grammar is None else penstock.Grammar.from_ebnf(_read_text(options.grammar, "grammar"))


def _located(options: argparse.Namespace, message: str) -> str:
    path = options.schema or options.grammar or options.lark or getattr(options, "structural_tag", None)
    return message if path is None else f"{path}: {message}"


def _compile_for_bytes(options: argparse.Namespace, *, strict: bool = True, max_whitespace: int | None = None) -> Any:
    """Compile the language for a vocabulary of 256 single bytes and a stop token, so that token ids are bytes."""
    vocabulary = [bytes([value]) for value in range(256)] + [b""]
    info = penstock.TokenizerInfo(vocabulary, stop_token_ids=[_STOP], special_token_ids=[_STOP])
    compiler: Any = penstock.GrammarCompiler(info)
    if options.schema is not None:
        return compiler.compile_json_schema(_read_schema(options.schema), strict=strict, max_whitespace=max_whitespace)
    if options.regex is not None:
        return compiler.compile_regex(options.regex)
    grammar = _written_grammar(options)
    if grammar is not None:
        return compiler.compile(grammar)
    return compiler.compile_structural_tag(_read_text(options.structural_tag, "structural tag"))


def _trimmed(data: bytes) -> tuple[bytes, bytes]:
    """Return the text without the white space around it, which no grammar of a value holds, and what came before it."""
    inner = data.strip(b" \t\r\n")
    return inner, data[: data.index(inner)]


def _mistake(compiled: Any, data: bytes, before: bytes = b"") -> _Mistake | None:
    """Return the first mistake of a text, None if it is in the language. before: what stands before it in its file."""
    matcher = penstock.Matcher(compiled)
    num_taken = 0
    while num_taken < len(data):
        chunk = data[num_taken : num_taken + _CHUNK_BYTES]
        num_good = matcher.accept_tokens(list(chunk))
        num_taken += num_good
        if num_good < len(chunk):
            break
    if num_taken == len(data) and (matcher.is_accepting() or matcher.is_terminated()):
        return None
    line, column = _place(before + data[:num_taken])
    byte = data[num_taken] if num_taken < len(data) else None
    return _Mistake(line, column, byte, _allowed_next(matcher), len(before) + num_taken)


def _place(before: bytes) -> tuple[int, int]:
    """Line and column, in characters, of what follows these bytes; both from 1."""
    last_line = before[before.rfind(b"\n") + 1 :].decode("utf-8", errors="replace")
    return before.count(b"\n") + 1, len(last_line) + 1


def _allowed_next(matcher: Any) -> str:
    """Say which characters may come next, as ranges, and whether the text may end."""
    allowed = _allowed_bytes(matcher)
    if ord("\t") in allowed and len(allowed) > len(_WHITESPACE):  # between two symbols of JSON
        allowed = [byte for byte in allowed if byte not in _WHITESPACE]
    ranges = _ranges([byte for byte in allowed if byte < 0x80])
    parts = [part for first, last in ranges for part in _quoted_range(first, last)]
    parts += _other_characters(matcher, [byte for byte in allowed if 0x80 <= byte < _STOP])
    if _STOP in allowed:
        parts.append("the end of the text")
    return " or ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else (parts or ["nothing"])[0]


def _allowed_bytes(matcher: Any) -> list[int]:
    """Return the bytes that may come next, ascending, and `_STOP` where the text may end."""
    bitmask = penstock.allocate_token_bitmask(1, _STOP + 1)
    matcher.fill_next_token_bitmask(bitmask)
    return [token for token in range(_STOP + 1) if int(bitmask[0][token // 32]) >> (token % 32) & 1]


def _ranges(values: Iterable[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for value in values:
        if ranges and ranges[-1][1] == value - 1:
            ranges[-1] = (ranges[-1][0], value)
        else:
            ranges.append((value, value))
    return ranges


def _quoted_range(first: int, last: int) -> list[str]:
    if last - first < 2:
        return [_quoted_byte(byte) for byte in range(first, last + 1)]
    return [f"{_quoted_byte(first)} to {_quoted_byte(last)}"]


def _other_characters(matcher: Any, allowed: Sequence[int]) -> list[str]:
    """Spell the characters that start with these bytes beyond ASCII, or name them all at once where they are many."""
    if not allowed:
        return []
    found: list[bytes] = []
    heads = [bytes([byte]) for byte in allowed]
    while heads and len(heads) + len(found) <= _MAX_CHARACTERS:
        head = heads.pop()
        after = matcher.fork()
        after.accept_bytes(head)
        spelt = [head + bytes([byte]) for byte in _allowed_bytes(after) if 0x80 <= byte < 0xC0]
        found += [text for text in spelt if _is_character(text)]
        heads += [text for text in spelt if not _is_character(text)]
    if heads or not 0 < len(found) <= _MAX_CHARACTERS:
        return ["a character outside ASCII"]
    return [f"`{text.decode()}`" for text in sorted(found)]


def _is_character(text: bytes) -> bool:
    try:
        return len(text.decode()) == 1
    except UnicodeDecodeError:
        return False


def _quoted_byte(byte: int) -> str:
    names = {0x0A: "a line feed", 0x0D: "a carriage return", 0x09: "a tab", 0x20: "a space"}
    if byte in names:
        return names[byte]
    return f"`{chr(byte)}`" if 0x20 < byte < 0x7F else f"the byte {byte:#04x}"


def _print_report(compiled: Any, *, everything: bool) -> int:
    """Print what is enforced, what only annotates and what is refused; return how much is refused."""
    report = compiled.report
    print(f"enforced: {_counted(report['enforced'])}")
    if everything:
        _print_rows(report["enforced"])
    for title in ("annotations", "refused"):
        if report[title]:
            print(f"{title}: {_counted(report[title])}")
            _print_rows(report[title])
    return len(report["refused"])


def _counted(rows: Sequence[Any]) -> str:
    return f"{len(rows)} keyword" if len(rows) == 1 else f"{len(rows)} keywords"


def _print_rows(rows: Iterable[tuple[str, str, str]]) -> None:
    for pointer, keyword, reason in sorted(rows):
        print(f"  {pointer or '(root)'}  {keyword}" + (f": {reason}" if reason not in ("", "enforced") else ""))


# show.


def _show(options: argparse.Namespace) -> int:
    from penstock import show

    if options.file is not None:
        kind = {".json": "schema", ".lark": "lark"}.get(Path(options.file).suffix, "grammar")
        setattr(options, kind, options.file)
    width = options.width or shutil.get_terminal_size().columns
    try:
        picture = _picture(show, options, width)
    except (GrammarError, LimitError) as error:
        return _complain(_located(options, str(error)), UNUSABLE)
    if options.ascii or not _can_print(picture):
        picture = show.to_ascii(picture)
    print(picture, end="")
    return OK


def _picture(show: Any, options: argparse.Namespace, width: int) -> str:
    """Draw what was asked for; what does not compile is a GrammarError."""
    if options.schema is not None:
        _compile_for_bytes(options, strict=False)
        return str(show.show_schema(_read_schema(options.schema), width=width))
    if options.regex is not None:
        penstock.Grammar.from_regex(options.regex)
        return str(show.show_regex(options.regex, width=width))
    if options.lark is not None:
        return str(show.show_grammar(penstock.Grammar.from_lark(_read_text(options.lark, "grammar")), width=width))
    return str(show.show_grammar(penstock.Grammar.from_ebnf(_read_text(options.grammar, "grammar")), width=width))


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


# bench.


def _bench(options: argparse.Namespace) -> int:
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    script = folder / f"{options.benchmark}.py"
    if not folder.is_dir():
        raise _UnusableError(
            "benchmarks are part of the source tree, not of an installed package; clone it and run `make bench`"
        )
    if not script.is_file():
        raise _UnusableError(f"this source tree has no benchmark `{options.benchmark}`; it has: {_scripts_in(folder)}")
    if options.full and options.benchmark != "lookaheads":
        raise _UnusableError(f"`--full` is an option of `lookaheads`, not of `{options.benchmark}`; leave it out")
    flags = [f"--{name}" for name in ("json", "full") if getattr(options, name)]
    command = [sys.executable, str(script), *flags]
    return subprocess.run(command, check=False).returncode


def _scripts_in(folder: Path) -> str:
    names = [name for name in _BENCHMARKS if (folder / f"{name}.py").is_file()]
    return ", ".join(names) or "none"


if __name__ == "__main__":
    sys.exit(main())
