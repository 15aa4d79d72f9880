"""einsum and pad: values against NumPy, derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from functional.differences import check_derivatives

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


@pytest.mark.parametrize(("subscripts", "operands"), EINSUM, ids=[s for s, _ in EINSUM])
def test_einsum(backend, subscripts, operands):
    y = functional.einsum(subscripts, *map(backend.asarray, operands))
    np.testing.assert_allclose(
        backend.to_numpy(y), np.einsum(subscripts, *operands), rtol=1e-13, atol=1e-14
    )
    check_derivatives(backend, lambda *xs: functional.einsum(subscripts, *xs), operands)


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
    check_derivatives(backend, lambda x: functional.pad(x, widths, mode), (A,))


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
