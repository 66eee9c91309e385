"""The loop behind `custom_generate=`: transformers' prepared arguments on one side, our engine on the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from penstock.bitmask import apply_token_bitmask_inplace
from penstock.decoding.engine import Engine, Job, Strategy
from penstock.decoding.sampling import SamplingState
from penstock.decoding.sequence import Sequence
from penstock.models.transformers_probe import context_of
from penstock.sampling import Sampling

__all__ = ["CustomGenerate"]


class CustomGenerate:
    """One call of `generate`: rows become sequences, processors and criteria see true prefixes."""

    def __init__(self, model: Any, config: Any, processors: Any, criteria: Any, grammars: Any, seed: int | None) -> None:
        self.model, self.config, self.grammars = model, config, grammars
        # What truncates comes behind the grammar: the most likely tokens may all be forbidden.
        self.warpers = [processor for processor in processors if type(processor).__name__.endswith("Warper")]
        self.processors = [processor for processor in processors if processor not in self.warpers]
        self.criteria = criteria or []
        self.seed = int(torch.randint(2**62, (1,))) if seed is None and config.do_sample else seed or 0
        stops = config.eos_token_id
        self.stop_ids = [] if stops is None else [int(stop) for stop in np.atleast_1d(_plain(stops))]

    def __call__(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, strategy: Strategy, streamer: Any
    ) -> torch.Tensor:
        """Return prompt and output ids [rows, length], padded on the right."""
        rows: list[list[int]] = input_ids.tolist()
        engine = Engine(max_rows=len(rows))
        contexts: dict[str, Any] = {"target": context_of(self.model)}
        contexts |= {name: engine.context_of(model) for name, model in getattr(strategy, "models", {}).items()}
        jobs = []
        for index, row in enumerate(rows):
            kept = slice(None) if attention_mask is None else attention_mask[index].bool().cpu().numpy()
            prompt = np.asarray(row)[kept].tolist()
            jobs.append(engine.submit(Job(self._sequence(rows, index, prompt, contexts), strategy, _finished)))
        told = [0]
        engine.drive(lambda: self._told(jobs, streamer, told) and all(job.done for job in jobs))
        if streamer is not None:
            streamer.end()
        return self._padded(rows, [job.future.result() for job in jobs], input_ids.device)

    def _sequence(self, rows: list[list[int]], index: int, prompt: list[int], contexts: Any) -> Sequence:
        # Processors may hold one number for each row of the batch, so a row is shown to them as often as there are rows.
        row, num_rows = rows[index], len(rows)

        def process(logits: NDArray[np.float32], state: SamplingState) -> NDArray[np.float32]:
            prefix = torch.tensor([row + state.output_ids] * num_rows, device=self.model.device)
            scores = torch.from_numpy(logits.copy()).to(self.model.device).repeat(num_rows, 1)
            for processor in self.processors:
                scores = processor(prefix, scores)
            if self.warpers and (bitmask := sequence.bitmask()) is not None:
                apply_token_bitmask_inplace(scores, np.repeat(bitmask[None], num_rows, axis=0))
            for warper in self.warpers:
                scores = warper(prefix, scores)
            return scores[index].float().cpu().numpy()

        def should_stop(sequence: Sequence) -> bool:
            prefix = torch.tensor([row + sequence.token_ids] * num_rows, device=self.model.device)
            return any(bool(torch.as_tensor(criterion(prefix, None)).flatten()[-1]) for criterion in self.criteria)

        sequence = Sequence(
            prompt,
            contexts,
            sampling=Sampling(temperature=1.0 if self.config.do_sample else 0.0),
            seed=self.seed,
            sample=index,
            max_tokens=max(1, self.config.max_length - len(row)),
            stop_token_ids=self.stop_ids,
            matcher=self._matcher(index, num_rows),
            mask_size=None if self.grammars is None else self.grammars[0].tokenizer_info.vocab_size,
            processor=process if self.processors or self.warpers else None,
            should_stop=should_stop if self.criteria else None,
        )
        return sequence

    def _matcher(self, row: int, num_rows: int) -> Any:
        if self.grammars is None:
            return None
        from penstock import Matcher

        return Matcher(self.grammars[row * len(self.grammars) // num_rows])

    def _output(self, sequence: Sequence) -> list[int]:
        """Return a row's output with its stop token, as `generate` would: the first one where the grammar just ended."""
        if sequence.finish_reason != "stop" or (sequence.token_ids and sequence.token_ids[-1] in self.stop_ids):
            return sequence.token_ids
        stop = sequence.stop_token_id
        if stop is None and self.grammars is not None and self.stop_ids and sequence.num_remaining > 0:
            stop = self.stop_ids[0]
        return sequence.token_ids if stop is None else [*sequence.token_ids, stop]

    def _padded(self, rows: list[list[int]], sequences: list[Sequence], device: torch.device) -> torch.Tensor:
        outputs = [row + self._output(sequence) for row, sequence in zip(rows, sequences, strict=True)]
        pad = self.config.pad_token_id
        filler = int(_plain(pad)) if pad is not None else (self.stop_ids or [0])[0]
        width = max(map(len, outputs))
        return torch.tensor([output + [filler] * (width - len(output)) for output in outputs], device=device)

    def _told(self, jobs: list[Job], streamer: Any, told: list[int]) -> bool:
        """Hand new tokens to the streamer, which takes one row only."""
        if streamer is not None:
            output = self._output(jobs[0].sequence) if jobs[0].done else jobs[0].sequence.token_ids
            for token in output[told[0] :]:
                streamer.put(torch.tensor([token]))
            told[0] = len(output)
        return True


def _finished(sequence: Sequence, error: BaseException | None) -> Sequence:
    if error is not None:
        raise error
    return sequence


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, torch.Tensor) else value
