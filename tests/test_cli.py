"""The command line: what it prints where, what it says about mistakes, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from penstock import cli
from penstock.instances import excerpt, pointer_at

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = str(ROOT / "examples" / "order.schema.json")
PROMPT = (ROOT / "examples" / "order.txt").read_text()


class Told(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def penstock(capfd: pytest.CaptureFixture[str]):
    """Run the command line in this process."""

    def run(*arguments: str) -> Told:
        try:
            code = cli.main(arguments)
        except SystemExit as end:  # argparse leaves this way
            code = int(end.code or 0)
        return Told(code, *capfd.readouterr())

    return run


@pytest.fixture
def write(tmp_path: Path):
    def to(name: str, text: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return to


# generate


def test_generate_writes_the_document_alone_to_stdout(penstock) -> None:
    told = penstock("generate", "--schema", SCHEMA, PROMPT)
    assert told.code == 0, told.err
    order = json.loads(told.out)
    assert set(order) == {"order_id", "customer", "price", "city"}
    assert isinstance(order["order_id"], int)
    valid, costs = told.err.splitlines()
    assert valid.startswith("valid: ")
    assert "jsonschema" in valid
    assert "s in the model (tiny" in costs
    assert "in masks" in costs


def test_a_second_opinion_that_differs_is_told(penstock, monkeypatch) -> None:
    import jsonschema

    def refuse(*_: object) -> None:
        raise jsonschema.ValidationError("I don't like it")

    monkeypatch.setattr(jsonschema.Draft202012Validator, "validate", refuse)
    told = penstock("generate", "--schema", SCHEMA, PROMPT)
    assert told.code == 1
    assert "disputed: " in told.err
    assert "I don't like it" in told.err


def test_drafts_change_the_price_and_not_the_text(penstock) -> None:
    plain = penstock("generate", "--schema", SCHEMA, PROMPT)
    drafted = penstock("generate", "--schema", SCHEMA, "--draft", PROMPT)
    assert drafted.out == plain.out
    assert "a drafted forward" in drafted.err


def test_a_seed_repeats_a_sampled_text(penstock) -> None:
    runs = [penstock("generate", "--schema", SCHEMA, "--temperature", "1", "--seed", "5", PROMPT) for _ in range(2)]
    assert [run.code for run in runs] == [0, 0]
    assert runs[0].out == runs[1].out


def test_other_languages(penstock, write) -> None:
    assert penstock("generate", "--regex", "[0-9]{3}-x", "Code:").out.rstrip("\n")[3:] == "-x"
    grammar = write("answer.ebnf", 'root ::= "yes" | "no"')
    assert penstock("generate", "--grammar", grammar, "Is it?").out in ("yes\n", "no\n")
    lark = write("answer.lark", 'start: "yes" | "no"')
    for option in ("--grammar", "--lark"):
        assert penstock("generate", option, lark, "Is it?").out in ("yes\n", "no\n")
    tag = write(
        "tag.json",
        json.dumps(
            {"format": {"type": "tag", "begin": "<a>", "content": {"type": "regex", "pattern": "[0-9]"}, "end": "</a>"}}
        ),
    )
    written = penstock("generate", "--structural-tag", tag, "Is it?").out
    assert penstock("check", "--structural-tag", tag, write("text.txt", written)).code == 0
    told = penstock("check", "--structural-tag", tag, write("text.txt", "<a>x</a>"))
    assert told.code == 1
    assert ":1:4: `x` is not allowed here" in told.out


def test_the_prompt_may_come_from_stdin() -> None:
    command = [sys.executable, "-m", "penstock", "generate", "--schema", SCHEMA, "-"]
    done = subprocess.run(command, input=PROMPT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_an_output_that_does_not_fit_is_an_answer_of_no(penstock) -> None:
    told = penstock("generate", "--schema", SCHEMA, "--max-tokens", "3", PROMPT)
    assert told.code == 1
    assert "`max_tokens`" in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--schema", "nowhere.json"], "`nowhere.json` cannot be read"),
        (["--regex", "(a"], "penstock: "),
        (["--schema", SCHEMA, "--max-tokens", "0"], "not at least 1"),
        (["--schema", SCHEMA, "--regex", "a"], "not allowed with"),
    ],
    ids=["file", "pattern", "tokens", "two languages"],
)
def test_what_cannot_be_carried_out_is_said_in_a_line(penstock, arguments, message) -> None:
    told = penstock("generate", *arguments, "prompt")
    assert told.code == 2
    assert message in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


def test_a_folder_without_a_model_is_said_in_a_line(penstock, tmp_path: Path) -> None:
    told = penstock("generate", "--model", str(tmp_path), "prompt")
    assert told.code == 2
    assert f"the model `{tmp_path}` cannot be loaded" in told.err
    assert "Traceback" not in told.err


# check


def mistake_of(told: Told) -> str:
    """The line that says what is wrong with an instance; the text and a caret stand below it."""
    (line,) = [line for line in told.out.splitlines() if "; expected " in line]
    return line


def test_check_passes_the_example(penstock) -> None:
    told = penstock("check", "--schema", SCHEMA, str(ROOT / "examples" / "order.json"))
    assert told.code == 0, told.out + told.err
    first, *_, last = told.out.splitlines()
    assert first.startswith("enforced: ")
    assert last.endswith("order.json: passes")


@pytest.mark.parametrize(
    ("text", "place", "found", "expected"),
    [
        ('{"order_id": 1,\n "price": -2}', "2:11", "`-` is not allowed", "`0` to `9`"),
        ('{"order_id": "1"}', "1:14", '`"` is not allowed', "`0` to `9`"),
        ('\n\n {"größe": 1}', "3:4", "`g` is not allowed", "`c`"),
        ('{"order_id": 1', "1:15", "the text ends here", "`,`"),
        ("{} x", "1:2", "`}` is not allowed", '`"`'),
        ("", "1:1", "the text ends here", "`{`"),
    ],
    ids=["bound", "type", "name", "end", "required", "empty"],
)
def test_check_points_at_the_first_byte(penstock, write, text, place, found, expected) -> None:
    path = write("instance.json", text)
    told = penstock("check", "--schema", SCHEMA, path)
    assert told.code == 1
    line = mistake_of(told)
    assert line.startswith(f"{path}:{place}: {found}"), line
    assert expected in line.split("expected ")[1]


def test_check_counts_columns_in_characters(penstock, write) -> None:
    schema = write("schema.json", '{"type": "array", "items": {"enum": ["größe", "maß"]}}')
    told = penstock("check", "--schema", schema, write("instance.json", '["größe", "maß", "gr\\u00f6\\u00DFe", "ma"]'))
    assert mistake_of(told).endswith(':1:40: `"` is not allowed here; expected `\\` or `ß`')


def test_check_reads_every_instance_and_stdin() -> None:
    command = [sys.executable, "-m", "penstock", "check", "--regex", "a+b", "-"]
    done = subprocess.run(command, input="aac\n", capture_output=True, text=True, check=False)
    expected = "-:1:3: `c` is not allowed here; expected `a` or `b`\n    aac\n      ^\n"
    assert (done.returncode, done.stdout) == (1, expected)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"order_id": "1"}', "/order_id"),
        ('{"größe": 1}', "the whole value"),
        ('{"order_id": 1, "price": [', "/price"),
    ],
)
def test_check_names_the_value_and_shows_the_line(penstock, write, text, place) -> None:
    told = penstock("check", "--schema", SCHEMA, write("instance.json", "\n" + text))
    line, caret = told.out.splitlines()[-2:]
    assert line == f"    {text}"
    column = int(mistake_of(told).split(":")[2])
    assert caret == " " * (3 + column) + f"^  in {place}"


def test_check_judges_the_value_and_not_its_whitespace(penstock, write) -> None:
    schema = write("schema.json", '{"type": "array", "items": {"type": "integer"}}')
    assert penstock("check", "--schema", schema, write("wide.json", "[ \n\n\t 1  ,   2 \r\n\r\n ]\n\n")).code == 0
    told = penstock("check", "--schema", schema, write("wrong.json", "[1  ;"))
    assert mistake_of(told).endswith("`;` is not allowed here; expected `,` or `]`")


@pytest.mark.parametrize(
    ("before", "pointer"),
    [
        (b"", ""),
        (b"{", ""),
        (b'{"a', ""),
        (b'{"a"', ""),
        (b'{"a":', "/a"),
        (b'{"a": [1, {"b/c": "x,{', "/a/1/b~1c"),
        (b'{"a": [1, {"b": "x"}', "/a/1"),
        (b'{"a": [1, {"b": "x"}], ', ""),
        (b'{"a": 1, "\\u0062": 2', "/b"),
        (b"[[], [1], [", "/2/0"),
        (b'["a:b", ', "/1"),
        (b'{"": {"x": ', "//x"),
    ],
)
def test_pointers_lead_to_the_open_value(before, pointer) -> None:
    assert pointer_at(before) == pointer


def test_long_lines_are_cut_around_the_place() -> None:
    line, caret = excerpt(b"x\n" + b"a" * 500 + b"!" + b"b" * 500 + b"\ny", 502)
    assert line == "…" + "a" * 60 + "!" + "b" * 59 + "…"
    assert line[caret.index("^")] == "!"


# show


def test_show_draws_a_grammar(penstock, write) -> None:
    told = penstock("show", write("g.ebnf", 'root ::= "a" x? | x+\nx ::= [0-9]{2,3} ","'), "--width", "80")
    assert told.code == 0, told.err
    assert told.out == (
        "root:\n"
        '  ╟─┬─ "a" ─┬─────┬─┬─▸\n'
        "    │       ╰─ x ─╯ │\n"
        "    ╰─┬─ x ─┬───────╯\n"
        "      ╰──◂──╯\n"
        "\n"
        "x:\n"
        '  ╟─┬─ [0-9] ─────────┬─ "," ─▸\n'
        "    ╰─◂ 2 to 3 times ─╯\n"
    )


def test_show_draws_a_pattern_in_ascii(penstock) -> None:
    told = penstock("show", "--regex", "(é|b)*c", "--ascii")
    assert told.code == 0, told.err
    assert told.out.isascii()
    assert '"\\xe9"' in told.out
    assert '"b"' in told.out


def test_show_outlines_a_schema(penstock) -> None:
    told = penstock("show", SCHEMA)
    assert told.code == 0, told.err
    first, *members = told.out.splitlines()
    assert first == "object, no other members"
    assert [member[3:].split(":")[0] for member in members] == ["order_id", "customer", "price", "city"]


def test_show_falls_back_where_stdout_cannot_draw() -> None:
    command = [sys.executable, "-m", "penstock", "show", "--regex", "a|b"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == b'|-+- "a" -+->'


def test_show_says_what_is_wrong(penstock, write) -> None:
    told = penstock("show", write("g.ebnf", "root ::= nowhere"))
    assert told.code == 2
    assert "nowhere" in told.err
    assert penstock("show").code == 2
    assert penstock("show", "--regex", "(a").code == 2


def test_check_names_rules_that_nothing_uses(penstock, write) -> None:
    grammar = write("g.ebnf", 'root ::= "a"\nspare ::= "b"\n')
    told = penstock("check", "--grammar", grammar, write("a", "a"))
    assert told.code == 0
    remark, line, caret, verdict = told.out.splitlines()
    assert remark == f"{grammar}: remark: 2:1: nothing uses the rule `spare`; call it, or delete it"
    assert (line.strip(), caret.strip(), verdict.split(": ")[1]) == ('spare ::= "b"', "^", "passes")


def test_check_names_what_is_refused_and_what_only_annotates(penstock, write) -> None:
    schema = write("schema.json", r'{"type": "string", "pattern": "(a)\\1", "title": "T", "format": "made-up"}')
    told = penstock("check", "--schema", schema)
    assert told.code == 1
    assert "refused: 1 keyword" in told.out
    assert "pattern: " in told.out
    assert "format" in told.out.split("annotations")[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "schema.json:1:2: the schema is no JSON"),
        ('{"type": "strin"}', "schema.json: "),
        (b"\xff\xfe", "no UTF-8"),
        ('{"type": "string", "enum": [1]}', "no value satisfies the schema: `enum`, `type` at `#` contradict each other"),
        ("[" * 100_000, "schema"),
    ],
    ids=["json", "keyword", "encoding", "empty", "nesting"],
)
def test_a_broken_schema_is_said_in_a_line(penstock, write, text, message) -> None:
    told = penstock("check", "--schema", write("schema.json", text))
    assert told.code == 2
    assert message in told.err
    assert "Traceback" not in told.err


def test_a_broken_grammar_shows_its_place(penstock, write) -> None:
    told = penstock("check", "--grammar", write("g.ebnf", 'root ::= "a" )\n'))
    assert told.code == 2
    assert "1:14" in told.err
    assert "^" in told.err


def test_deep_instances_end_at_a_named_limit(penstock, write) -> None:
    schema = write("schema.json", '{"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}')
    assert penstock("check", "--schema", schema, write("good.json", "[" * 1_000 + "]" * 1_000)).code == 0
    told = penstock("check", "--schema", schema, write("deep.json", "[" * 100_000))
    assert told.code == 2
    assert "max_nesting" in told.err


# the rest


def test_bench_names_what_is_missing(penstock, monkeypatch, tmp_path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "drafts.py").write_text("import sys; print(sys.argv[1:]); sys.exit(3)")
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "python" / "penstock" / "cli.py"))
    told = penstock("bench", "lookaheads")
    assert told.code == 2
    assert "it has: drafts" in told.err
    assert penstock("bench", "drafts", "--json") == (3, "['--json']\n", "")
    told = penstock("bench", "drafts", "--full")
    assert told.code == 2
    assert "`--full` is an option of `lookaheads`" in told.err
    (tmp_path / "benchmarks" / "lookaheads.py").write_text("import sys; print(sys.argv[1:])")
    assert penstock("bench", "lookaheads", "--json", "--full") == (0, "['--json', '--full']\n", "")
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "a" / "b" / "c" / "cli.py"))
    assert "source tree" in penstock("bench", "masks").err


def test_help_and_version(penstock) -> None:
    assert penstock("--version").out.startswith("penstock 0.")
    told = penstock("--help")
    assert told.code == 0
    assert "exit codes" in told.out
    assert penstock().code == 2


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = f'"{sys.executable}" -m penstock check --all --schema "{SCHEMA}" | head -c 1; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env={**os.environ})
    assert "Traceback" not in done.stderr
