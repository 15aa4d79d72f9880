"""The numbers printed in Flux's sixty-minute tutorial, from the arrays printed beside them.

Tolerances are the digits printed. The outputs of layers with random weights are not printed with
their weights: of those the shape and the sum are known.
"""

from __future__ import annotations

import numpy as np

import portanet as pn


def single(values):
    return np.asarray(values, np.float32)


def show(backend, actual, expected, rtol=1e-6):
    np.testing.assert_allclose(backend.to_numpy(actual), expected, rtol=rtol)


WEIGHT = np.asarray([
    [0.761199, 0.518721, 0.299738, 0.819246, 0.795295],
    [0.695557, 0.294634, 0.136187, 0.966324, 0.556343],
])  # fmt: skip
BIAS = np.asarray([0.14996273490197987, 0.6003021631713606])
POINT = np.asarray([
    0.7296468340269642, 0.46668665850674407, 0.1263968430225897,
    0.8288758645565867, 0.6767460059294579,
])  # fmt: skip
TARGET = np.asarray([0.45303268852343126, 0.5292262928918061])


def test_derivatives_of_a_number(backend):
    def f(x):
        return 3 * x**2 + 2 * x + 1

    x = backend.asarray(1.0)
    df = pn.derivative(f)
    assert [float(g(x)) for g in (f, df, pn.derivative(df))] == [6.0, 8.0, 6.0]


def test_two_gradients_explicit_and_implicit(backend):
    def f(x, y):
        return backend.xp.sum((x - y) ** 2)

    x, y = backend.asarray(single([2, 1])), backend.asarray(single([2, 0]))
    for gradient, printed in zip(pn.gradient(f, x, y), ([0, 2], [0, -2]), strict=True):
        show(backend, gradient, printed)
    x, y = pn.Param(x), pn.Param(y)
    gs = pn.gradient(lambda: f(x, y), pn.params(x, y))
    show(backend, gs[x], [0, 2])
    show(backend, gs[y], [0, -2])


def test_a_simple_model(backend):
    """W is printed with six digits."""
    W, b = pn.Param(backend.asarray(WEIGHT)), pn.Param(backend.asarray(BIAS))
    x, y = backend.asarray(POINT), backend.asarray(TARGET)

    def loss():
        return backend.xp.sum((y - (W @ x + b)) ** 2)

    show(backend, loss(), 6.712027970590133)
    gs = pn.gradient(loss, pn.params(W, b))
    gradient = [
        [2.55314, 1.633, 0.44228, 2.90035, 2.36803],
        [2.78837, 1.78346, 0.48303, 3.16758, 2.58621],
    ]
    show(backend, gs[W], gradient, rtol=3e-6)
    W -= 0.1 * gs[W]
    moved = [
        [0.505886, 0.355421, 0.25551, 0.529211, 0.558492],
        [0.41672, 0.116288, 0.0878837, 0.649566, 0.297722],
    ]
    show(backend, W.value, moved, rtol=4e-6)
    show(backend, loss(), 2.561531290621767)


def test_stacking(backend):
    model = pn.Chain(pn.Dense(10, 5, pn.sigmoid), pn.Dense(5, 2), pn.softmax)
    ps, st = pn.setup(0, model, device=backend.place)
    y, _ = model(backend.asarray(np.ones(10, np.float32)), ps, st)
    assert y.shape == (2,)
    show(backend, backend.xp.sum(y), 1.0)
    squares = pn.Chain(lambda x: x**2, lambda x: x + 1)
    assert float(squares(backend.asarray(5.0), *pn.setup(0, squares))[0]) == 26.0
