"""Every rule against torch.optim or the recurrence of its paper, on an ill-conditioned problem."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import optimizers as opt
from portanet import trees

STEPS = 200
SHAPES = {"bias": (3,), "weight": (4, 3)}
COUNT = 15

_rng = np.random.default_rng(7)
_BASIS = np.linalg.qr(_rng.normal(size=(COUNT, COUNT)))[0]
# A Hessian whose eigenvalues lie between 1 and 1e-4.
HESSIAN = _BASIS.T @ np.diag(np.logspace(0, -4, COUNT)) @ _BASIS
GOAL = _rng.normal(size=COUNT)
START = _rng.normal(size=COUNT)


def cut(vector):
    return {"bias": vector[:3], "weight": vector[3:].reshape(4, 3)}


def joined(tree):
    return np.concatenate([np.ravel(x) for x in trees.leaves(tree)])


def gradients(ps):
    return cut(HESSIAN @ (joined(ps) - GOAL))


# The recurrences, written from the papers: each takes gradients and yields parameters.


def momentum(x, lr, rho):
    v = 0.0
    while True:
        g = yield x
        v = rho * v + lr * g
        x = x - v


def nesterov(x, lr, rho):
    """Sutskever's form: the gradient is taken where the velocity leads, and x is that point."""
    v = 0.0
    while True:
        g = yield x
        before, v = v, rho * v - lr * g
        x = x - rho * before + (1 + rho) * v


def radam(x, lr, b1, b2, eps):
    m, v, t, most = 0.0, 0.0, 0, 2 / (1 - b2) - 1
    while True:
        g = yield x
        t += 1
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        length = most - 2 * t * b2**t / (1 - b2**t)
        step = m / (1 - b1**t)
        if length > 4:
            r2 = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
            step = step * np.sqrt(r2) * np.sqrt(1 - b2**t) / (np.sqrt(v) + eps)
        x = x - lr * step


def oadam(x, lr, b1, b2, eps):
    m, v, t, before = 0.0, 0.0, 0, 0.0
    while True:
        g = yield x
        t += 1
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        now = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        x, before = x - 2 * lr * now + lr * before, now


def amsgrad(x, lr, b1, b2, eps):
    m, v, most = 0.0, 0.0, 0.0
    while True:
        g = yield x
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        most = np.maximum(most, v)
        x = x - lr * m / (np.sqrt(most) + eps)


def adabelief(x, lr, b1, b2, eps):
    m, s, t = 0.0, 0.0, 0
    while True:
        g = yield x
        t += 1
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps
        x = x - lr * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)


def lion(x, lr, b1, b2, decay):
    m = 0.0
    while True:
        g = yield x
        update = np.sign(b1 * m + (1 - b1) * g)
        m = b2 * m + (1 - b2) * g
        x = x - lr * (update + decay * x)


def lamb(x, lr, b1, b2, eps, decay):
    m, v, t = 0.0, 0.0, 0
    while True:
        g = yield x
        t += 1
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        r = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps) + decay * x
        x = x - lr * np.sqrt(np.sum(x**2)) / np.sqrt(np.sum(r**2)) * r


def adafactor(x, lr, decay_power, decay):
    rows = columns = squares = 0.0
    t = 0
    while True:
        g = yield x
        t += 1
        beta = 1 - t**-decay_power
        g2 = g**2 + 1e-30
        squares = beta * squares + (1 - beta) * g2
        if x.ndim == 2:
            rows = beta * rows + (1 - beta) * np.sum(g2, axis=1)
            columns = beta * columns + (1 - beta) * np.sum(g2, axis=0)
            u = g / np.sqrt(np.outer(rows, columns) / np.sum(rows))
        else:
            u = g / np.sqrt(squares)
        u = u / max(1.0, np.sqrt(np.mean(u**2)))
        alpha = max(1e-3, np.sqrt(np.mean(x**2))) * min(lr, 1 / np.sqrt(t))
        x = x - lr * decay * x - alpha * u


