"""Every error that Penstock raises on purpose.

    PenstockError
      GrammarError(ValueError)         what the user wrote
        GrammarSyntaxError             it does not parse
        UnsupportedFeatureError        correct, but outside what Penstock can do exactly
        EmptyLanguageError             nothing can match
      TokenizerError(ValueError)       the vocabulary is unusable
      LimitError                       a named limit was reached
      MatcherStateError(RuntimeError)  a call that the matcher's state does not allow
      DeadEndError                     no token is allowed
      GenerationError                  a run of a Generator failed
        IncompleteOutputError          the length ran out before the output was complete
        OutputValidationError          the text cannot become a value of the asked type
        RewardError                    a reward raised, or broke its own declaration
        DraftMismatchError             draft and target do not share a vocabulary
      InternalError                    a bug of Penstock

A refused token is no error: `Matcher.accept_token` returns False.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "DeadEndError",
    "DraftMismatchError",
    "EmptyLanguageError",
    "GenerationError",
    "GrammarError",
    "GrammarSyntaxError",
    "IncompleteOutputError",
    "InternalError",
    "LimitError",
    "MatcherStateError",
    "OutputValidationError",
    "PenstockError",
    "RewardError",
    "TokenizerError",
    "UnsupportedFeatureError",
]


class PenstockError(Exception):
    """Base of all errors. `code` is stable snake_case; `location` is (line, column), a JSON pointer, or None."""

    code = "penstock_error"

    def __init__(
        self, message: str = "", *, code: str | None = None, location: Any = None, result: Any = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.result = result  # a Result with what was written so far, on errors that a Generator raises
        self.details = details
        if code is not None:
            self.code = code

    def __getattr__(self, name: str) -> Any:
        details = self.__dict__.get("details", {})
        if name in details:
            return details[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.message, self.code, self.location, self.result, self.details)


def _rebuild(
    cls: type[PenstockError], message: str, code: str, location: Any, result: Any, details: dict[str, Any]
) -> PenstockError:
    return cls(message, code=code, location=location, result=result, **details)


class GrammarError(PenstockError, ValueError):
    """What the user wrote as a grammar or schema is not usable."""

    code = "grammar_error"


class GrammarSyntaxError(GrammarError):
    """The text does not parse; `location` is (line, column) of the first mistake, `details["problems"]` lists all."""

    code = "grammar_syntax"


class UnsupportedFeatureError(GrammarError):
    """Correct input that cannot be enforced exactly; `details["refusals"]` lists (location, feature, reason)."""

    code = "unsupported_feature"


class EmptyLanguageError(GrammarError):
    """No text can satisfy the grammar.

    Of a JSON Schema, `conflict` lists (pointer, keyword): keywords that no value satisfies together, none of them to spare.
    In a large schema the search ends early, and keywords that hold the contradiction are named instead.
    """

    code = "empty_language"


class TokenizerError(PenstockError, ValueError):
    """The vocabulary cannot be used, or cannot spell what the grammar needs."""

    code = "tokenizer_error"


class LimitError(PenstockError):
    """A named limit was reached; `limit`, `configured` and, where known, `needed` say which and how far."""

    code = "limit_reached"


class MatcherStateError(PenstockError, RuntimeError):
    """A call that the state of the matcher does not allow; the matcher is unchanged."""

    code = "matcher_state"


class DeadEndError(PenstockError):
    """No token is allowed, though the output is not complete."""

    code = "dead_end"


class GenerationError(PenstockError):
    """A run failed; `result` holds what was written so far."""

    code = "generation_error"


class IncompleteOutputError(GenerationError):
    """The token budget ended before the output was complete."""

    code = "incomplete_output"


class OutputValidationError(GenerationError):
    """The text follows the grammar, but no value of the asked type can be built from it."""

    code = "output_validation"


class RewardError(GenerationError):
    """A reward raised, returned NaN or left its declared range."""

    code = "reward_error"


class DraftMismatchError(GenerationError):
    """Draft and target models do not share a vocabulary."""

    code = "draft_mismatch"


class InternalError(PenstockError):
    """A bug of Penstock: please report it with the text of this error."""

    code = "internal"
