"""Lists of traced arrays, choice and indexing: never an object array, in both modes, twice."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

A = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
V = np.asarray([[1.1, 0.6, -0.8], [-0.5, 1.7, 0.2]])
ROWS = np.asarray([1, 0, 1])
COLUMNS = np.asarray([2, 2, 0])

# Written on a namespace, for both portanet's and torch's functions.
CASES = {
    "concat of a list": lambda xp, x, i, j: xp.concat([x * x, x, x * x * x], axis=0),
    "concat of a tuple": lambda xp, x, i, j: xp.concat((x[:, :1] ** 2, x), axis=1),
    "concat, last axis": lambda xp, x, i, j: xp.concat([x * x, x], axis=-1),
    "concat of one": lambda xp, x, i, j: xp.concat([x**3]),
    "concat of scalars": lambda xp, x, i, j: xp.concat(
        [xp.reshape(x[0, k] * x[1, k], (1,)) for k in range(3)]
    ),
    "stack of scalars": lambda xp, x, i, j: xp.stack([x[0, 0] * x[1, 2], x[0, 1] ** 2, x[1, 1]]),
    "stack of rows": lambda xp, x, i, j: xp.stack([x[1, :] * x[0, :], x[0, :]], axis=1),
    "stack, last axis": lambda xp, x, i, j: xp.stack([x * x, x * x * x], axis=-1),
    "stack, mixed with constants": lambda xp, x, i, j: xp.stack([x * x, xp.ones_like(x)]) * x,
    "where": lambda xp, x, i, j: xp.where(x > 0.35, x * x, x**3),
    "where, broadcast": lambda xp, x, i, j: xp.where(x > 0.35, x[:, :1] ** 2, x * x[1, 1]),
    "where, one side": lambda xp, x, i, j: xp.where(x > 0.35, x * x, xp.zeros_like(x)),
    "take": lambda xp, x, i, j: xp.take(x * x, i, axis=0) * 2,
    "take, columns": lambda xp, x, i, j: xp.take(x**3, j, axis=1),
    "integer": lambda xp, x, i, j: x[1, 2] * x[0, 0] * x[1, 0],
    "slice": lambda xp, x, i, j: x[:, 1:] * x[:, :2],
    "step": lambda xp, x, i, j: x[:, ::2] ** 2,
    "ellipsis": lambda xp, x, i, j: x[..., 0] * x[..., 2],
    "new axis": lambda xp, x, i, j: x[:, None, :] * x[None, :, :],
    "integer arrays": lambda xp, x, i, j: x[i, j] ** 2 * x[0, 1],
    "mask": lambda xp, x, i, j: x[x > 0] ** 3,
}  # fmt: skip


class TorchWords:
    """The few names of the standard that torch spells otherwise."""

    def __init__(self, torch):
        self.ones_like, self.zeros_like = torch.ones_like, torch.zeros_like
        self.where, self.reshape = torch.where, torch.reshape
        self.concat = lambda arrays, axis=0: torch.cat(list(arrays), dim=axis)
        self.stack = lambda arrays, axis=0: torch.stack(arrays, dim=axis)
        self.take = lambda x, indices, axis: torch.index_select(x, axis, indices)


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def weights(shape):
    return np.cos(np.arange(1.0, np.prod(shape, dtype=int) + 1)).reshape(shape)


@pytest.fixture
def expected(case):
    torch = pytest.importorskip("torch")
    i, j = torch.tensor(ROWS), torch.tensor(COLUMNS)

    def function(x):
        y = case(TorchWords(torch), x, i, j)
        return (y * torch.tensor(weights(tuple(y.shape)))).sum()

    x = torch.tensor(A, requires_grad=True)
    value = function(x)
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    directional = (gradient * torch.tensor(V)).sum()
    (second,) = torch.autograd.grad(directional, x, allow_unused=True, materialize_grads=True)
    return [t.detach().numpy() for t in (value, gradient, directional, second)]


def test_both_modes_to_second_order(backend, case, expected):
    xp, x, v = backend.xp, backend.asarray(A), backend.asarray(V)
    i, j = backend.asarray(ROWS), backend.asarray(COLUMNS)

    def function(x):
        y = case(xp, x, i, j)
        return xp.sum(y * backend.asarray(weights(tuple(y.shape))))

    value, gradient = pn.value_and_grad(function)(x)
    _, along = pn.jvp(function, (x,), (v,))
    found = [(value, expected[0]), (gradient, expected[1]), (along, expected[2])]
    if backend.name != "jax":  # its rules are its own, and compiling them takes long
        found += [
            (pn.hvp(function, x, v), expected[3]),
            (pn.grad(lambda x: xp.sum(pn.grad(function)(x) * v))(x), expected[3]),
            (pn.grad(lambda x: pn.jvp(function, (x,), (v,))[1])(x), expected[3]),
        ]
    for actual, wanted in found:
        np.testing.assert_allclose(backend.to_numpy(actual), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["concatenate", "stack", "hstack", "vstack", "where", "array"])
def test_numpy_never_makes_an_object_array(name):
    """NumPy's own functions on lists of traced arrays work or refuse by name."""
    x = np.asarray([1.0, 2.0])

    def function(x):
        parts = [x * x, x]
        y = np.where(x > 1, *parts) if name == "where" else getattr(np, name)(parts)
        assert y.dtype == np.float64
        return np.sum(y)

    try:
        gradient = pn.grad(function)(x)
    except (pn.errors.NoDerivativeError, pn.errors.TracedValueError):
        return
    expected = [1.0, 4.0] if name == "where" else [3.0, 5.0]
    assert gradient.tolist() == expected


def test_meshgrid_of_nothing(backend):
    xp, x = backend.xp, backend.asarray(np.zeros(0))

    def first(x):
        return xp.meshgrid(x, xp.ones_like(x))[0]

    assert tuple(pn.jit(first)(x).shape) == (0, 0)
    assert tuple(pn.grad(lambda x: xp.sum(first(x)))(x).shape) == (0,)
