"""The Triton kernel: in Triton's interpreter on any machine, and on the GPU where there is one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

# Run in a process of its own: the interpreter is chosen when the kernel is defined. `DEVICE` is cpu or cuda.
PROGRAM = """
import sys
import numpy as np, torch
from penstock.bitmask.numpy import apply_to_numpy
from penstock.bitmask.torch import apply_with_operations
from penstock.bitmask.triton import apply_with_triton

device = sys.argv[1]
rng = np.random.default_rng(0)
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    for vocab_size, num_logits in ((1, 1), (33, 33), (100, 70), (100, 260), (5000, 4990), (9000, 9100)):
        for rows in (None, [2, 0], []):
            bitmask = torch.from_numpy(rng.integers(-2**31, 2**31, (3, -(-vocab_size // 32))).astype(np.int32))
            wide = torch.from_numpy(rng.standard_normal((3, num_logits + 7))).to(dtype).to(device)
            wanted = wide.clone()
            row_ids = None if rows is None else torch.tensor(rows, dtype=torch.int64, device=device)
            apply_with_operations(wanted[:, :num_logits], bitmask.to(device), row_ids)
            apply_with_triton(wide[:, :num_logits], bitmask.to(device), row_ids)
            assert torch.equal(wide, wanted), (dtype, vocab_size, num_logits, rows)
print("agree")
"""


def test_kernel_in_the_interpreter() -> None:
    environment = dict(os.environ, TRITON_INTERPRET="1", OMP_NUM_THREADS="1")
    done = subprocess.run([sys.executable, "-c", PROGRAM, "cpu"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "agree\n"


@pytest.mark.parametrize("has_rows", [False, True])
@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
def test_kernel_compiles_without_a_gpu(dtype: str, has_rows: bool) -> None:
    import triton
    from penstock.bitmask.triton import BLOCK_WORDS, _apply_bitmask_kernel
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    pointers = {"logits_ptr": f"*{dtype}", "bitmask_ptr": "*i32", "rows_ptr": "*i64" if has_rows else "*i32"}
    sizes = dict.fromkeys(("num_logits", "num_words", "logits_stride", "bitmask_stride"), "i32")
    signature = pointers | sizes | {"has_rows": "constexpr", "block": "constexpr"}
    constants = {"has_rows": has_rows, "block": BLOCK_WORDS}
    source = ASTSource(fn=_apply_bitmask_kernel, signature=signature, constexprs=constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    # Loading the logits too would take as many loads as stores: the kernel only writes them.
    assert compiled.asm["ptx"].count("ld.global") * 4 < compiled.asm["ptx"].count("st.global")


def test_kernel_on_the_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    done = subprocess.run([sys.executable, "-c", PROGRAM, "cuda"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_cuda_logits_take_bitmasks_from_anywhere() -> None:
    import torch
    from penstock.bitmask import allocate_token_bitmask, apply_token_bitmask_inplace

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    rng = np.random.default_rng(1)
    bitmask = allocate_token_bitmask(3, 1000) & rng.integers(-(2**31), 2**31, (3, 32)).astype(np.int32)
    logits = rng.standard_normal((3, 1024)).astype(np.float32)
    wanted = logits.copy()
    apply_token_bitmask_inplace(wanted, bitmask, rows=[0, 2])
    for mask in (bitmask, torch.from_numpy(bitmask), torch.from_numpy(bitmask).cuda(), torch.from_numpy(bitmask).pin_memory()):
        on_device = torch.from_numpy(logits).cuda()
        apply_token_bitmask_inplace(on_device, mask, rows=[0, 2])
        assert np.array_equal(on_device.cpu().numpy(), wanted)
    row = torch.from_numpy(logits[0]).cuda()
    apply_token_bitmask_inplace(row, bitmask[0])
    assert np.array_equal(row.cpu().numpy(), wanted[0])
