# ruff: noqa: E501, SIM905 (templates and word lists are easier to read on their lines)
"""Draws extraction tasks: a prompt with a text and an instruction, and the answer that a good model would write.

`Split` says which of names, phrasings and schemas come from the held-out side; training uses none of them.
Run `python training/tasks.py` to read some examples.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from phrases import CHATTER_PHRASES, DOMAINS, GENERIC_BOOL_PHRASES, GENERIC_PHRASES, OPENER_PHRASES, SUBJECTS, TOOLS, Field
from words import JSON_TYPES, MAKERS, NOUNS, Value, invented_word, pick


@dataclass(frozen=True)
class Split:
    """Which parts of a task are drawn from the held-out side."""

    new_names: bool = False
    new_phrases: bool = False
    new_schemas: bool = False


@dataclass(frozen=True)
class Task:
    prompt: str
    answer: str
    data: Any  # the answer as JSON data
    schema: dict[str, Any]  # a JSON Schema of the data
    format: str  # "json", "xml" or "call"
    chat: bool  # the prompt is one user message


@dataclass
class Slot:
    """A field of one record, with the key that the schema uses and the value."""

    key: str
    kind: str
    source: Field
    value: Value


@dataclass
class Record:
    domain: str
    slots: list[Slot]
    extra: list[Slot] = field(default_factory=list)  # said in the text, not asked for


# --- Drawing records -------------------------------------------------------------------------------------------------


def draw_value(rng: random.Random, kind: str, split: Split) -> Value:
    if kind == "bool":
        truth = rng.random() < 0.5
        return Value(truth, "")
    if kind.startswith("enum:"):
        word = rng.choice(kind[5:].split(","))
        return Value(word, word)
    return MAKERS[kind](rng, split.new_names)


def draw_field(rng: random.Random, domain: str, split: Split, taken: set[str]) -> tuple[str, Field] | None:
    """A key and its field: one of the domain, or (one in five) a free noun that only generic phrasings can say."""
    if rng.random() < (0.35 if split.new_schemas else 0.22):
        words = [invented_word(rng, split.new_schemas)] if rng.random() < 0.25 else [pick(rng, NOUNS, split.new_schemas)]
        if rng.random() < 0.2:
            words.append(pick(rng, NOUNS, split.new_schemas))
        kinds = [kind for kind in MAKERS if kind != "people"] + ["bool"]
        key, source = "_".join(words), Field((), rng.choice(kinds), ())
    else:
        source = rng.choice(DOMAINS[domain])
        key = pick(rng, source.keys, split.new_schemas)
    return None if key in taken else (key, source)


def draw_fields(rng: random.Random, domain: str, count: int, split: Split) -> list[tuple[str, Field]]:
    chosen: list[tuple[str, Field]] = []
    for _ in range(count * 4):
        drawn = draw_field(rng, domain, split, {key for key, _ in chosen})
        if drawn and (not drawn[1].phrases or all(drawn[1] is not other for _, other in chosen)):
            chosen.append(drawn)
        if len(chosen) == count:
            break
    return chosen


def draw_record(rng: random.Random, domain: str, fields: list[tuple[str, Field]], split: Split) -> Record:
    return Record(domain, [Slot(key, source.kind, source, draw_value(rng, source.kind, split)) for key, source in fields])


# --- Saying them in words --------------------------------------------------------------------------------------------


def generic_clause(rng: random.Random, slot: Slot, split: Split) -> str:
    noun = slot.key.replace("_", " ")
    if slot.kind == "bool":
        yes, no = pick(rng, GENERIC_BOOL_PHRASES, split.new_phrases).split(" / ")
        return (yes if slot.value.data else no).format(n=noun)
    return pick(rng, GENERIC_PHRASES, split.new_phrases).format(n=noun, v=slot.value.spoken)


def predicate(rng: random.Random, slot: Slot, split: Split) -> str | None:
    """What follows the subject ("lives in Oslo"), or None for a field that has only generic phrasings."""
    if not slot.source.phrases or rng.random() < 0.2:
        return None
    phrase = pick(rng, slot.source.phrases, split.new_phrases)
    if slot.kind == "bool":
        yes, no = phrase.split(" / ")
        return yes if slot.value.data else no
    return phrase.format(slot.value.spoken)


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("." if text[-1] not in ".!?" else "")


def opened(rng: random.Random, text: str, split: Split) -> str:
    if rng.random() < 0.25:
        text = (
            pick(rng, OPENER_PHRASES, split.new_phrases)
            + " "
            + (text[0].lower() + text[1:] if text.split()[0] in PRONOUNS else text)
        )
    return sentence(text)


PRONOUNS = {subject.split()[0] for text, _ in SUBJECTS.values() for subject in text.split("; ")} | {"Under", "For", "With"}


def say_prose(rng: random.Random, record: Record, split: Split) -> str:
    """Sentences in random order; neighbouring predicates are sometimes joined under one subject."""
    slots = record.slots + record.extra
    name = next((slot for slot in slots if slot.source is DOMAINS["person"][0]), None)
    slots = [slot for slot in slots if slot is not name]
    rng.shuffle(slots)
    subjects = SUBJECTS[record.domain][0].split("; ")
    clauses: list[tuple[str | None, str]] = []
    for slot in slots:
        verb = predicate(rng, slot, split)
        clauses.append((rng.choice(subjects), verb) if verb else (None, generic_clause(rng, slot, split)))
    sentences: list[str] = []
    while clauses:
        subject, verb = clauses.pop(0)
        if subject and clauses and clauses[0][0] and rng.random() < 0.5:
            verb += rng.choice((" and ", " and ", ", and ")) + clauses.pop(0)[1]
        sentences.append(f"{subject} {verb}" if subject else verb)
    if name is not None:
        sentences = introduce(rng, name, sentences, subjects, split)
    sentences = [opened(rng, text, split) for text in sentences]
    while rng.random() < 0.15:
        sentences.insert(rng.randrange(len(sentences) + 1), pick(rng, CHATTER_PHRASES, split.new_phrases))
    return " ".join(sentences)


def introduce(rng: random.Random, name: Slot, sentences: list[str], subjects: list[str], split: Split) -> list[str]:
    """Puts the person's name in: as the subject of the first sentence that has one, or in a sentence of its own."""
    spoken = name.value.spoken
    for index, text in enumerate(sentences):
        subject = next((s for s in subjects if text.startswith(s + " ")), None)
        if subject and rng.random() < 0.8:
            return [*sentences[:index], spoken + text[len(subject) :], *sentences[index + 1 :]]
    own = pick(rng, INTRODUCTIONS, split.new_phrases).format(spoken)
    return [own if rng.random() < 0.6 else generic_clause(rng, name, split), *sentences]