def muon(x, lr, mu, decay):
    """The iteration of Newton and Schulz is a polynomial of the singular values."""
    m = 0.0
    while True:
        g = yield x
        m = mu * m + (1 - mu) * g
        u, s, vt = np.linalg.svd(mu * m + (1 - mu) * g, full_matrices=False)
        s = s / (np.sqrt(np.sum(s**2)) + 1e-7)
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        x = (1 - lr * decay) * x - lr * max(1.0, x.shape[0] / x.shape[1]) ** 0.5 * (u * s) @ vt


PAPERS = {
    "Momentum": (opt.Momentum(0.1, 0.8), lambda x: momentum(x, 0.1, 0.8)),
    "Nesterov": (opt.Nesterov(0.1, 0.8), lambda x: nesterov(x, 0.1, 0.8)),
    "RAdam": (opt.RAdam(0.03, (0.9, 0.99)), lambda x: radam(x, 0.03, 0.9, 0.99, 1e-8)),
    "RAdam, never": (opt.RAdam(0.03, (0.9, 0.5)), lambda x: radam(x, 0.03, 0.9, 0.5, 1e-8)),
    "OAdam": (opt.OAdam(0.001), lambda x: oadam(x, 0.001, 0.5, 0.9, 1e-8)),
    "AMSGrad": (opt.AMSGrad(0.03), lambda x: amsgrad(x, 0.03, 0.9, 0.999, 1e-8)),
    "AdaBelief": (opt.AdaBelief(0.03), lambda x: adabelief(x, 0.03, 0.9, 0.999, 1e-16)),
    "Lion": (opt.Lion(0.01, weight_decay=0.1), lambda x: lion(x, 0.01, 0.9, 0.99, 0.1)),
    "LAMB": (opt.LAMB(0.01, weight_decay=0.1), lambda x: lamb(x, 0.01, 0.9, 0.999, 1e-6, 0.1)),
    "Adafactor": (
        opt.Adafactor(0.005, weight_decay=0.1),
        lambda x: adafactor(x, 0.005, 0.8, 0.1),
    ),
    "Muon": (
        opt.Groups({"weight": opt.Muon(0.003, weight_decay=0.1)}, opt.Momentum(0.1, 0.8)),
        lambda x: muon(x, 0.003, 0.95, 0.1) if x.ndim == 2 else momentum(x, 0.1, 0.8),
    ),
}

TORCH = {
    "SGD, dampening": (
        opt.SGD(0.3, momentum=0.9, dampening=0.5),
        lambda o, ps: o.SGD(ps, 0.3, momentum=0.9, dampening=0.5),
    ),
    "Momentum": (opt.Momentum(0.1, 0.8), lambda o, ps: o.SGD(ps, 0.1, momentum=0.8)),
    "Nesterov": (opt.Nesterov(0.1), lambda o, ps: o.SGD(ps, 0.1, momentum=0.9, nesterov=True)),
    "Rprop": (opt.Rprop(), lambda o, ps: o.Rprop(ps)),
    "AdaGrad": (opt.AdaGrad(0.1), lambda o, ps: o.Adagrad(ps, 0.1)),
    "AdaDelta": (opt.AdaDelta(), lambda o, ps: o.Adadelta(ps)),
    "AdaMax": (opt.AdaMax(0.03), lambda o, ps: o.Adamax(ps, 0.03)),
    "NAdam": (opt.NAdam(0.03), lambda o, ps: o.NAdam(ps, 0.03)),
    "NAdam, decay": (
        opt.NAdam(0.03, (0.8, 0.99), momentum_decay=0.1),
        lambda o, ps: o.NAdam(ps, 0.03, (0.8, 0.99), momentum_decay=0.1),
    ),
    "Adafactor": (
        opt.Adafactor(0.005, weight_decay=0.1),
        lambda o, ps: o.Adafactor(ps, 0.005, eps=(1e-30, 1e-3), weight_decay=0.1),
    ),
    "Adam": (opt.Adam(0.03), lambda o, ps: o.Adam(ps, 0.03)),
    "AdamW": (opt.AdamW(0.03), lambda o, ps: o.AdamW(ps, 0.03)),
}


def trajectory(rule):
    """Return where 200 eager steps on NumPy lead."""
    ps = cut(START)
    state = opt.setup(rule, ps)
    for _ in range(STEPS):
        state, ps = opt.update(state, ps, gradients(ps))
    return ps


