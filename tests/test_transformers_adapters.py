"""Grammars inside transformers' generate: all of its modes write what the grammar allows, and ours writes what theirs does."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest
from helpers.oracle import Drafts, ToyMatcher, prompt_lookup

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import penstock  # noqa: E402
from penstock.adapters.transformers import GrammarLogitsProcessor, generate  # noqa: E402

VOCAB, STOP, PAD = 61, 1, 0
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        eos_token_id=STOP,
        pad_token_id=PAD,
        bos_token_id=2,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    model.lm_head.weight.data *= 30
    return model


@pytest.fixture(autouse=True)
def matcher_of_functions(monkeypatch):
    """Here a compiled grammar is a function from prefixes to allowed ids; it knows one id less than the model has."""
    monkeypatch.setattr(penstock, "Matcher", lambda grammar: ToyMatcher(grammar, {STOP}))


def known(grammar):
    grammar.tokenizer_info = SimpleNamespace(vocab_size=VOCAB - 1)
    return grammar


@known
def steps(prefix):
    """Each id within 5 above the one before, modulo 40; a stop from the sixth on, nothing else after twelve."""
    if len(prefix) >= 12:
        return {STOP}
    last = prefix[-1] if prefix else 10
    return {10 + (last + step) % 40 for step in range(5)} | ({STOP} if len(prefix) >= 6 else set())


def check(output: list[int], grammar=steps) -> None:
    output = output[: output.index(STOP) + 1] if STOP in output else output
    for place, token in enumerate(output):
        assert token in grammar(tuple(output[:place])), (place, output)


PROMPTS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 9]])
MODES = {
    "greedy": dict(),
    "sampling": dict(do_sample=True, top_k=0),
    "beams": dict(num_beams=3),
    "beam sampling": dict(num_beams=2, do_sample=True),
    "samples": dict(do_sample=True, num_return_sequences=2),
}


@pytest.mark.parametrize("mode", MODES)
def test_generate_keeps_to_the_grammar_and_the_processor_is_reusable(model, mode) -> None:
    torch.manual_seed(3)
    processor = GrammarLogitsProcessor(steps)
    for prompts in (PROMPTS, PROMPTS, PROMPTS.flip(0), PROMPTS[:1], PROMPTS[:, :3]):
        output = model.generate(
            prompts, logits_processor=[processor], max_new_tokens=20, attention_mask=torch.ones_like(prompts), **MODES[mode]
        )
        for row in output[:, prompts.shape[1] :].tolist():
            check(row)
    longer = output  # a conversation that goes on
    output = model.generate(
        longer, logits_processor=[processor], max_new_tokens=20, attention_mask=torch.ones_like(longer), **MODES[mode]
    )
    for row in output[:, longer.shape[1] :].tolist():
        check(row)


@pytest.mark.parametrize("options", [dict(prompt_lookup_num_tokens=4), "assistant"])
def test_assisted_decoding_writes_what_greedy_writes(model, options) -> None:
    if options == "assistant":
        torch.manual_seed(1)
        assistant = transformers.LlamaForCausalLM(model.config).eval()
        assistant.load_state_dict(model.state_dict())
        assistant.lm_head.weight.data += torch.randn_like(assistant.lm_head.weight) * 2
        options = dict(assistant_model=assistant)
    for prompt in (PROMPTS[:1], torch.tensor([[12, 13, 14, 12, 13]])):
        mask = torch.ones_like(prompt)
        expected = model.generate(
            prompt, logits_processor=[GrammarLogitsProcessor(steps)], max_new_tokens=20, attention_mask=mask
        )
        spy = Spy(steps)
        output = model.generate(prompt, logits_processor=[spy], max_new_tokens=20, attention_mask=mask, **options)
        assert output.tolist() == expected.tolist()
        assert spy.seen != sorted(set(spy.seen)), "prefixes went back and forth"


def test_dropped_matchers_are_replayed(model, monkeypatch) -> None:
    monkeypatch.setattr("penstock.adapters.transformers.MATCHERS_PER_ROW", 1)
    test_assisted_decoding_writes_what_greedy_writes(model, dict(prompt_lookup_num_tokens=4))
    test_generate_keeps_to_the_grammar_and_the_processor_is_reusable(model, "beams")


def test_one_grammar_a_prompt(model) -> None:
    def only(token):
        return known(lambda prefix: {token} if len(prefix) < 4 else {STOP})

    processor = GrammarLogitsProcessor([only(20), only(30)])
    for options in (dict(), dict(num_beams=2), dict(custom_generate=generate)):
        output = model.generate(
            PROMPTS, logits_processor=[processor], max_new_tokens=9, attention_mask=torch.ones_like(PROMPTS), **options
        )
        assert output[:, 4:9].tolist() == [[20] * 4 + [STOP], [30] * 4 + [STOP]]
    with pytest.raises(ValueError, match="grammars"):
        GrammarLogitsProcessor([steps] * 3)(PROMPTS, torch.zeros(2, VOCAB))


def test_given_scores_stay(model) -> None:
    scores = torch.zeros(2, VOCAB)
    masked = GrammarLogitsProcessor(steps)(PROMPTS, scores)
    assert scores.eq(0).all()
    assert masked.isinf().sum() == 2 * (VOCAB - 5)


class Spy(GrammarLogitsProcessor):
    """Notes the lengths of the prefixes it is shown."""

    def __init__(self, compiled) -> None:
        super().__init__(compiled)
        self.seen: list[int] = []

    def __call__(self, input_ids, scores):
        self.seen.append(input_ids.shape[1])
        return super().__call__(input_ids, scores)


CUSTOM = {
    "free": dict(),
    "grammar": dict(compiled=steps),
    "penalties": dict(repetition_penalty=1.5, no_repeat_ngram_size=2, bad_words_ids=[[20]]),
    "length": dict(min_new_tokens=9),
}


@pytest.mark.parametrize("name", CUSTOM)
@pytest.mark.parametrize("drafter", [None, Drafts(prompt_lookup)])
def test_custom_generate_writes_what_generate_writes(model, name, drafter) -> None:
    options = dict(CUSTOM[name])
    prompts, mask = torch.tensor([[PAD, PAD, 7, 8], [9, 10, 11, 9]]), torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    theirs = dict(options)
    if theirs.pop("compiled", None):
        theirs["logits_processor"] = [GrammarLogitsProcessor(steps)]
    expected = model.generate(prompts, attention_mask=mask, max_new_tokens=15, **theirs)
    output = model.generate(
        prompts, attention_mask=mask, max_new_tokens=15, custom_generate=generate, drafter=drafter, **options
    )
    assert output.tolist() == expected.tolist()


def test_custom_generate_samples_by_torchs_seed_whatever_is_drafted(model) -> None:
    outputs = []
    for seed, drafter in ((4, None), (4, Drafts(prompt_lookup)), (5, None)):
        torch.manual_seed(seed)
        result = model.generate(
            PROMPTS,
            attention_mask=torch.ones_like(PROMPTS),
            max_new_tokens=12,
            do_sample=True,
            temperature=0.7,
            top_p=0.9,
            custom_generate=generate,
            drafter=drafter,
            compiled=steps,
            return_dict_in_generate=True,
        )
        outputs.append(result.sequences.tolist())
    assert outputs[0] == outputs[1] != outputs[2]
    for row in outputs[0]:
        check(row[4:])


def test_custom_generate_streams_and_refuses_beams(model) -> None:
    class Streamer:
        def __init__(self):
            self.tokens, self.ended = [], False

        def put(self, value):
            self.tokens += value.flatten().tolist()

        def end(self):
            self.ended = True

    streamer, prompt = Streamer(), PROMPTS[:1]
    ours = functools.partial(generate, streamer=streamer)
    output = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=9, custom_generate=ours)
    assert streamer.tokens == output[0, 4:].tolist()
    assert streamer.ended
    with pytest.raises(ValueError, match="num_beams"):
        model.generate(prompt, attention_mask=torch.ones_like(prompt), custom_generate=generate, num_beams=2)
