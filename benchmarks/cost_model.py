"""What the constants of the cost models are worth: the same work with others in their place.

Each row is one constant with one piece of work of a size near which it decides. The columns are
times with a quarter, half, twice and four times the constant, relative to that with the constant
as it stands: where all are above 1, it is well chosen for that work.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import portanet as pn
from benchmarks.report import table
from benchmarks.timing import interleave
from portanet.backends import get_backend

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Constant:
    """A tuned constant and work that it decides about.

    Parameters
    ----------
    path : str
        Its module below `portanet` and its name.
    work : str
    make : callable
        Returns a function without arguments; it is called with the constant in place.
    """

    path: str
    work: str
    make: Callable[[], Callable[[], object]]


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _recorded(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Callable[[], Any]:
    def make() -> Callable[[], object]:
        arrays = [_rng().normal(size=shape).astype(np.float32) for shape in shapes]
        jitted = pn.jit(function)
        jitted(*arrays)
        return lambda: jitted(*arrays)

    return make


def _kernel(name: str, *shapes: tuple[int, ...], **options: Any) -> Callable[[], Any]:
    def make() -> Callable[[], object]:
        arrays = [_rng().normal(size=shape).astype(np.float32) for shape in shapes]
        kernel = get_backend("numpy").kernels[name]
        return lambda: kernel(*arrays, **options)

    return make


def _chain(x: Any) -> Any:
    return np.tanh(x * 2.0 + 1.0) * x - 0.5 * x


def _rows(x: Any) -> Any:
    total = x[0] * x[1]
    for i in range(2, 12):
        total = total + x[i] * x[i - 1]
    return total


def _add_rows(rows: int, width: int) -> Callable[[], Any]:
    def make() -> Callable[[], object]:
        x = _rng().normal(size=(rows, width)).astype(np.float32)
        places = _rng().integers(0, 500, size=rows)
        return lambda: pn.functional.segment_sum(x, places, 500)

    return make


def _product(rows: int) -> Callable[[], Any]:
    return _recorded(lambda x, y: x @ np.swapaxes(y, -1, -2), (32, rows, 64), (32, 64, 64))


def _turned(m: int, k: int, n: int) -> Callable[[], Any]:
    return _recorded(lambda x, w: np.tanh(x @ w.T), (m, k), (n, k))


def _two_products(rows: int, n: int) -> Callable[[], Any]:
    shape = rows, n
    return _recorded(lambda x, y, w: np.sin(x) @ w + np.cos(y) @ w, shape, shape, (n, n))


def _chosen(n: int) -> Callable[[], Any]:
    return _recorded(lambda x, y: np.sin(np.where(x > 0, x, y)), (n,), (n,))


def _biased(m: int, n: int) -> Callable[[], Any]:
    return _recorded(lambda x, b: np.sin(x) + b, (m, n), (n,))


def _maxima(m: int, n: int) -> Callable[[], Any]:
    return _recorded(lambda x: np.max(x + x, axis=-1), (m, n))


def _differences(n: int, d: int) -> Callable[[], Any]:
    return _recorded(lambda x: np.sum((x[:, None] - x) ** 2, axis=-1), (n, d))


CONSTANTS = (
    Constant("tracing.plan.blocks._LARGE", "chain of 64k float32", _recorded(_chain, (256, 256))),
    Constant("tracing.plan.blocks._LARGE", "chain of 256k float32", _recorded(_chain, (512, 512))),
    Constant("tracing.plan.blocks._BLOCK", "chain of 1M float32", _recorded(_chain, (1024, 1024))),
    Constant(
        "tracing.plan.copied_inputs._WORTH", "12 views of 24 x 32", _recorded(_rows, (24, 32))
    ),
    Constant(
        "tracing.plan.copied_inputs._WORTH", "12 views of 24 x 512", _recorded(_rows, (24, 512))
    ),
    *(
        Constant(f"tracing.plan.turned_operands.{name}", f"{m} x {k} x {n}", _turned(m, k, n))
        for name, m, k, n in (
            ("LARGEST", 128, 128, 128),
            ("_RESULT", 32, 128, 32),
            ("_RESULT", 16, 128, 128),
            ("_TERMS", 128, 8, 128),
            ("_TERMS", 32, 24, 128),
        )
    ),
    *(
        Constant(f"tracing.plan.stacked_products.{name}", f"twice {m} x {n}", _two_products(m, n))
        for name, m, n in (("_FEW", 8, 64), ("_MOST", 1, 256), ("_SMALL", 64, 32))
    ),
    Constant("backends.numpy.selecting._MANY", "masks of 4096", _chosen(4096)),
    *(
        Constant("tracing.plan.spread_operands.LARGEST", f"bias of {m} x {n}", _biased(m, n))
        for m, n in ((64, 64), (256, 64))
    ),
    *(
        Constant(f"tracing.plan.short_axes.{name}", f"differences of {n} x {d}", _differences(n, d))
        for name, n, d in (("SHORT", 64, 8), ("SHORT", 64, 32), ("LONG", 12, 3), ("LONG", 24, 3))
    ),
    *(
        Constant("tape.ops.extremes.SHORT", f"maxima of {m} x {n}", _maxima(m, n))
        for m, n in ((128, 10), (256, 64))
    ),
    Constant("tape.ops.products.MANY", "products of 8 rows", _product(8)),
    Constant("tape.ops.products.MANY", "products of 32 rows", _product(32)),
    Constant("tape.ops.transcendental.SPARED", "sigmoid of 4096", _recorded(pn.sigmoid, (4096,))),
    Constant("backends.numpy.rows._BLOCK", "softmax of 4096 x 64", _kernel("softmax", (4096, 64))),
    Constant("backends.numpy.activations._BLOCK", "gelu of 1M", _kernel("gelu_erf", (1024, 1024))),
    Constant("backends.numpy.scatter._FEW", "128 rows of 32", _add_rows(128, 32)),
    Constant("backends.numpy.scatter._BLOCK", "8192 rows of 32", _add_rows(8192, 32)),
)


def cost_model() -> Iterator[str]:
    """Yield the table of the constants."""
    rows = []
    for constant in CONSTANTS:
        module_name, _, name = constant.path.rpartition(".")
        module = importlib.import_module(f"portanet.{module_name}")
        value = getattr(module, name)
        calls = {str(factor): _with(constant, module, name, value, factor) for factor in FACTORS}
        timings = interleave(calls)
        ratios = [f"{timings[str(f)].ratios['1.0']:.2f}" for f in FACTORS if f != 1.0]
        rows.append([f"`{constant.path}`", str(value), constant.work, *ratios])
        setattr(module, name, value)
    heads = ["constant", "value", "work", *(f"× {f:g}" for f in FACTORS if f != 1.0)]
    yield table(heads, rows)


def _with(
    constant: Constant, module: Any, name: str, value: int, factor: float
) -> Callable[[], object]:
    """Return the work with another constant, both while it is prepared and while it runs."""
    changed = round(value * factor)
    setattr(module, name, changed)
    call = constant.make()

    def run() -> None:
        setattr(module, name, changed)
        call()

    return run