@pytest.mark.parametrize("name", PAPERS)
def test_steps_follow_the_paper(name):
    rule, recurrence = PAPERS[name]
    runs = {key: recurrence(x) for key, x in cut(START).items()}
    ps = {key: next(run) for key, run in runs.items()}
    for _ in range(STEPS):
        grads = gradients(ps)
        ps = {key: run.send(grads[key]) for key, run in runs.items()}
    assert_moved_to(trajectory(rule), ps)


@pytest.fixture
def torch():
    """Torch with its counters and products in float64: those of NAdam have the default dtype."""
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", TORCH)
def test_steps_follow_torch_optim(name, torch):
    rule, make = TORCH[name]
    tensors = {key: torch.tensor(x, requires_grad=True) for key, x in cut(START).items()}
    twin = make(torch.optim, list(tensors.values()))
    for _ in range(STEPS):
        grads = gradients({key: x.detach().numpy() for key, x in tensors.items()})
        for key, x in tensors.items():
            x.grad = torch.tensor(grads[key])
        twin.step()
    assert_moved_to(trajectory(rule), {key: x.detach().numpy() for key, x in tensors.items()})


def assert_moved_to(ps, expected):
    assert np.linalg.norm(joined(ps) - START) > 0.1
    np.testing.assert_allclose(joined(ps), joined(expected), rtol=1e-8, atol=1e-9)


class Quadratic:
    """A model whose output is the residual, so that the loss is a sum of squares."""

    def __init__(self, backend):
        self.root = backend.asarray(np.diag(np.logspace(0, -2, COUNT)) @ _BASIS)
        self.goal = backend.asarray(GOAL)

    def __call__(self, x, ps, st):
        xp = pn.array_namespace(self.goal)
        flat = xp.concat([ps["bias"], xp.reshape(ps["weight"], (-1,))])
        return self.root @ (flat - self.goal), st


def half_of_squares(model, ps, st, data):
    residual, st = model(data, ps, st)
    return 0.5 * pn.array_namespace(residual).sum(residual * residual), st, {}


EVERYWHERE = {**{name: case[0] for name, case in {**PAPERS, **TORCH}.items()}}
EVERYWHERE |= {
    "Accumulate": opt.Accumulate(opt.chain(opt.ClipGlobalNorm(1.0), opt.Adam(0.03)), every=3),
    "clipped": opt.chain(opt.ClipGlobalNorm(0.3), opt.ClipNorm(0.1), opt.SGD(0.3)),
    "averaged": opt.chain(opt.SGD(0.3), opt.MovingAverage(0.9)),
    "masked": opt.chain(opt.Masked(opt.SignDecay(0.01), "weight"), opt.Adam(0.03)),
    "MasterWeights": opt.MasterWeights(opt.RAdam(0.03)),
    "groups": opt.chain(
        opt.ClipGlobalNorm(1.0),
        opt.Groups({"bias": opt.chain(opt.WeightDecay(0.1), opt.SGD(0.1))}, opt.Adam(0.01)),
    ),
    "scheduled": opt.Scheduler(
        opt.NAdam(), lr=opt.schedules.CosineAnnealing(0.01, 0.0001, steps=200)
    ),
}


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "recorded"])
@pytest.mark.parametrize("name", EVERYWHERE)
def test_every_backend_takes_the_same_steps(backend, name, jit):
    rule = EVERYWHERE[name]
    replayed = jit and backend.adapter.jit != "library"
    steps = STEPS if backend.name == "numpy" or replayed else 25
    ps = cut(START)
    state = opt.setup(rule, ps)
    for _ in range(steps):
        state, ps = opt.update(state, ps, gradients(ps))
    there = trees.map_leaves(backend.asarray, cut(START))
    ts = pn.training.TrainState(Quadratic(backend), there, {}, rule)
    for _ in range(steps):
        _, _, ts = pn.training.train_step(half_of_squares, None, ts, jit=jit)
    found = {key: backend.to_numpy(x) for key, x in ts.parameters.items()}
    np.testing.assert_allclose(joined(found), joined(ps), rtol=1e-6, atol=1e-7)
