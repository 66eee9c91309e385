"""Lets the import of another project find its shim."""

from __future__ import annotations

import sys

__all__ = ["install"]


def install(shim: str) -> None:
    """Put the loaded modules of a shim under the name of the project, its last part, too.

    Raises RuntimeError where the project itself is imported.
    """
    project = shim.rpartition(".")[2]
    real = sys.modules.get(project)
    if real is not None and real is not sys.modules[shim]:
        raise RuntimeError(f"{project} is imported already; call install() before the host imports it")
    for name, module in list(sys.modules.items()):
        if name == shim or name.startswith(shim + "."):
            sys.modules[project + name[len(shim) :]] = module
