"""Errors as XGrammar's hosts expect them: everything that is wrong with a grammar is a RuntimeError.

`RefusedError` also is a `PenstockError`: code, location and way out are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from penstock.errors import PenstockError

__all__ = [
    "DeserializeFormatError",
    "DeserializeVersionError",
    "InvalidJSONError",
    "InvalidStructuralTagError",
    "RefusedError",
    "RefusedTagError",
]


class RefusedError(PenstockError, RuntimeError):
    """An error of Penstock, as a RuntimeError; the original is `__cause__`."""

    code = "refused"


class DeserializeFormatError(RuntimeError):
    """The text is no serialized object of this kind, or belongs to another vocabulary."""


class DeserializeVersionError(RuntimeError):
    """The text was serialized by another version, or by XGrammar itself."""


class InvalidStructuralTagError(RuntimeError):
    """A structural tag has no meaning."""


class RefusedTagError(RefusedError, InvalidStructuralTagError):
    """An error of Penstock in a structural tag."""

    code = "refused_tag"


class InvalidJSONError(RuntimeError):
    """The text is no JSON."""


@contextmanager
def as_runtime_errors(kind: type[RuntimeError] = RefusedError) -> Iterator[None]:
    """Turn errors of Penstock into RuntimeErrors; kind: the class for errors in what the user wrote."""
    try:
        yield
    except RuntimeError:
        raise
    except PenstockError as error:
        if not issubclass(kind, RefusedError):
            raise kind(error.message) from error
        raise kind(error.message, code=error.code, location=error.location, **error.details) from error
    except RecursionError as error:
        raise RefusedError("the input is nested too deeply to be read; name its parts", code="nested_too_deeply") from error


def refuse(what: str, way_out: str) -> RefusedError:
    """Return the error for what XGrammar has and the shim cannot do."""
    return RefusedError(f"{what} is not supported by the shim; {way_out}", code="unsupported_by_shim")
