"""What a tape adds to each NumPy call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import autograd
import autograd.numpy as anp
import numpy as np

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.report import duration, table
from benchmarks.timing import interleave

LENGTH = 100

_X = np.linspace(0.2, 0.9, 8)
_SMALL = np.linspace(-0.5, 0.5, 16).reshape(4, 4) + np.eye(4) * 0.5
_KEY = slice(0, 8)
_CALLS = SimpleNamespace(sin=np.sin, tanh=np.tanh, sum=np.add.reduce)


class Operation(NamedTuple):
    """One operation on `x`, and the NumPy calls that take a cotangent `g` of its result back.

    ``forward(xp, x, start)`` also gets the array with which the chain starts.
    """

    forward: Callable[[Any, Any, Any], Any]
    back: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    start: np.ndarray = _X


def _scatter(g: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    full = np.zeros_like(x)
    full[_KEY] = g
    return full


OPERATIONS = {
    "sin(x)": Operation(lambda xp, x, start: xp.sin(x), lambda g, x, y: g * np.cos(x)),
    "tanh(x)": Operation(lambda xp, x, start: xp.tanh(x), lambda g, x, y: g * (1 - y * y)),
    "x * 1.5": Operation(lambda xp, x, start: x * 1.5, lambda g, x, y: g * 1.5),
    "x * x": Operation(lambda xp, x, start: x * x, lambda g, x, y: g * x + g * x),
    "x + start": Operation(lambda xp, x, start: x + start, lambda g, x, y: g),
    "x @ w": Operation(lambda xp, x, start: x @ _SMALL, lambda g, x, y: g @ _SMALL.T, _SMALL),
    "sum(x, axis=0)": Operation(
        lambda xp, x, start: xp.sum(x, axis=0, keepdims=True),
        lambda g, x, y: g,
        _X[None],
    ),
    "x[0:8]": Operation(lambda xp, x, start: x[_KEY], _scatter),
}


def _chain(operation: Operation, xp: Any) -> Callable[[Any], Any]:
    forward = operation.forward

    def run(start: Any) -> Any:
        x = start
        for _ in range(LENGTH):
            x = forward(xp, x, start)
        return x

    return run


def _by_hand(name: str, operation: Operation, g: np.ndarray) -> np.ndarray:
    forward, back = operation.forward, operation.back
    values = [operation.start]
    for _ in range(LENGTH):
        values.append(forward(_CALLS, values[-1], operation.start))
    total = np.zeros_like(g)
    for x, y in zip(values[-2::-1], values[:0:-1], strict=True):
        if name == "x + start":
            total = total + g
        g = back(g, x, y)
    return total + g


def overhead() -> Iterator[str]:
    """Forward and backward through a chain of calls, beyond the NumPy calls themselves."""
    rows = []
    for name, operation in OPERATIONS.items():
        start, g = operation.start, np.ones_like(operation.start)
        ours = partial(pn.vjp, _chain(operation, pn.array_namespace(start)), start)
        theirs = partial(autograd.make_vjp(_chain(operation, anp)), start)
        calls = {
            "NumPy": partial(_by_hand, name, operation, g),
            "HIPS": lambda pull=theirs, g=g: pull()[0](g),
            "portanet": lambda pull=ours, g=g: pull()[1](g)[0],
        }
        agree(name, {contender: [call()] for contender, call in calls.items()})
        times = interleave(calls)
        base = times["NumPy"].seconds
        ours, theirs = (times[key].ratios["NumPy"] - 1 for key in ("portanet", "HIPS"))
        spent = [ours * base / LENGTH, theirs * base / LENGTH]
        rows.append([f"`{name}`", *map(duration, [base / LENGTH, *spent]), f"{ours / theirs:.2f}"])
    header = ["operation", "NumPy calls", "portanet beyond", "HIPS autograd beyond", "ratio"]
    yield "### Overhead of a recorded operation, forward and backward\n\n" + table(header, rows)


def untraced() -> Iterator[str]:
    """Functions of the traced namespace on plain arrays."""
    xp: Any = pn.array_namespace(_X)
    pairs = {
        "sin": (partial(np.sin, _X), partial(xp.sin, _X)),
        "add": (partial(np.add, _X, _X), partial(xp.add, _X, _X)),
        "matmul": (partial(np.matmul, _SMALL, _SMALL), partial(xp.matmul, _SMALL, _SMALL)),
        "sum": (partial(np.sum, _X), partial(xp.sum, _X)),
        "reshape": (partial(np.reshape, _X, (2, 4)), partial(xp.reshape, _X, (2, 4))),
    }
    rows = []
    for name, (theirs, ours) in pairs.items():
        times = interleave({"NumPy": theirs, "portanet": ours})
        seconds = [times[key].seconds for key in ("NumPy", "portanet")]
        rows.append(
            [f"`{name}`", *map(duration, seconds), f"{times['portanet'].ratios['NumPy']:.2f}"]
        )
    header = ["function", "np", "portanet's namespace", "ratio"]
    yield "### Calls on plain arrays of 8\n\n" + table(header, rows)
