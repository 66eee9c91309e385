"""A model as the library sees it: a tokenizer, stop tokens, contexts for the decoding loop, and what is shared about it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.decoding.context import Context
from penstock.models.tokenizer import Tokenizer
from penstock.tokenizer import Vocabulary

if TYPE_CHECKING:
    from penstock.decoding.engine import Engine

__all__ = ["Model"]


class Model:
    """One model; thread-safe. Generators over it share its engine, so that their calls join one batch.

    new_context: makes a `Context`. max_positions: longest prompt and output together, None where nothing limits it.
    width_cost: a, setup_cost: b, where a forward over w > 0 drafted nodes costs about 1 + b + a * w plain ones; automatic
    drafting starts from them, constants of the backend, and follows the forwards that it runs, at each length of context.
    `penstock.models.measure_width_cost` measures them for yours.
    """

    def __init__(
        self,
        name: str,
        tokenizer: Tokenizer,
        new_context: Callable[[], Context],
        *,
        max_positions: int | None = None,
        width_cost: float = 0.03,
        setup_cost: float = 0.0,
        native: Any = None,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.new_context = new_context
        self.max_positions = max_positions
        self.width_cost, self.setup_cost = width_cost, setup_cost
        self.native = native  # the framework's own object, such as a transformers model
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    @property
    def vocab_size(self) -> int:
        """Width of the logits."""
        return self.tokenizer.vocabulary.vocab_size

    @property
    def stop_token_ids(self) -> tuple[int, ...]:
        """Every token that ends a text, ascending."""
        return self.tokenizer.vocabulary.stop_token_ids

    @property
    def tokenizer_info(self) -> Any:
        """The `TokenizerInfo` of the vocabulary; made once, shared by all models that have the same one."""
        return _tokenizer_info(self.tokenizer.vocabulary)

    @property
    def compiler(self) -> Any:
        """The `GrammarCompiler` of the vocabulary; made once, shared by all models that have the same one."""
        return _compiler(self.tokenizer.vocabulary)

    @property
    def engine(self) -> Engine:
        """The engine that batches everything that runs on this model."""
        with self._lock:
            if self._engine is None:
                from penstock.decoding.engine import Engine

                self._engine = Engine()
            return self._engine

    def __repr__(self) -> str:
        return f"Model({self.name!r}, vocab_size={self.vocab_size})"


@functools.lru_cache(maxsize=8)
def _tokenizer_info(vocabulary: Vocabulary) -> Any:
    from penstock import TokenizerInfo

    return TokenizerInfo(
        list(vocabulary.vocab),
        stop_token_ids=list(vocabulary.stop_token_ids),
        special_token_ids=list(vocabulary.special_token_ids),
        vocab_size=vocabulary.vocab_size,
    )


@functools.lru_cache(maxsize=8)
def _compiler(vocabulary: Vocabulary) -> Any:
    from penstock import GrammarCompiler

    return GrammarCompiler(_tokenizer_info(vocabulary))
