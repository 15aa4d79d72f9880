"""Calls of all operations that can be recorded, with the values that they were recorded with."""

from __future__ import annotations

import contextlib
import sys
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from contract.cases import LAYERS
from contract.functions import ALL
from fuzz.programs.generate import Generator
from fuzz.programs.words import NUMPY, STANDARD

import portanet as pn
from portanet.tracing.record import record

MORE = [
    *(f"xp.fft.{name}({{z}})" for name in ("fft", "ifft", "fftn", "ifftn")),
    "xp.fft.fftshift({f})", "xp.fft.ifftshift({z})",
    "xp.fft.rfft({f})", "xp.fft.irfft({z})", "xp.linalg.cholesky({m} @ {m}.T + 9.0)",
    "xp.linalg.solve({m} @ {m}.T, {m})", "xp.linalg.pinv({m})", "xp.linalg.svd({m})",
    "xp.linalg.eig({m} @ {m}.T)", "xp.linalg.slogdet({m} @ {m}.T)", "xp.linalg.matrix_rank({m})",
    "xp.linalg.cross({m}[:, :3], {m}[:, :3])", "pn.grad(lambda t: xp.linalg.det(t))({m}[:2, :2])",
    "pn.jvp(lambda t: xp.linalg.det(t), ({m}[:2, :2],), ({m}[:2, :2],))", "xp.isin({i}, {i})",
    "pn.hvp(lambda t: xp.linalg.det(t), {m}[:3, :3], {m}[:3, :3])",
    "pn.grad(lambda t: xp.sum(xp.sort(t, axis=0)))({f})", "xp.searchsorted({f}, {f})",
    "xp.take({x}, xp.argmax({x}, axis=0), axis=0)", "{x}[xp.argmax({f}, axis=0)]",
    "xp.empty_like({x})", "{i} | 1",
    "pn.grad(lambda t: xp.sum(t[xp.argmax(t, axis=0)]))({f})", "xp.linalg.matrix_power({m}, 1)",
    "pn.grad(lambda t: xp.sum(xp.logaddexp(t, 1.0)))({f})",
    "pn.grad(lambda t: xp.sum(np.logaddexp2(t, {f})))({f})", "xp.linalg.matrix_transpose({m})",
    "pn.grad(lambda t: xp.sum(t[0, ...]) + xp.sum(t[1:, ...]))({f})", "{i} >> 1", "{i} ^ 1",
    *(f"xp.{name}({{f}})" for name in ("acos", "asin", "asinh", "sinh", "log10", "log2", "acosh")),
    *(f"xp.{name}({{f}})" for name in ("atanh", "tan", "isinf")), "xp.nextafter({f}, {f})",
    "xp.logical_or({x}, {x})", "xp.less_equal({f}, {f})", "xp.greater({f}, {f})", "{x} // {x}",
]  # fmt: skip


def layouts(x):
    """Yield an array in several orders of memory."""
    x = np.asarray(x)
    yield x.copy()
    yield x.copy("F")
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen
    if x.ndim:
        yield np.repeat(x, 2, axis=0)[::2]
        yield np.flip(np.flip(x, 0).copy(), 0)
        yield np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0)


@dataclass(frozen=True)
class Call:
    """An operation, and the values of its arguments and options."""

    operation: Any
    args: tuple[Any, ...]
    options: dict[str, Any]

    @property
    def card(self):
        return self.operation.card

    def __call__(self, *args):
        """Compute it with other values of its first arguments."""
        return self.operation.primitive.compute(*args, *self.args[len(args) :], **self.options)

    def __repr__(self):
        given = [f"{x.dtype}{list(x.shape)}" if is_array(x) else repr(x) for x in self.args]
        return f"{self.card.name}({', '.join(given)}, {self.options})"


def functions_with_cards():
    """Return the kernels of `portanet.functional`, which hold their cards, by name."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("portanet.functional"):
            found |= {x.card.name: x for x in vars(module).values() if hasattr(x, "card")}
    return found


def is_array(x):
    return isinstance(x, np.ndarray | np.generic)


def recorded_calls():
    """Record every operation that the words of the fuzzer, the functions and some layers make."""
    calls = {}
    looked_at = record.looked_at

    def noted(operation, value, values):
        count = len(operation.args)
        args, given = tuple(values[:count]), values[count:]
        options = dict(zip(operation.options, given, strict=True))
        call = Call(operation, args, options)
        calls.setdefault((operation.card, repr(call)), call)
        return looked_at(operation, value, values)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(record, "looked_at", noted)
        record_words([*STANDARD, *NUMPY, *MORE])
        for case in ALL.values():
            inputs = case.inputs(np.random.default_rng(2), 4)
            pn.jit(case.call)(*(inputs if isinstance(inputs, tuple) else (inputs,)))
        for name in ("MaxPool", "MeanPool", "Conv", "Dense"):
            case = next(case for key, case in LAYERS.items() if key.startswith(name))
            layer, x = case.make(), case.inputs(np.random.default_rng(5), 4)
            ps, st = pn.setup(3, layer, dtype="float64")
            total = partial(_total, layer, st)
            pn.jit(pn.grad(total, (0, 1)))(x, ps)
            pn.jit(lambda x, ps, total=total: pn.jvp(total, (x, ps), (x, ps)))(x, ps)
    return list(calls.values())


def record_words(words):
    """Record each word on operands of several kinds, as often as it can be filled."""
    for seed, word in enumerate(words):
        generator = Generator("numpy", seed)
        rng = np.random.default_rng(seed)
        made = [
            rng.normal(size=(3, 4)), rng.normal(size=(3, 3)), rng.normal(size=4),
            np.asarray(rng.normal()), rng.normal(size=(3, 4)) + 1j, np.asarray(1 + 2j),
            rng.integers(1, 5, size=(3, 4)), np.asarray(3), rng.random((3, 4)) < 0.5,
        ]  # fmt: skip
        generator.values = {f"a{i}": x for i, x in enumerate(made)} | {"k0": pn.random.key(0)}
        names, values = zip(*generator.values.items(), strict=True)
        for text in filter(None, (generator._filled(word) for _ in range(5))):

            def function(*values, text=text, names=names, space=generator.names):
                return [eval(text, {**space, **dict(zip(names, values, strict=True))}), 0.0]

            with contextlib.suppress(Exception):  # an operand of another shape or dtype
                record.record(function, values, generator.names["xp"])


def _total(layer, st, x, ps):
    y, _ = layer(x, ps, st)
    return np.sum(np.sin(y) * y)
