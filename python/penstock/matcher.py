"""The state of one output: the native classes as they are, so that no Python frame lies on the path of a token."""

from __future__ import annotations

from penstock._core import Matcher, accept_next_tokens, fill_next_token_bitmasks

__all__ = ["Matcher", "accept_next_tokens", "fill_next_token_bitmasks"]
