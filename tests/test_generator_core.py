"""Values of real types from the bundled model and the real matcher: always valid, one text however drafted."""

from __future__ import annotations

import dataclasses
import enum
import json
import pickle
from typing import Literal

import jsonschema
import pydantic
import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("safetensors")

import penstock
from penstock import Choice, Ebnf, Generator, JsonSchema, Regex, Sampling, models
from penstock.decoding import Lookahead
from penstock.decoding.sequence import Sequence as Text
from penstock.drafting import RetrievalDrafter

PROMPT = "Text: Anna Miller is 34 years old and lives in Berlin.\nFields: name, age\nJSON:"
HOT = Sampling(temperature=1.5, seed=4)


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12)
    age: int = pydantic.Field(ge=0, le=150)


@dataclasses.dataclass
class Order:
    size: Size
    items: list[Literal["a", "b"]]
    note: str | None = None


@pytest.fixture(scope="module")
def model():
    return models.tiny()


TYPES = {
    "model": Person,
    "dataclass": Order,
    "list": list[int],
    "schema": JsonSchema(
        {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"], "additionalProperties": False}
    ),
    "regex": Regex("[A-Z]{2}-[0-9]{4}"),
    "ebnf": Ebnf('root ::= "<" [a-z]{1,6} ">"'),
    "choice": Choice(["red", "green", "greenish"]),
    "enum": Size,
    "literal": Literal["yes", 3],
    "bool": bool,
    "int": int,
}


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("sampling", [Sampling(), HOT])
def test_every_type_gets_a_value_and_drafts_change_nothing(model, name, sampling) -> None:
    plain = Generator(model, TYPES[name], drafter=None)
    expected = plain.run(PROMPT, sampling=sampling, max_tokens=60, on_length="close")
    assert expected.value is not None
    for strategy in (
        Lookahead(),
        Lookahead(RetrievalDrafter(), budget=24),
        Lookahead(RetrievalDrafter(width_cost=0.01), budget=8),
    ):
        generate = Generator(model, TYPES[name], strategy=strategy)
        for _ in range(2):  # the second time, the first output can be retrieved
            found = generate.run(PROMPT, sampling=sampling, max_tokens=60, on_length="close")
            assert (found.text, found.token_ids, found.value) == (expected.text, expected.token_ids, expected.value)
    batch = Generator(model, TYPES[name]).batch([PROMPT, "x", PROMPT], sampling=sampling, max_tokens=60, on_length="close")
    assert batch[0] == batch[2] == expected.value


def test_hot_samples_are_always_valid(model) -> None:
    schema = Person.model_json_schema()
    results = Generator(model, Person).run(
        PROMPT, sampling=Sampling(temperature=2.0, seed=1, num_samples=12), max_tokens=40, on_length="close"
    )
    assert len({result.text for result in results.samples}) > 3
    for result in results.samples:
        jsonschema.validate(json.loads(result.text), schema)
        assert isinstance(result.value, Person)
    assert pickle.loads(pickle.dumps(results.samples[0])) == results.samples[0]


def test_a_text_cut_anywhere_can_be_closed(model) -> None:
    generate = Generator(model, Order, drafter=None)
    for size in (1, 3, 7, 19):
        result = generate.run(PROMPT, max_tokens=size, on_length="close", sampling=HOT)
        assert isinstance(result.value, Order)
        assert (
            result.finish_reason == ("closed" if len(result.token_ids) == size else "stop") or result.finish_reason == "length"
        )


@pytest.mark.parametrize("name", ["model", "list", "choice"])
def test_masks_filled_while_a_device_works_change_nothing(model, name) -> None:
    """A context that can be launched: the masks of all nodes are filled before the logits are asked for."""
    other = models.tiny()
    new_context, order = other.new_context, []

    def launching():
        context = new_context()

        def launch(growths):
            order.append("launched")
            return lambda: (order.append("waited"), context.extend(growths))[1]

        context.launch = launch
        return context

    other.new_context = launching
    fill = Text.fill_bitmasks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "fill_bitmasks", lambda self: (order.append("filled"), fill(self))[1])
        strategy = Lookahead(RetrievalDrafter(), budget=24)
        found = Generator(other, TYPES[name], strategy=strategy).run(PROMPT, sampling=HOT, max_tokens=60, on_length="close")
    expected = Generator(model, TYPES[name], drafter=None).run(PROMPT, sampling=HOT, max_tokens=60, on_length="close")
    assert found.token_ids == expected.token_ids
    assert order[:3] == ["launched", "filled", "waited"]


def test_streams_of_real_types(model) -> None:
    events = list(Generator(model, Person).stream(PROMPT))
    deltas = [event.text for event in events if isinstance(event, penstock.TextDelta)]
    partial = [event.value for event in events if isinstance(event, penstock.PartialValue)]
    assert "".join(deltas) == events[-1].result.text
    assert Person(**partial[-1]) == events[-1].result.value


def test_probabilities_of_an_enum(model) -> None:
    found = Generator(model, Size).probabilities(PROMPT)
    assert set(found) == set(Size)
    assert sum(found.values()) == pytest.approx(1)


def test_models_of_one_vocabulary_share_a_compiler(model) -> None:
    assert models.tiny().compiler is model.compiler
    assert model.compiler.tokenizer_info is model.tokenizer_info


def test_generate_of_transformers_with_a_compiled_grammar() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from penstock.adapters.transformers import GrammarLogitsProcessor, generate

    torch.set_num_threads(1)
    model = models.tiny("transformers")
    compiled = model.compiler.compile_json_schema(Person)
    ids = torch.tensor([model.tokenizer.encode(PROMPT)])
    options = dict(attention_mask=torch.ones_like(ids), max_new_tokens=60, pad_token_id=0)
    expected = Generator(model, Person).run(PROMPT, max_tokens=60)
    for more in (
        dict(logits_processor=[GrammarLogitsProcessor(compiled)]),
        dict(logits_processor=[GrammarLogitsProcessor(compiled)], prompt_lookup_num_tokens=4),
        dict(custom_generate=generate, compiled=compiled),
        dict(custom_generate=generate, compiled=compiled, drafter=RetrievalDrafter()),
    ):
        output = model.native.generate(ids, **options, **more)[0, ids.shape[1] :].tolist()
        stop = next(place for place, token in enumerate(output) if token in model.stop_token_ids)
        assert output[:stop] == expected.token_ids
    beams = model.native.generate(
        ids, **options, num_beams=3, do_sample=True, logits_processor=[GrammarLogitsProcessor(compiled)]
    )
    text = model.tokenizer.decode(beams[0, ids.shape[1] :].tolist())
    assert Person.model_validate_json(text)