INTRODUCTIONS = ("this is {}", "meet {}", "we spoke with {}", "my name is {}", "the call came from {}", "{} wrote to us", "{} signed up",
                 "this note is about {}", "it was {} who called", "{} came by", "please add {}", "here is {}", "I met {} today")  # fmt: skip


def say_notes(rng: random.Random, record: Record, split: Split) -> str:
    """Key and value pairs, as in a form."""
    slots = record.slots + record.extra
    rng.shuffle(slots)
    joint, colon = rng.choice(
        ((", ", ": "), ("; ", ": "), ("\n", ": "), (". ", ": "), ("\n- ", ": "), (", ", " "), (" | ", ": "), ("; ", " = "))
    )
    if any(isinstance(slot.value.data, list) for slot in slots):
        joint, colon = "\n", ": "  # commas would be ambiguous beside lists
    big = rng.random() < 0.5
    parts = []
    for slot in slots:
        noun = slot.key.replace("_", " ")
        word = rng.choice(("yes", "true") if slot.value.data else ("no", "false")) if slot.kind == "bool" else slot.value.spoken
        parts.append((noun.capitalize() if big else noun) + colon + word)
    return joint.join(parts)


def say(rng: random.Random, record: Record, split: Split) -> str:
    return say_notes(rng, record, split) if rng.random() < 0.12 else say_prose(rng, record, split)


# --- Shapes: which JSON is asked for ---------------------------------------------------------------------------------


@dataclass
class Shape:
    data: Any
    types: Any  # the same structure, with type words as leaves
    text: str


