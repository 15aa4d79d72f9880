"""Whole functions replayed as on CuPy, by calls and fused kernels, with NumPy's arrays."""

from __future__ import annotations

import numpy as np
import pytest
from tracing.kernels_on_host import KernelsOnHost
from tracing.same import check_jitted
from tracing.test_training import check_steps

import portanet as pn
from portanet.backends.numpy import NumPyBackend
from portanet.training import TrainState


@pytest.fixture
def kernels(monkeypatch):
    """Let NumPy replay programs as CuPy does; return the adapter that makes its kernels."""
    adapter = KernelsOnHost()
    for name in ("jit", "fuses"):
        monkeypatch.setattr(NumPyBackend, name, getattr(adapter, name))
    for name in ("elementwise_kernel", "row_kernel"):
        made = staticmethod(getattr(adapter, name))
        monkeypatch.setattr(NumPyBackend, name, made, raising=False)
    return adapter


def training(model, x, y, loss, dtype, **options):
    ps, st = pn.setup(0, model, dtype=dtype)
    ts = TrainState(model, ps, st, pn.optimizers.Adam(0.03))
    return check_steps(ts, [(x.astype(dtype), y.astype(dtype))], loss, 5, **options)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-9), ("float32", 1e-4)])
def test_polynomial(kernels, dtype, rtol):
    def loss(model, ps, st, data):
        x, y = data
        prediction, st = model(x, ps, st)
        return pn.MSELoss()(prediction, y), st, {}

    x = np.linspace(-2, 2, 128)[:, None]
    model = pn.Chain(pn.Dense(1, 16, pn.relu), pn.Dense(16, 1))
    training(model, x, x**2 - 2 * x, loss, dtype, rtol=rtol, atol=rtol / 10)
    assert max(text.body.count("static_cast") for text in kernels.texts) > 15  # Adam
    assert kernels.launches == 5 * len([*kernels.texts, *kernels.row_texts])


def test_classifier(kernels):
    def loss(model, ps, st, data):
        x, y = data
        prediction, st = model(x, ps, st)
        return pn.CrossEntropyLoss()(pn.softmax(prediction), y), st, {}

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 6)), np.eye(3)[rng.integers(0, 3, 20)]
    model = pn.Chain(
        pn.Dense(6, 8, pn.gelu), pn.LayerNorm(8), pn.Dense(8, 8, pn.tanh), pn.Dropout(0.2),
        pn.Dense(8, 3),
    )  # fmt: skip
    training(model, x, y, loss, "float64")
    assert kernels.launches


def test_recurrent(kernels):
    """The body of a loop has kernels too."""
    cell = pn.Recurrence(pn.LSTMCell(3, 5))
    ps, st = pn.setup(0, cell, dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 9, 3))
    gradient = pn.grad(lambda ps, x: pn.array_namespace(x).sum(cell(x, ps, st)[0] ** 2))
    check_jitted(gradient, ps, x, rtol=1e-9)
    assert kernels.launches > 9


def test_higher_derivatives(kernels):
    x = np.linspace(0.1, 2.0, 6)
    check_jitted(pn.hessian(lambda x: (pn.sigmoid(x) * x**3).sum()), x)
    check_jitted(pn.vmap(pn.grad(lambda x: (x**1.5).sum())), x[:, None] + x)
    assert kernels.launches


def test_what_the_program_says(kernels):
    jitted = pn.jit(lambda x: np.tanh(np.sin(x) * 2.0))
    x = np.ones(3)
    jitted(x)
    jitted(x)
    assert jitted.source(x) == (
        "def workspace(np, c0):\n"
        "    def replay(a0):\n"
        "        v0 = c0(a0)\n"
        "        return v0\n"
        "    return replay\n"
    )
    assert "portanet_sin_multiply_tanh: 1" in jitted.explain(x)
