"""XGrammar's bridges to model libraries."""

from __future__ import annotations

from penstock.compat.xgrammar.contrib import hf

__all__ = ["hf"]
