"""einsum, pad and at: values against NumPy, derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import HyperparameterError, ShapeError

RNG = np.random.default_rng(3)
A, B, C = (RNG.normal(size=shape) for shape in ((2, 3), (3, 4), (4, 2)))
SQUARE, CUBE = RNG.normal(size=(3, 3)), RNG.normal(size=(2, 3, 4))

EINSUM = [
    ("ij->ji", (A,)),
    ("ij", (A,)),
    ("ji", (A,)),
    ("ij->", (A,)),
    ("ii->i", (SQUARE,)),
    ("ii", (SQUARE,)),
    ("iij->j", (RNG.normal(size=(3, 3, 2)),)),
    ("iii->i", (RNG.normal(size=(3, 3, 3)),)),
    ("i,i", (A[0], A[1])),
    ("i,j->ji", (A[0], B[0])),
    ("ij,jk", (A, B)),
    ("ij,jk->k", (A, B)),
    ("ij,ij->i", (A, A)),
    ("bij,bjk->bik", (CUBE, RNG.normal(size=(2, 4, 3)))),
    ("bij,bij->b", (CUBE, CUBE)),
    ("...ij,...jk->...ik", (CUBE, B.T)),
    ("...j,j", (CUBE, B[0])),
    ("ij,jk,kl->il", (A, B, C)),
    ("ij,jk,ki", (A, B, C)),
    ("ia,ja,ka->ijk", (A, SQUARE, B.T)),
    ("ii,ij->j", (SQUARE, SQUARE)),
    (" i j , j k -> i k ", (A, B)),
    (",ij->ij", (np.asarray(2.5), A)),
]


def _check(backend, function, arrays, rtol=1e-6):
    """Both modes, and second order, of the weighted sum of `function`."""
    xp = backend.xp

    def loss(*xs):
        y = function(*xs)
        w = backend.asarray(np.cos(np.arange(1.0, y_size + 1)).reshape(tuple(y.shape)))
        return xp.sum(w * y + w * y * y)

    y_size = int(np.prod(tuple(function(*map(backend.asarray, arrays)).shape), dtype=int))
    directions = [np.sin(np.arange(2.0, 2.0 + x.size)).reshape(x.shape) for x in arrays]
    every = tuple(range(len(arrays)))
    gradient = pn.grad(loss, every)

    def at(step):
        moved = (x + step * v for x, v in zip(arrays, directions, strict=True))
        return list(map(backend.asarray, moved))

    step = 1e-5
    value = [float(backend.to_numpy(loss(*at(s)))) for s in (step, -step)]
    expected = (value[0] - value[1]) / (2 * step)
    parts = map(backend.to_numpy, gradient(*at(0)))
    reverse = sum(np.sum(g * v) for g, v in zip(parts, directions, strict=True))
    tangents = tuple(map(backend.asarray, directions))
    forward, second = (pn.jvp(f, tuple(at(0)), tangents)[1] for f in (loss, gradient))
    assert reverse == pytest.approx(expected, rel=rtol, abs=1e-7)
    assert float(backend.to_numpy(forward)) == pytest.approx(expected, rel=rtol, abs=1e-7)
    for s, up, down in zip(second, gradient(*at(step)), gradient(*at(-step)), strict=True):
        difference = (backend.to_numpy(up) - backend.to_numpy(down)) / (2 * step)
        np.testing.assert_allclose(backend.to_numpy(s), difference, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize(("subscripts", "operands"), EINSUM, ids=[s for s, _ in EINSUM])
def test_einsum(backend, subscripts, operands):
    y = functional.einsum(subscripts, *map(backend.asarray, operands))
    np.testing.assert_allclose(
        backend.to_numpy(y), np.einsum(subscripts, *operands), rtol=1e-13, atol=1e-14
    )
    _check(backend, lambda *xs: functional.einsum(subscripts, *xs), operands)


def test_einsum_of_complex_numbers(backend):
    z = A + 1j * A[::-1]
    y = functional.einsum("ij,jk->ik", backend.asarray(z), backend.asarray(B + 0.5j))
    np.testing.assert_allclose(backend.to_numpy(y), z @ (B + 0.5j), rtol=1e-13)


@pytest.mark.parametrize(
    ("subscripts", "text"),
    [
        ("ij,jk", "2 terms, 1 operands"),
        ("ijk", r"len\('ijk'\) == operand 0.ndim: 3 != 2"),
        ("ii", "index 'i' has size 2 and, in operand 0, 3"),
        ("ij->k", r"no operand has the indices \['k'\]"),
        ("i1", r"not letters: \['1'\]"),
    ],
)
def test_einsum_refuses_terms_that_do_not_fit(backend, subscripts, text):
    with pytest.raises(ShapeError, match=text):
        functional.einsum(subscripts, backend.asarray(A))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("widths", [2, (1, 0), ((0, 3), (2, 1)), ((0, 0), (4, 5))])
def test_pad(backend, mode, widths):
    x = functional.pad(backend.asarray(A), widths, mode)
    np.testing.assert_array_equal(backend.to_numpy(x), np.pad(A, widths, mode))
    _check(backend, lambda x: functional.pad(x, widths, mode), (A,))


def test_pad_with_a_value_keeps_the_dtype(backend):
    x = functional.pad(backend.asarray(A.astype(np.float32)), 1, value=-2.0)
    assert x.dtype == backend.dtype("float32")
    expected = np.pad(A.astype(np.float32), 1, constant_values=-2.0)
    np.testing.assert_array_equal(backend.to_numpy(x), expected)


def test_pad_refuses_what_does_not_fit(backend):
    x = backend.asarray(A)
    with pytest.raises(HyperparameterError, match=r"mode in .*'mirror'"):
        functional.pad(x, 1, "mirror")
    with pytest.raises(HyperparameterError, match="widths >= 0"):
        functional.pad(x, (1, -1))
    with pytest.raises(ShapeError, match="one pair for each of the 2 axes"):
        functional.pad(x, [(1, 1)])
    with pytest.raises(ShapeError, match=r"x.shape\[0\] >= 2: 1"):
        functional.pad(x[:1, :], 1, "reflect")


INDICES = {
    "slice": (slice(None), slice(0, 2)),
    "integer": (1, Ellipsis),
    "arrays": (np.asarray([1, 0, 1]), np.asarray([2, 0, 2])),
    "mask": A > 0,
}


def _index(backend, name):
    index = INDICES[name]
    if isinstance(index, np.ndarray):
        return backend.asarray(index)
    return tuple(backend.asarray(i) if isinstance(i, np.ndarray) else i for i in index)


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("method", ["set", "add", "subtract", "multiply", "divide", "min", "max"])
def test_at(backend, name, method):
    if name == "mask" and backend.name == "jax":
        pytest.skip("jax cannot read by a boolean mask inside a derivative")
    y = RNG.normal(size=np.shape(A[INDICES[name]]))
    if name == "arrays" and method not in ("add", "subtract"):
        y[2] = y[0]  # the order of updates of one entry is not defined
    expected = A.copy()
    if method in ("add", "subtract"):
        np.add.at(expected, INDICES[name], y if method == "add" else -y)
    else:
        functions = {"multiply": np.multiply, "divide": np.divide, "min": np.minimum}
        functions |= {"max": np.maximum, "set": lambda x, y: y}
        expected[INDICES[name]] = functions[method](A[INDICES[name]], y)

    def changed(x, y):
        return getattr(functional.at(x)[_index(backend, name)], method)(y)

    x = backend.asarray(A)
    result = changed(x, backend.asarray(y))
    np.testing.assert_allclose(backend.to_numpy(result), expected, rtol=1e-14)
    np.testing.assert_array_equal(backend.to_numpy(x), A)
    if name != "arrays" or method in ("add", "subtract"):
        _check(backend, changed, (A, y))


def test_at_takes_numbers_and_broadcasts(backend):
    x = backend.asarray(A.astype(np.float32))
    expected = A.astype(np.float32)
    expected[:, 1] = 2.0
    changed = functional.at(x, (slice(None), 1)).set(2.0)
    assert changed.dtype == x.dtype
    np.testing.assert_array_equal(backend.to_numpy(changed), expected)
    row = backend.asarray(A[0].astype(np.float32))
    summed = functional.at(x)[..., :].add(row)
    np.testing.assert_allclose(backend.to_numpy(summed), (A + A[0]).astype(np.float32), rtol=1e-6)
    squared = functional.at(x)[0, 0].power(2.0)
    assert float(backend.to_numpy(squared)[0, 0]) == pytest.approx(A[0, 0] ** 2, rel=1e-6)


def test_at_set_gives_the_last_update_the_derivative(backend):
    if backend.name in ("torch", "jax"):
        pytest.skip("the order of updates is not defined there")
    x, index = backend.asarray(A[0]), backend.asarray(np.asarray([1, 1]))
    y = backend.asarray(np.asarray([5.0, 7.0]))
    xp = backend.xp
    gradient = pn.grad(lambda y: xp.sum(functional.at(x)[index].set(y)))(y)
    np.testing.assert_array_equal(backend.to_numpy(gradient), [0.0, 1.0])