def type_word(slot: Slot) -> str:
    if slot.kind.startswith("enum:"):
        return slot.kind[5:].replace(",", "|")
    return JSON_TYPES[slot.kind]


def flat_shape(rng: random.Random, split: Split, difficulty: float, domain: str | None = None) -> Shape:
    domain = domain or rng.choice(list(DOMAINS))
    count = rng.randint(1, 2 + round(4 * difficulty))
    fields = draw_fields(rng, domain, count, split)
    record = draw_record(rng, domain, fields, split)
    keys = {slot.key for slot in record.slots}
    for _ in range(rng.choice((0, 0, 1, 1, 2)) if rng.random() < difficulty else 0):
        for key, source in draw_fields(rng, domain, 1, split):
            if key not in keys and all(source is not slot.source for slot in record.slots):
                record.extra.append(Slot(key, source.kind, source, draw_value(rng, source.kind, split)))
    text = say(rng, record, split)
    data: dict[str, Any] = {slot.key: slot.value.data for slot in record.slots}
    types: dict[str, Any] = {slot.key: type_word(slot) for slot in record.slots}
    if rng.random() < 0.12:  # a field that the text leaves out
        for key, source in draw_fields(rng, domain, 1, split):
            if (
                all(key != slot.key and source is not slot.source for slot in record.slots + record.extra)
                and source.kind != "bool"
            ):
                data[key], types[key] = None, type_word(Slot(key, source.kind, source, Value(None, ""))) + " or null"
    return Shape(*reorder(rng, data, types), text)


