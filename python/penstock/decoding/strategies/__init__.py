"""Strategies that are one generator function each; `decoding/lookahead.py` is the one with drafts."""
