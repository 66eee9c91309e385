"""Other projects' interfaces over Penstock, so that one changed import is a trial.

    import penstock.compat.xgrammar as xgrammar
    import penstock.compat.llguidance as llguidance

The names, arguments and shapes are theirs, the masks are Penstock's. What a shim cannot do exactly as asked it refuses by
name; where the two differ on purpose, `docs/guides/coming-from.md` says so. Nothing of Penstock
depends on these modules.
"""

from __future__ import annotations

__all__: list[str] = []
