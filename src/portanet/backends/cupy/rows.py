"""Kernels of rows on a CUDA device: how they are launched."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import cupy

from portanet.tracing.plan.fused_levels import Level
from portanet.tracing.plan.fused_rows import RowText

# Contraction would make a fused product and sum differ from two operations.
OPTIONS = ("-ffp-contract=off",) if cupy.cuda.runtime.is_hip else ("--fmad=false",)

_BLOCKS = 1 << 16  # of a launch; each takes rows until none are left
_ENTRIES = 4  # of a row that a thread takes at least: waiting for the others costs more than these
_NUMBERS = {"double": float, "long long": int}


@cache
def _compiled(text: RowText) -> Any:
    return cupy.RawKernel(text.code, text.name, options=OPTIONS)


def launcher(text: RowText, shape: tuple[int, ...]) -> Callable[..., Any]:
    """Return a function of the operands of a kernel of rows, for arrays of a shape."""
    kernel, inputs = _compiled(text), text.inputs
    *outer, columns = shape
    rows = math.prod(outer)
    width = min(text.threads, _power_of_two(-(-columns // _ENTRIES)))
    height = min(text.threads // width, _power_of_two(rows))
    grid = (1 if text.alone else min(-(-rows // height), _BLOCKS),)
    sizes = [rows, columns, *outer[1:]]
    shapes = {
        Level.ENTRY: shape,
        Level.KEPT: (*outer, 1),
        Level.DROPPED: tuple(outer),
        Level.ONES_KEPT: (1,) * len(shape),
        Level.ONES_DROPPED: (1,) * len(outer),
        Level.TOTAL: (),
    }
    outputs = [(shapes[level], dtype) for dtype, level in text.outputs]

    def launch(*operands: Any) -> Any:
        results = [cupy.empty(shape, dtype) for shape, dtype in outputs]
        if rows:
            given = list(sizes)
            for x, how in zip(operands, inputs, strict=True):
                make = _NUMBERS.get(how)
                if make is not None:
                    given.append(make(x))
                else:
                    given += [x, *_strides(x, len(outer) + (how == "array"))]
            kernel(grid, (width, height), (*given, *results))
        return results[0] if len(results) == 1 else tuple(results)

    return launch


def _power_of_two(n: int) -> int:
    """Return the smallest power of two from `n` on."""
    return 1 << max(n - 1, 0).bit_length()


def _strides(x: Any, rank: int) -> list[int]:
    """Return the steps between entries of an array that is spread over `rank` axes."""
    size = x.itemsize
    own = [0 if n == 1 else step // size for n, step in zip(x.shape, x.strides, strict=True)]
    return [0] * (rank - len(own)) + own
