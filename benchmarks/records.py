"""Where the figures of a benchmark are kept: one JSON file a day and name under `record/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDS = Path(__file__).resolve().parent / "record"


def save_record(name: str, record: dict[str, Any]) -> Path:
    """Write a record, which says its `date`, over that of the same day; return its file, beside which a plot may stand."""
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{record['date']}-{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path
