"""Reads safetensors files into float32 numpy arrays, bfloat16 included, without a framework.

The format: eight bytes of header length (little endian), a JSON header that gives each tensor's dtype, shape and byte
range, then the bytes. numpy has no bfloat16, but a bfloat16 is the upper half of a float32: shift it and look again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_safetensors", "widen_bfloat16"]


def widen_bfloat16(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the float32 values whose upper 16 bits are given; exact."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return all tensors of a file by name, as float32.

    Raises ValueError for another dtype than F32, F16 and BF16 and for a damaged file. Cost: the file is read once; bfloat16
    takes twice its size in memory.
    """
    raw = path.read_bytes()
    header_size = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 + header_size:
        raise ValueError(f"`{path.name}` is cut off inside its header; fetch the file again")
    header: dict[str, dict[str, Any]] = json.loads(raw[8 : 8 + header_size])
    data = memoryview(raw)[8 + header_size :]
    return {name: _tensor(path.name, name, entry, data) for name, entry in header.items() if name != "__metadata__"}


def _tensor(file_name: str, name: str, entry: dict[str, Any], data: memoryview) -> NDArray[np.float32]:
    first, last = entry["data_offsets"]
    if last > len(data):
        raise ValueError(f"`{file_name}` ends before the bytes of `{name}`; fetch the file again")
    piece = data[first:last]
    match entry["dtype"]:
        case "BF16":
            values = widen_bfloat16(np.frombuffer(piece, dtype="<u2"))
        case "F16":
            values = np.frombuffer(piece, dtype="<f2").astype(np.float32)
        case "F32":
            values = np.frombuffer(piece, dtype="<f4").astype(np.float32)
        case other:
            raise ValueError(f"tensor `{name}` has dtype `{other}`; save the weights as F32, F16 or BF16")
    return values.reshape(entry["shape"])
