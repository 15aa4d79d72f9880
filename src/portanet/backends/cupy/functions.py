"""Functions of rows as one kernel each, which is written of their generic bodies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cupy

from portanet.backends.cupy import rows
from portanet.backends.cupy.devices import following
from portanet.functional.half import is_half, rounded, widened
from portanet.functional.kernel import GENERIC
from portanet.tracing.passes import optimized
from portanet.tracing.plan.fused import Fused
from portanet.tracing.plan.fused_levels import has_rows
from portanet.tracing.plan.fused_rows import RowText
from portanet.tracing.record.record import record

_NAMES = (
    "layer_norm", "log_softmax", "log_softmax_pull", "log_softmax_push", "logsumexp",
    "masked_softmax", "rms_norm", "softmax", "softmax_scale", "standardize", "standardize_scale",
    "to_unit_size", "to_unit_size_scale",
)  # fmt: skip

_MOST = 256  # kernels that a function keeps at hand; CuPy has them all on disk
_TAKEN = frozenset((cupy.ndarray, int, float, tuple, type(None)))
"""What can be given. A number of NumPy is an array of another library."""


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel and what its operands are: the number of an array, or the operand itself."""

    text: RowText
    places: Sequence[int | None]
    operands: Sequence[Any]

    def __call__(self, arrays: Sequence[Any]) -> Any:
        launch = rows.launcher(self.text, arrays[0].shape)
        pairs = zip(self.places, self.operands, strict=True)
        return launch(*(x if place is None else arrays[place] for place, x in pairs))


class RowFunction:
    """A function whose first argument is reduced along its last axis.

    It is recorded once for the ranks and dtypes of its arrays, for where these have the length 1,
    and for what else it is given: the kernel is one for all other lengths. What is no such
    reduction, or does not become one kernel, is left to the generic body.

    Attributes
    ----------
    generic : callable
    """

    def __init__(self, name: str, backend: Any) -> None:
        self.generic = GENERIC[name]
        self._backend = backend
        self._wide = name in backend.wide_kernels
        self._kernels: dict[Any, _Kernel | None] = {}

    def __call__(self, *args: Any, **options: Any) -> Any:
        given = (*args, *options.values())
        arrays = [x for x in given if isinstance(x, cupy.ndarray)]
        if not _in_rows(arrays) or not _TAKEN.issuperset(map(type, given)):
            return self._body(*args, **options)
        key = (*map(_kind, given), *options)
        try:
            kernel = self._kernels[key]
        except KeyError:
            if len(self._kernels) >= _MOST:
                self._kernels.clear()
            kernel = self._kernels[key] = self._made(arrays, args, options)
        return self._body(*args, **options) if kernel is None else kernel(arrays)

    def _body(self, *args: Any, **options: Any) -> Any:
        if not (self._wide and is_half(args[0])):
            return self.generic(*args, **options)
        wide = {name: widened(x) for name, x in options.items()}
        return rounded(self.generic(*map(widened, args), **wide), args[0])

    def _made(self, arrays: Sequence[Any], args: Any, options: Any) -> _Kernel | None:
        """Return the kernel for arguments; None if they take more than one."""

        def body(*values: Any) -> list[Any]:
            rest = iter(values)

            def now(x: Any) -> Any:
                return next(rest) if isinstance(x, cupy.ndarray) else x

            return [self._body(*map(now, args), **{name: now(x) for name, x in options.items()})]

        program, _ = record(body, arrays, self._backend.xp)
        program = optimized(program, self._backend).program
        fused = program.operations[0].primitive if len(program.operations) == 1 else None
        if not isinstance(fused, Fused) or not isinstance(fused.text, RowText):
            return None
        if fused.shape != arrays[0].shape or program.outputs != fused.results:
            return None
        numbers = {v: i for i, v in enumerate(program.inputs)}
        places = [numbers.get(x) if x in numbers else None for x in fused.operands]
        return _Kernel(fused.text, places, fused.operands)


def _in_rows(arrays: Sequence[Any]) -> bool:
    """Whether there are rows to reduce in the first array, over which the others can be spread."""
    shape = arrays[0].shape
    if not shape or not arrays[0].size or not has_rows(shape):
        return False
    return all(_spreads(x.shape, shape) for x in arrays[1:])


def _spreads(shape: tuple[int, ...], over: tuple[int, ...]) -> bool:
    pairs = zip(reversed(shape), reversed(over), strict=False)
    return len(shape) <= len(over) and all(m in (1, n) for m, n in pairs)


def _kind(x: Any) -> Any:
    """Return what a kernel depends on in an argument."""
    if isinstance(x, cupy.ndarray):
        return x.dtype.char, tuple(n == 1 for n in x.shape)
    return type(x), x


def kernels(backend: Any) -> dict[str, Callable[..., Any]]:
    """Return the native bodies by their names."""
    return {name: following(RowFunction(name, backend)) for name in _NAMES}
