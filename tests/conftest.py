"""What all tests share: one deterministic profile of hypothesis, the twins of `reference/`, and the optional data folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# The same examples on every machine; a failure prints the smallest one. Nothing here is a statement about time.
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("penstock", derandomize=True, deadline=None, print_blob=True, suppress_health_check=QUIET)
settings.load_profile("penstock")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the recorded data, which is not part of the repository; tests that need it are skipped without it."""
    folder = Path(os.environ.get("PENSTOCK_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("the recorded data is not here; set PENSTOCK_SHARED to the folder that holds `data`")
    return folder
