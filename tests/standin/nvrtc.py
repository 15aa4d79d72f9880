"""Give all device code of the CuPy adapter to CUDA's own compiler, which needs no GPU.

In an environment with CuPy itself, ``nvidia-cuda-nvrtc-cu12`` and ``nvidia-cuda-runtime-cu12``,
and with ``src`` and ``tests`` on the path::

    python -P tests/standin/nvrtc.py
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cupy
import numpy as np
import nvidia.cuda_runtime
from cupy_backends.cuda.libs import nvrtc
from tracing import test_fused as fused
from tracing import test_fused_rows as rows

from portanet.backends.cupy import convolution, indices, random
from portanet.tracing.plan.fused_words import C_TYPES

INCLUDED = Path(cupy.__file__).parent / "_core" / "include"
HEADERS = "complex.cuh carray.cuh atomics.cuh math_constants.h float16.cuh"
HEAD = "".join(
    f"#include <cupy/{name}>\n"
    for name in HEADERS.split()
    if (INCLUDED / "cupy" / name).exists()  # CuPy 13 has no float16.cuh
)
PLACES = (
    INCLUDED,
    *(INCLUDED / "cupy" / "_cccl" / part for part in ("libcudacxx", "cub", "thrust")),
    Path(next(iter(nvidia.cuda_runtime.__path__))) / "include",
)
OPTIONS = ("-std=c++17", "--fmad=false", "--gpu-architecture=compute_80")
SCALARS = {"check", "high", "low", "size", "wraps"}


def compiled(source: str, head: str = HEAD) -> str:
    """Return the PTX of a source; what the compiler says of it is raised."""
    program = nvrtc.createProgram(head + source, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*OPTIONS, *(f"-I{place}" for place in PLACES)))
    except Exception as error:
        raise SyntaxError(f"{nvrtc.getProgramLog(program)}\n{source}") from error
    return nvrtc.getPTX(program).decode()


def source_of(kernel: Any, name: str, **letters: str) -> str:
    """Return a kernel as a function of the device, on arrays of one axis."""
    params, lines = [], []
    for p in (*kernel.in_params, *kernel.out_params):
        const = "const " * p.is_const
        if p.name in SCALARS:
            params.append(f"{const}{p.ctype} {p.name}")
            continue
        array = p.name if p.raw else f"_raw_{p.name}"
        params.append(f"{const}CArray<{p.ctype}, 1, 1, 1> {array}")
        if not p.raw:
            lines.append(f"{const}{p.ctype} &{p.name} = {array}[_ind.get()];")
    head = f'extern "C" __global__ void {name}({", ".join(params)}, CIndexer<1, 1> _ind) {{'
    loop = "CUPY_FOR(i, _ind.size()) { _ind.set(i);"
    types = [f"typedef {ctype} {letter};" for letter, ctype in letters.items()]
    return "\n".join([*types, head, loop, *lines, f"{kernel.operation};", "} }"])


def fused_kernels() -> Iterator[Any]:
    """Yield a kernel for each operation and dtype that can be fused."""
    adapter = fused.KernelsOnHost()
    for dtype in (*fused.FLOATS, *fused.INTEGERS, "bool"):
        for name, text in fused.expressions(dtype):
            fused.kernel(adapter, fused.operation(name, *fused.operands(text, dtype))[0])
    for dtype in (*fused.FLOATS, *fused.INTEGERS):
        x = fused.values(dtype)
        for name, *args in [("where", x > 0, x, 1), ("clip", x, 1, x), ("convert", x, "bool")]:
            fused.kernel(adapter, fused.operation(name, *args)[0])
    yield from adapter._elementwise.values()


def row_kernels() -> Iterator[str]:
    """Yield the sources of kernels of rows, of programs made at random, which need no header."""
    for dtype in fused.FLOATS:
        adapter = fused.KernelsOnHost()
        for seed in range(30):
            made = rows.Made(seed)
            rows.planned(made, [x.astype(dtype) for x in made.inputs], adapter)
        yield from (text.code for text in adapter.row_texts)


def sources() -> Iterator[str]:
    """Yield what is compiled, as functions whose preambles stand before them."""
    for i, kernel in enumerate(fused_kernels()):
        yield kernel.preamble + source_of(kernel, f"fused{i}")
    for kind, dtype in itertools.product(("uniform", "normal"), fused.FLOATS):
        kernel = random._kernel(kind, dtype)
        yield kernel.preamble + source_of(kernel, "draw", T=C_TYPES[dtype])
    for dtype in fused.INTEGERS:
        yield source_of(indices._CHECK, "check", T=C_TYPES[dtype])
    shapes = [
        ((5, 6), (1, 0), (3, 4), (3, 3), (2, 1), (1, 2)),
        ((7,), (0,), (7,), (1,), (1,), (1,)),
    ]
    for dtype, shape in itertools.product(fused.FLOATS, shapes):
        yield source_of(convolution._adding(dtype, 3, *shape), "add")


def main() -> None:
    """Compile all of it; the first fault ends this."""
    with np.errstate(all="ignore"):
        count = sum(compiled(source).count(".entry") for source in sources())
        count += sum(compiled(source, "").count(".entry") for source in row_kernels())
    print(f"CUDA's compiler takes {count} kernels, for CuPy {cupy.__version__}")


if __name__ == "__main__":
    main()
