"""Applying bitmasks on the CPU, against the twin that goes token by token."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from penstock.bitmask import allocate_token_bitmask, apply_token_bitmask_inplace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from reference.bitmask import apply_row, is_allowed, make_row

VOCAB_SIZES = [1, 31, 32, 33, 63, 64, 65, 100, 257]


def random_bitmask(rng, num_rows: int, vocab_size: int) -> np.ndarray:
    bitmask = rng.integers(-(2**31), 2**31, (num_rows, -(-vocab_size // 32)), dtype=np.int64).astype(np.int32)
    return bitmask & allocate_token_bitmask(num_rows, vocab_size)


def expected(logits, bitmask: np.ndarray, rows=None) -> list[list[float]]:
    chosen = range(len(logits)) if rows is None else rows
    return [apply_row(row.tolist(), bitmask[i].tolist()) if i in chosen else row.tolist() for i, row in enumerate(logits)]


def as_torch(array: np.ndarray, dtype: str = "float32"):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    return torch.from_numpy(array).to(getattr(torch, dtype))


@pytest.mark.parametrize("vocab_size", VOCAB_SIZES)
def test_allocated_rows_allow_the_vocabulary(vocab_size: int) -> None:
    bitmask = allocate_token_bitmask(3, vocab_size)
    assert (bitmask.dtype, bitmask.shape) == (np.int32, (3, math.ceil(vocab_size / 32)))
    full = make_row(range(vocab_size), vocab_size)
    assert (bitmask.view(np.uint32) == np.array(full, dtype=np.uint32)).all()
    assert not is_allowed(bitmask[0].tolist(), vocab_size)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("vocab_size", VOCAB_SIZES)
@pytest.mark.parametrize("padding", [-20, 0, 1, 70])
def test_numpy(dtype: str, vocab_size: int, padding: int) -> None:
    rng = np.random.default_rng(vocab_size)
    bitmask = random_bitmask(rng, 4, vocab_size)
    logits = rng.standard_normal((4, max(1, vocab_size + padding))).astype(dtype)
    wanted = expected(logits, bitmask)
    apply_token_bitmask_inplace(logits, bitmask)
    assert logits.tolist() == wanted


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("vocab_size", VOCAB_SIZES)
@pytest.mark.parametrize("padding", [-20, 0, 70])
def test_torch_on_the_cpu(dtype: str, vocab_size: int, padding: int) -> None:
    rng = np.random.default_rng(vocab_size)
    bitmask = random_bitmask(rng, 4, vocab_size)
    logits = as_torch(rng.standard_normal((4, max(1, vocab_size + padding))), dtype)
    other, wanted = logits.clone(), expected(logits, bitmask)
    apply_token_bitmask_inplace(logits, bitmask)
    assert logits.tolist() == wanted
    apply_token_bitmask_inplace(other, as_torch(bitmask, "int32"))
    assert other.tolist() == wanted


@pytest.mark.parametrize("rows", [[], [2], [0, 3], [3, 1, 1], (np.int64(1),)])
@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_rows_choose_what_is_masked(rows, framework: str) -> None:
    rng = np.random.default_rng(5)
    bitmask = random_bitmask(rng, 4, 70)
    logits = rng.standard_normal((6, 72)).astype(np.float32)
    wanted = expected(logits, bitmask, rows)
    apply_token_bitmask_inplace(logits if framework == "numpy" else as_torch(logits), bitmask, rows=rows)
    assert logits.tolist() == wanted


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_one_axis_is_one_row(framework: str) -> None:
    rng = np.random.default_rng(6)
    bitmask = random_bitmask(rng, 1, 70)
    logits = rng.standard_normal((1, 70)).astype(np.float32)
    wanted = expected(logits, bitmask)[0]
    for mask in (bitmask, bitmask[0]):
        row = logits[0].copy()
        apply_token_bitmask_inplace(row if framework == "numpy" else as_torch(row), mask)
        assert row.tolist() == wanted


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_many_rows(framework: str) -> None:
    rng = np.random.default_rng(7)
    bitmask = random_bitmask(rng, 7, 70)
    logits = rng.standard_normal((7, 70)).astype(np.float32)
    wanted = expected(logits, bitmask)
    apply_token_bitmask_inplace(logits if framework == "numpy" else as_torch(logits), bitmask)
    assert logits.tolist() == wanted


def test_rows_in_reverse() -> None:
    rng = np.random.default_rng(9)
    bitmask, logits = random_bitmask(rng, 5, 70), rng.standard_normal((5, 70)).astype(np.float32)
    wanted = expected(logits[::-1], bitmask)
    apply_token_bitmask_inplace(logits[::-1], bitmask)
    assert logits[::-1].tolist() == wanted


def test_special_values_keep_their_bits_or_vanish() -> None:
    values = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38, -1.0], dtype=np.float32)
    logits, allowed = np.stack([values, values]), np.array([[0], [0xFF]], dtype=np.int32)
    apply_token_bitmask_inplace(logits, allowed)
    assert logits[0].tolist() == [-math.inf] * 8
    assert logits[1].tobytes() == values.tobytes()


def test_rows_of_a_wider_array() -> None:
    rng = np.random.default_rng(8)
    bitmask = random_bitmask(rng, 3, 40)
    wide = rng.standard_normal((3, 64)).astype(np.float32)
    before, wanted = wide.copy(), expected(wide[:, :40], bitmask)
    apply_token_bitmask_inplace(wide[:, :40], bitmask)
    assert wide[:, :40].tolist() == wanted
    assert (wide[:, 40:] == before[:, 40:]).all()
    strided = np.zeros((6, 2), dtype=np.int32)
    strided[::2] = bitmask
    apply_token_bitmask_inplace(before[:, :40], strided[::2])
    assert before[:, :40].tolist() == wanted


def test_tensor_operations_agree() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from penstock.bitmask.torch import apply_with_operations

    rng = np.random.default_rng(9)
    for vocab_size in VOCAB_SIZES:
        for rows in (None, [0, 2]):
            bitmask = random_bitmask(rng, 3, vocab_size)
            logits = as_torch(rng.standard_normal((3, vocab_size + 5)))
            wanted = expected(logits, bitmask, rows)
            row_ids = None if rows is None else torch.tensor(rows)
            apply_with_operations(logits, torch.from_numpy(bitmask), row_ids)
            assert logits.tolist() == wanted


ZEROS = np.zeros((2, 40), dtype=np.float32)
MASK = allocate_token_bitmask(2, 40)


@pytest.mark.parametrize("framework", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("logits", "bitmask", "rows", "message"),
    [
        (ZEROS, MASK[:1], None, "`2` rows and the bitmask has `1`.*slice them"),
        (ZEROS, MASK, [2], "row `2` is out of range.*rows below"),
        (ZEROS, MASK, [-1], "row `-1` is out of range"),
        (ZEROS[None], MASK, None, r"the shape of logits is `\[1, 2, 40\]`"),
        (ZEROS, MASK[None], None, r"the shape of the bitmask is `\[1, 2, 2\]`"),
        (ZEROS, MASK.astype(np.int64), None, "the bitmask has the dtype .*int64.*allocate_token_bitmask"),
        (ZEROS.astype(np.int32), MASK, None, "logits have the dtype .*int32.*convert"),
        (ZEROS.T.copy().T, MASK, None, "last axis of logits has a stride of `2`.*contiguous"),
    ],
)
def test_refusals(framework: str, logits, bitmask, rows, message: str) -> None:
    if framework == "torch":
        torch = pytest.importorskip("torch", reason="torch is not installed")
        logits = torch.from_numpy(logits.copy(order="K"))
    with pytest.raises(ValueError, match=message):
        apply_token_bitmask_inplace(logits.copy(order="K") if framework == "numpy" else logits, bitmask, rows=rows)


def test_other_arrays_are_refused() -> None:
    with pytest.raises(TypeError, match=r"builtins\.list"):
        apply_token_bitmask_inplace([0.0], MASK)
    with pytest.raises(TypeError, match="`list`; give a NumPy array"):
        apply_token_bitmask_inplace(ZEROS.copy(), [[1]])
    frozen = ZEROS.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        apply_token_bitmask_inplace(frozen, MASK)
    with pytest.raises(ValueError, match="`num_rows` is `-1`"):
        allocate_token_bitmask(-1, 40)
    with pytest.raises(ValueError, match="`vocab_size` is `0`"):
        allocate_token_bitmask(1, 0)


def test_other_bitmasks_are_refused_for_torch() -> None:
    with pytest.raises(TypeError, match="`list`; give a NumPy array"):
        apply_token_bitmask_inplace(as_torch(ZEROS.copy()), [[1]])


def test_logits_with_a_gradient_are_refused() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    logits = torch.zeros(2, 40, requires_grad=True)
    with pytest.raises(ValueError, match=r"logits\.detach"):
        apply_token_bitmask_inplace(logits * 2, MASK)
    with torch.no_grad():
        apply_token_bitmask_inplace(logits * 2, MASK)


def test_numpy_logits_import_no_framework() -> None:
    program = (
        "import sys, numpy\n"
        "from penstock.bitmask import allocate_token_bitmask, apply_token_bitmask_inplace\n"
        "apply_token_bitmask_inplace(numpy.zeros((1, 9)), allocate_token_bitmask(1, 9))\n"
        "sys.exit(str({'torch', 'triton'} & set(sys.modules)) if {'torch', 'triton'} & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
