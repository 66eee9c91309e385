"""Tool calls as models of each family write them: OpenAI's list of tools in, a structural tag out.

    tag = penstock.tools.structural_tag(tools, family="hermes", tool_choice="required")
    compiled = compiler.compile_structural_tag(tag)

How the families write is data, in `families.toml` beside this file; `families()` lists them, `detect_family()` finds the one of
a tokenizer by its chat template. Nothing here looks at a model.
"""

from __future__ import annotations

from penstock.tools.choice import Tool
from penstock.tools.families import Family, detect_family, families
from penstock.tools.tag import structural_tag

__all__ = ["Family", "Tool", "detect_family", "families", "structural_tag"]
