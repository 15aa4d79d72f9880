"""Losses that contain derivatives of a model, differentiated again, against torch.func.

A loss is written once in terms of `xp`, `grad` and `jvp`, and run with ours on the model of
portanet and with torch's on the same network written out in torch. The network has batch
statistics, so its samples depend on each other, and a dropout mask, which derivatives hold fixed.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest

import portanet as pn

MODEL = pn.Chain(
    hidden=pn.Dense(2, 6, pn.tanh),
    norm=pn.BatchNorm(6),
    drop=pn.Dropout(0.25),
    wide=pn.Dense(6, 5, pn.softplus),
    out=pn.Dense(5, 1),
)
SAMPLES = 8

# torch.func.jvp scripts a few functions when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


def ours(x):
    xp = pn.array_namespace(x)
    return SimpleNamespace(
        xp=xp,
        stack=lambda parts: xp.stack(parts, axis=-1),
        grad=pn.grad,
        jvp=lambda f, x, v: pn.jvp(f, (x,), (v,)),
    )


def theirs():
    torch = pytest.importorskip("torch")
    return SimpleNamespace(
        xp=torch,
        stack=lambda parts: torch.stack(parts, -1),
        grad=torch.func.grad,
        jvp=lambda f, x, v: torch.func.jvp(f, (x,), (v,)),
    )


def along(v, u, x, axis):
    """The derivative of u at all points along one coordinate, by forward mode."""
    direction = v.stack([v.xp.ones_like(x[:, k]) * float(k == axis) for k in (0, 1)])
    return v.jvp(u, x, direction)[1]


def slope(v, u, x):
    """The gradient of the sum of u, by reverse mode."""
    return v.grad(lambda x: v.xp.sum(u(x)))(x)


def burgers_forward(v, u, x):
    """u_t + u u_x − 0.1 u_xx by forward over forward."""
    u_t, u_x = along(v, u, x, 1), along(v, u, x, 0)
    u_xx = along(v, lambda x: along(v, u, x, 0), x, 0)
    return v.xp.mean((u_t + u(x) * u_x - 0.1 * u_xx) ** 2)


def burgers_reverse(v, u, x):
    """The same with every derivative by reverse mode: training is reverse over both."""
    first = slope(v, u, x)
    u_xx = slope(v, lambda x: slope(v, u, x)[:, 0], x)[:, 0]
    return v.xp.mean((first[:, 1] + u(x)[:, 0] * first[:, 0] - 0.1 * u_xx) ** 2)


def laplacian(v, u, x):
    """u_xx + u_yy by forward over reverse."""
    total = 0.0
    for axis in (0, 1):
        total = total + along(v, lambda x: slope(v, u, x), x, axis)[:, axis]
    return v.xp.mean((total - v.xp.sin(x[:, 0])) ** 2)


def hamiltonian(v, h, x):
    """Two midpoint steps along (∂H/∂p, −∂H/∂q): a neural ODE whose field is a derivative."""

    def field(x):
        d = slope(v, h, x)
        return v.stack([d[:, 1], -d[:, 0]])

    z = x
    for _ in range(2):
        z = z + 0.1 * field(z + 0.05 * field(z))
    return v.xp.mean((z - x * 0.9) ** 2)


def gradient_penalty(v, critic, x):
    """How far the norm of the gradient is from 1."""
    norm = v.xp.sqrt(v.xp.sum(slope(v, critic, x) ** 2, axis=-1) + 1e-6)
    return v.xp.mean(critic(x)) + 10.0 * v.xp.mean((norm - 1.0) ** 2)


def divergence(v, potential, x):
    """vᵀ J v of the field of a potential, as continuous flows estimate it."""
    noise = v.xp.cos(x * 7.0)
    value, product = v.jvp(lambda x: slope(v, potential, x), x, noise)
    return v.xp.mean(value**2) - v.xp.mean(v.xp.sum(product * noise, axis=-1))


LOSSES = [
    burgers_forward, burgers_reverse, laplacian, hamiltonian, gradient_penalty, divergence,
]  # fmt: skip


def skip_on_jax(backend):
    if backend.name == "jax" and not os.environ.get("PORTANET_TEST_BACKEND"):
        pytest.skip("JAX compiles these for long: they run with PORTANET_TEST_BACKEND=jax")


def points():
    return np.random.default_rng(4).uniform(-1, 1, (SAMPLES, 2))


def pieces(backend, dtype="float64"):
    ps, st = pn.setup(3, MODEL, dtype=dtype, device=backend.place)
    return ps, st, backend.asarray(points().astype(dtype))


def network(ps, st):
    return lambda x: MODEL(x, ps, st)[0]


def mask(backend, st):
    """What dropout multiplies with: it shows when it drops out ones."""
    ones = backend.asarray(np.ones((SAMPLES, 6)))
    return backend.to_numpy(MODEL["drop"](ones, {}, st["drop"])[0])


def network_in_torch(ps, mask, epsilon=1e-5):
    torch = pytest.importorskip("torch")
    mask = torch.tensor(mask)

    def run(x):
        x = torch.tanh(x @ ps["hidden"]["weight"].T + ps["hidden"]["bias"])
        x = (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + epsilon)
        x = (x * ps["norm"]["scale"] + ps["norm"]["bias"]) * mask
        x = torch.log1p(torch.exp(x @ ps["wide"]["weight"].T + ps["wide"]["bias"]))
        return x @ ps["out"]["weight"].T + ps["out"]["bias"]

    return run


def in_torch(backend, ps, st):
    """The loss as a function of parameters and points, and both, in torch."""
    torch = pytest.importorskip("torch")
    dropped = mask(backend, st)
    ps = pn.trees.map_leaves(lambda p: torch.tensor(backend.to_numpy(p)), ps)
    return lambda loss, ps, x: loss(theirs(), network_in_torch(ps, dropped), x), ps


def close(backend, actual, expected, rtol, atol):
    pairs = zip(pn.trees.flatten_with_paths(actual), pn.trees.leaves(expected), strict=True)
    for (path, leaf), wanted in pairs:
        found = backend.to_numpy(leaf)
        np.testing.assert_allclose(found, wanted.numpy(), rtol=rtol, atol=atol, err_msg=path)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_parameters_and_points(backend, loss):
    torch = pytest.importorskip("torch")
    ps, st, x = pieces(backend)
    theirs, their_ps = in_torch(backend, ps, st)
    grads = pn.grad(lambda ps, x: loss(ours(x), network(ps, st), x), argnums=(0, 1))(ps, x)
    wanted = torch.func.grad(lambda ps, x: theirs(loss, ps, x), argnums=(0, 1))(
        their_ps, torch.tensor(points())
    )
    close(backend, grads, wanted, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("loss", LOSSES)
def test_one_order_more(backend, loss):
    """The Hessian-vector product of a loss that contains derivatives."""
    torch = pytest.importorskip("torch")
    skip_on_jax(backend)
    ps, st, x = pieces(backend)
    theirs, their_ps = in_torch(backend, ps, st)
    product = pn.hvp(lambda ps: loss(ours(x), network(ps, st), x), ps, ps)
    there = torch.tensor(points())
    slope = torch.func.grad(lambda ps: theirs(loss, ps, there))
    _, pullback = torch.func.vjp(slope, their_ps)
    close(backend, product, pullback(their_ps)[0], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_oracle_against_finite_differences(loss):
    torch = pytest.importorskip("torch")
    ps, _ = pn.setup(3, MODEL, dtype="float64", device="torch")
    x, kept = torch.tensor(points()), np.ones((SAMPLES, 6))

    def value(t):
        moved = pn.trees.map_leaves(lambda p: p + t * torch.cos(p), ps)
        return loss(theirs(), network_in_torch(moved, kept), x)

    slope = torch.func.grad(value)(torch.zeros((), dtype=torch.float64))
    h = 1e-5
    assert float(slope) == pytest.approx(float(value(h) - value(-h)) / (2 * h), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_stays(backend, loss):
    skip_on_jax(backend)
    ps, st, x = pieces(backend, "float32")
    value, grads = pn.value_and_grad(lambda ps: loss(ours(x), network(ps, st), x))(ps)
    ps, st, x = pn.astype((ps, st, x), "float64")
    wanted = pn.grad(lambda ps: loss(ours(x), network(ps, st), x))(ps)
    assert value.dtype == backend.dtype("float32")
    pairs = zip(pn.trees.flatten_with_paths(grads), pn.trees.leaves(wanted), strict=True)
    for (path, leaf), exact in pairs:
        assert leaf.dtype == backend.dtype("float32"), path
        exact = backend.to_numpy(exact)
        size = max(np.abs(exact).max(), 1e-2)
        np.testing.assert_allclose(backend.to_numpy(leaf), exact, rtol=0, atol=2e-3 * size)


def penalised(model, ps, st, data):
    """A regression whose slope in the points is known, too; the states come from the value."""
    x, y, dy = data
    xp = pn.array_namespace(x)
    prediction, new = model(x, ps, st)
    found = pn.grad(lambda x: xp.sum(model(x, ps, st)[0]))(x)
    return xp.mean((prediction - y) ** 2) + xp.mean((found - dy) ** 2), new, {"slope": found}


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
def test_training_with_a_derivative_in_the_loss(backend, jit):
    if jit and backend.name != "numpy":
        pytest.skip("recorded programs are NumPy's")
    ps, st, x = pieces(backend, "float32")
    host = points().astype(np.float32)
    y = np.sin(host[:, :1]) * host[:, 1:]
    dy = np.concatenate([np.cos(host[:, :1]) * host[:, 1:], np.sin(host[:, :1])], axis=1)
    data = x, backend.asarray(y), backend.asarray(dy)
    ts = pn.training.TrainState(MODEL, ps, st, pn.optimizers.Adam(0.02))
    losses, means = [], []
    for _ in range(100):
        value, stats, ts = pn.training.train_step(penalised, data, ts, jit=jit)
        losses.append(float(value))
        means.append(backend.to_numpy(ts.states["norm"]["running_mean"]))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert stats["slope"].shape == (SAMPLES, 2)
    weight, bias = (backend.to_numpy(ps["hidden"][name]) for name in ("weight", "bias"))
    wanted = 0.1 * np.mean(np.tanh(host @ weight.T + bias), axis=0)
    np.testing.assert_allclose(means[0], wanted, rtol=1e-5, atol=1e-7)
    assert ts.states["drop"]["key"] != st["drop"]["key"]