def reorder(rng: random.Random, data: dict[str, Any], types: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    keys = rng.sample(list(data), len(data))
    return {key: data[key] for key in keys}, {key: types[key] for key in keys}


def nested_shape(rng: random.Random, split: Split, difficulty: float) -> Shape:
    """Two records, each an object of its own, or the second one inside the first."""
    first, second = (flat_shape(rng, split, 0.25 * difficulty, domain) for domain in rng.sample(list(DOMAINS), 2))
    names = rng.sample([pick(rng, GROUP_KEYS, split.new_schemas) for _ in range(8)], 2)
    if names[0] == names[1] or names[1] in first.data:
        return first
    text = " ".join(rng.sample((sentence(first.text), sentence(second.text)), 2))
    if set(first.data) & set(second.data):
        return first
    if rng.random() < 0.5:
        return Shape({**first.data, names[1]: second.data}, {**first.types, names[1]: second.types}, text)
    return Shape({names[0]: first.data, names[1]: second.data}, {names[0]: first.types, names[1]: second.types}, text)


GROUP_KEYS = "details info data record customer order contact address meta summary item main profile entry facts header body result".split()


def array_shape(rng: random.Random, split: Split, difficulty: float) -> Shape:
    """Two to four records of one kind, as a list or a list under a key."""
    domain = rng.choice(("person", "person", *DOMAINS))
    fields = [
        f for f in draw_fields(rng, domain, rng.choice((1, 2, 2, 3)), split) if f[1].kind not in ("people", "words", "bool")
    ]
    if domain == "person" and all(f[1] is not DOMAINS["person"][0] for f in fields):
        fields.insert(0, (pick(rng, DOMAINS["person"][0].keys, split.new_schemas), DOMAINS["person"][0]))
    if not fields:
        return flat_shape(rng, split, difficulty)
    records = [draw_record(rng, domain, fields, split) for _ in range(rng.choice((2, 2, 3, 3, 4)))]
    if rng.random() < 0.5:
        text = rng.choice(("\n", " ", "\n- ")).join(sentence(say_compact(rng, record, split)) for record in records)
    else:
        text = rng.choice(("\n", " ")).join(say_prose(rng, record, split) for record in records)
    rows = [{slot.key: slot.value.data for slot in record.slots} for record in records]
    types: Any = [{slot.key: type_word(slot) for slot in records[0].slots}]
    if rng.random() < 0.3:
        return Shape(rows, types, text)
    key = pick(rng, SUBJECTS[domain][1].split(), split.new_schemas)
    return Shape({key: rows}, {key: types}, text)


def say_compact(rng: random.Random, record: Record, split: Split) -> str:
    """All of a record in one clause: "Ada, age 31, Oslo" or "Ada is 31 years old and lives in Oslo"."""
    parts = []
    for slot in record.slots:
        verb = predicate(rng, slot, split)
        noun = slot.key.replace("_", " ")
        if slot.source is DOMAINS["person"][0]:
            parts.insert(0, slot.value.spoken)
        elif verb and not slot.kind.startswith("enum"):
            parts.append(verb)
        else:
            parts.append(f"{noun} {slot.value.spoken}")
    if len(parts) > 1 and record.slots[0].source is DOMAINS["person"][0]:
        parts[:2] = [" ".join(parts[:2])]
    return (", ".join(parts[:-1]) + rng.choice((" and ", ", ")) + parts[-1]) if len(parts) > 1 else parts[0]


# --- Spelling types, schemas, answers --------------------------------------------------------------------------------


def spell_types(rng: random.Random, types: Any, style: int) -> str:
    """The field list of a prompt: bare names, names with types in one of three styles, or a JSON skeleton."""
    if style == 3:
        return json.dumps(types, ensure_ascii=False)
    if isinstance(types, list):
        return "[" + spell_types(rng, types[0], style) + "]"
    parts = []
    for key, kind in types.items():
        if isinstance(kind, dict):
            parts.append(key + " {" + spell_types(rng, kind, style) + "}")
        elif isinstance(kind, list):
            parts.append(key + " [{" + spell_types(rng, kind[0], style) + "}]")
        else:
            optional = " or null" if kind.endswith(" or null") else ""
            parts.append(key + optional if style == 0 else f"{key}: {kind}" if style == 1 else f"{key} ({kind})")
    body = ", ".join(parts)
    return body


def schema_of(types: Any) -> dict[str, Any]:
    """The JSON Schema of a structure of type words; every member is required and nothing else is allowed."""
    if isinstance(types, dict):
        properties = {key: schema_of(kind) for key, kind in types.items()}
        return {"type": "object", "properties": properties, "required": list(types), "additionalProperties": False}
    if isinstance(types, list):
        return {"type": "array", "items": schema_of(types[0])}
    if types.endswith(" or null"):
        return {"anyOf": [schema_of(types.removesuffix(" or null")), {"type": "null"}]}
    if types.startswith("["):
        return {"type": "array", "items": schema_of(types[1:-1])}
    return {"enum": types.split("|")} if "|" in types else {"type": types}


def spell_xml(data: Any, tag: str) -> str:
    if isinstance(data, dict):
        return f"<{tag}>" + "".join(spell_xml(value, key) for key, value in data.items()) + f"</{tag}>"
    if isinstance(data, list):
        return f"<{tag}>" + "".join(spell_xml(value, "item") for value in data) + f"</{tag}>"
    return f"<{tag}>{data if isinstance(data, str) else json.dumps(data)}</{tag}>"


def spell_call(name: str, arguments: dict[str, Any]) -> str:
    words = {True: "True", False: "False", None: "None"}
    spelled = [
        f"{k}={words[v] if v is None or isinstance(v, bool) else json.dumps(v, ensure_ascii=False)}"
        for k, v in arguments.items()
    ]
    return f"{name}({', '.join(spelled)})"


# --- Prompts ---------------------------------------------------------------------------------------------------------

PROMPTS = (
    "Text: {t}\nFields: {f}\n{F}:", "Text: {t}\nFields: {f}\n{F}:", "Text: {t}\nSchema fields: {f}\n{F}:", "Text: {t}\nFields: {f}\n{F}:",
    "Extract {f} as {F}.\nText: {t}\n{F}:", "Input: {t}\nKeys: {f}\nOutput {F}:", "{t}\n\nFields: {f}\n{F}:", "Text: {t}\nExtract: {f}\n{F}:",
    "Fields: {f}\nText: {t}\n{F}:", "{t}\nGive me {F} with {f}.\n{F}:", "Read the text and fill in the fields.\nText: {t}\nFields: {f}\n{F}:",
)  # fmt: skip
CHAT_PROMPTS = (
    "Extract {f} as {F} from this text: {t}", "{t}\n\nReturn {F} with the fields {f}.", "Text: {t}\nFields: {f}\n{F}:", "Text: {t}\nFields: {f}",
    "Return {F} with {f}.\n\n{t}", "Please read: {t}\nWhat are {f}? Answer in {F}.",
)  # fmt: skip


def json_task(rng: random.Random, shape: Shape) -> tuple[str, str]:
    """The name of the wanted format, and the answer in it."""
    style = rng.random()
    if style < 0.86:
        return "JSON", json.dumps(shape.data, ensure_ascii=False)
    if style < 0.93:
        return "compact JSON", json.dumps(shape.data, ensure_ascii=False, separators=(",", ":"))
    return "indented JSON", json.dumps(shape.data, ensure_ascii=False, indent=2)


def tool_task(rng: random.Random, split: Split) -> Task:
    """A request in words; the answer calls one of the two or three listed tools."""
    tool, *others = rng.sample(TOOLS, rng.choice((1, 2, 2, 3)))
    values = {name: draw_value(rng, kind, split) for name, kind in tool.parameters}
    request = opened(rng, pick(rng, tool.phrases, split.new_phrases).format(**{k: v.spoken for k, v in values.items()}), split)
    listed = rng.sample([tool, *others], 1 + len(others))
    tools = ", ".join(f"{t.name}({', '.join(name for name, _ in t.parameters)})" for t in listed)
    arguments = {name: value.data for name, value in values.items()}
    types = {name: JSON_TYPES[kind] for name, kind in tool.parameters}
    as_call = rng.random() < 0.4
    name_key, arguments_key = rng.choice((("tool", "arguments"), ("name", "arguments"), ("function", "parameters")))
    data = {name_key: tool.name, arguments_key: arguments}
    schema = schema_of({name_key: "string", arguments_key: types})
    schema["properties"][name_key] = {"const": tool.name}
    answer = spell_call(tool.name, arguments) if as_call else json.dumps(data, ensure_ascii=False)
    last = (
        "Call"
        if as_call
        else f"JSON with {name_key} and {arguments_key}"
        if rng.random() < 0.8 or name_key != "tool"
        else "JSON"
    )
    return Task(
        f"Request: {request}\nTools: {tools}\n{last}:", answer, data, schema, "call" if as_call else "json", rng.random() < 0.3
    )


def draw_task(rng: random.Random, split: Split = Split(), difficulty: float = 1.0, only_json: bool = False) -> Task:
    """One task. `difficulty` in [0, 1] scales how many fields, records and distractors a text holds."""
    roll = rng.random()
    if roll < 0.12 and not only_json:
        return tool_task(rng, split)
    make = flat_shape if roll < 0.7 or rng.random() > difficulty else nested_shape if roll < 0.82 else array_shape
    shape = make(rng, split, difficulty)
    fields = spell_types(rng, shape.types, rng.choice((0, 0, 0, 1, 2, 3)))
    roll = rng.random() if not only_json else 0.0
    flat = isinstance(shape.data, dict) and not any(isinstance(value, dict | list) for value in shape.data.values())
    if roll < 0.76 or (roll >= 0.88 and not flat):
        (wanted, answer), format_ = json_task(rng, shape), "json"
    elif roll < 0.88:
        wanted, answer, format_ = "XML", spell_xml(shape.data, "record"), "xml"
    else:
        wanted, answer, format_ = "Call", spell_call("record", shape.data), "call"
    free = rng.random() < 0.3
    chat = free and rng.random() < 0.7
    prompt = rng.choice(CHAT_PROMPTS if free else PROMPTS).format(t=shape.text, f=fields, F=wanted)
    if rng.random() < 0.03 and not free and wanted == "JSON":
        prompt = f"Text: {shape.text}\n{wanted}:"
    if not chat and (rng.random() < 0.2 or (free and not prompt.endswith(":"))):
        prompt += "\n"
    return Task(prompt, answer, shape.data, schema_of(shape.types), format_, chat)


if __name__ == "__main__":
    for seed in range(12):
        task = draw_task(random.Random(seed), Split(*[seed % 4 == 3] * 3))
        print(f"--- {task.format} {'chat' if task.chat else ''}\n{task.prompt}⟶{task.answer}")
