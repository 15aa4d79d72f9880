"""What the stand-in for CuPy says of CuPy. With a GPU, CuPy itself has to say the same."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path

import cupy
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from standin import __file__ as folder

pytestmark = pytest.mark.gpu
RELEASE = f"release-{os.environ.get('PORTANET_TEST_CUPY', '14')}.json"
TABLE = json.loads((Path(folder).parent / "cupy" / RELEASE).read_text())
STANDS_IN = Path(folder).parent in Path(cupy.__file__).parents
only_here = pytest.mark.skipif(not STANDS_IN, reason="of the stand-in alone")
X = cupy.asarray(np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))


@only_here
@pytest.mark.parametrize("module", ["cupy", "cupy.linalg", "cupy.fft"])
def test_names_and_parameters_are_those_of_the_release(module):
    own = {"cupy": cupy, "cupy.linalg": cupy.linalg, "cupy.fft": cupy.fft}[module]
    for name, parameters in TABLE[module]["functions"].items():
        function = getattr(own, name)
        if parameters is None or name == "matmul":
            assert callable(function)
            continue
        expected = eval(f"lambda {parameters}: None")
        given = [(p.name, p.kind) for p in inspect.signature(function).parameters.values()]
        wanted = [(p.name, p.kind) for p in inspect.signature(expected).parameters.values()]
        missing = [kind for _, kind in given] == [
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        ]
        assert given == wanted or missing, name
    for name in TABLE[module]["same as NumPy's"]:
        assert getattr(own, name) is getattr(np if module == "cupy" else np.linalg, name)


@only_here
def test_arrays_have_no_other_names():
    ours = {name for name in dir(cupy.ndarray) if not name.startswith("_")}
    assert ours <= {*TABLE["cupy.ndarray"]}
    assert len(ours) >= 60


REFUSED = {
    "a copy to the host unasked": (lambda: np.asarray(X), TypeError, "Implicit conversion"),
    "a list of it": (lambda: np.array([X, X]), TypeError, "Implicit conversion"),
    "an array of the host beside it": (lambda: X + np.ones(3), TypeError, "Unsupported type"),
    "one before it": (lambda: np.ones(3) * X, TypeError, "Unsupported type"),
    "one in a function": (lambda: cupy.add(X, np.ones(3)), TypeError, "Unsupported type"),
    "a comparison with one": (lambda: np.ones(3) > X, TypeError, "Unsupported type"),
    "float": (lambda: float(X), TypeError, "."),
    "bool": (lambda: bool(X), ValueError, "more than one element"),
    "item": (lambda: X.item(), ValueError, "size 1"),
    "a long double": (lambda: cupy.zeros(3, np.longdouble), ValueError, "dtype"),
    "the other order of bytes": (lambda: cupy.zeros(3, ">f4"), ValueError, "byte"),
    "where= of a ufunc": (lambda: cupy.add(X, X, where=X > 0), TypeError, "Wrong arguments"),
    "casting= of astype": (lambda: X.astype("f4", casting="safe"), TypeError, "casting"),
    "an option that NumPy has": (lambda: cupy.sum(X, where=X > 0), TypeError, "where"),
    "another": (lambda: cupy.argsort(X, stable=True), TypeError, "stable"),
    "a key": (lambda: {X: 1}, TypeError, "unhashable"),
    "a device as a key": (lambda: {X.device: 1}, TypeError, "unhashable"),
    "a difference of booleans": (lambda: (X > 1) - (X > 2), TypeError, "."),
    "joined numbers": (lambda: cupy.concatenate([X.sum(), X.sum()]), TypeError, "zero-dim"),
    "joined arrays of the host": (lambda: cupy.stack([np.ones(3)]), TypeError, "."),
    "half precision": (lambda: cupy.linalg.inv(X[:, :2].astype("e")), TypeError, "float16"),
    "a stack of systems": (
        lambda: cupy.linalg.solve(X[:, :2], cupy.ones((4, 2, 1))), ValueError, "must have",
    ),
    "no square": (lambda: cupy.linalg.det(X), np.linalg.LinAlgError, "square"),
    "complex numbers added up in place": (
        lambda: cupy.add.at(X.astype("D"), 0, 1.0), TypeError, "data type",
    ),
    "a number in a product": (lambda: cupy.matmul(X, X[0, 0]), ValueError, "Scalar"),
    "nonzero of a number": (lambda: X[0, 0].nonzero(), ValueError, "."),
    "a loop without a size": (
        lambda: cupy.ElementwiseKernel("float64 a", "float64 y", "y = a", "k")(1.0),
        ValueError, "undecided",
    ),
    "another dtype for a kernel": (
        lambda: cupy.ElementwiseKernel("float32 a", "float32 y", "y = a", "k")(X),
        TypeError, "mismatched",
    ),
    "a strange name": (lambda: cupy.ElementwiseKernel("T a", "T y", "", "1"), ValueError, "name"),
    "another device": (lambda: cupy.cuda.Device(99).use(), RuntimeError, "nvalid"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    call, error, text = REFUSED[case]
    with pytest.raises(error, match=text):
        call()


def test_reductions_give_arrays():
    for y in (X.sum(), cupy.max(X), X[0, 0], cupy.allclose(X, X), cupy.asarray(2.0)):
        assert type(y) is cupy.ndarray
        assert y.shape == ()
    assert float(X.sum()) == 21.0
    assert bool(cupy.array_equal(X, X))


def test_indices_wrap_around():
    index = cupy.asarray([0, 3, -1])
    assert X[0, index].get().tolist() == [1.0, 1.0, 3.0]
    assert X[0].take(index).get().tolist() == [1.0, 1.0, 3.0]
    y = cupy.zeros(3)
    cupy.add.at(y, index, 1.0)
    assert y.get().tolist() == [2.0, 0.0, 1.0]
    with pytest.raises(IndexError, match="out of bounds"):
        X[0, 3]


def test_a_view_is_written_through():
    y = X.copy()
    y[0, 1:].fill(0.0)
    y.T[2] += 1.0
    assert y.get().tolist() == [[1.0, 0.0, 1.0], [4.0, 5.0, 7.0]]
    assert y.get() is not y.get()


def test_singular_matrices_raise_nothing():
    assert cupy.linalg.solve(cupy.zeros((2, 2)), cupy.ones((2, 1))).shape == (2, 1)
    assert cupy.linalg.cholesky(-cupy.eye(2)).shape == (2, 2)


@only_here
def test_memory_that_nobody_wrote_holds_no_zeros():
    assert np.isnan(cupy.empty((2, 3)).get()).all()
    assert (cupy.empty_like(cupy.zeros(3, int)).get() == 77).all()


@only_here
def test_arrays_of_another_device():
    with cupy.cuda.Device(1):
        there = cupy.ones(3)
    assert there.device.id == 1
    assert there.device != X.device
    with pytest.warns(Warning, match="different from the current device"):
        assert (there + 1.0).device.id == 0


def test_operators_leave_the_work_to_others():
    class Other:
        __array_ufunc__ = None

        def __radd__(self, x):
            return "theirs"

    assert X + Other() == "theirs"
    assert np.add(X, 1).get()[0, 0] == 2.0
    assert_array_equal(np.exp(X).get(), cupy.exp(X).get())


@pytest.mark.parametrize(("number", "dtype"), [(2, "f"), (0.5, "f"), (np.float64(0.5), "d")])
def test_numbers_of_python_widen_nothing(number, dtype):
    x = X.astype("f")
    assert (x * number).dtype == dtype
    assert (number * x).dtype == dtype


@pytest.mark.parametrize("dtype", ["e", "f", "d"])
def test_kernels_reduce(dtype):
    if STANDS_IN and not cupy._compile.compiler():
        pytest.skip("no compiler")
    norm = cupy.ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "norm")
    got = norm(X.astype(dtype), axis=1).get()
    np.testing.assert_allclose(got, np.linalg.norm(X.get(), axis=1), rtol=2e-3)
    assert got.dtype == dtype
    assert norm(X[0].astype(dtype)).shape == ()


@only_here
def test_what_is_counted():
    from cupy._state import counts

    counts.clear()
    y = (X.T + 1.0).reshape(-1)
    float(y.sum())
    assert (counts.launches, counts.waits, counts.allocations) == (2, 1, 2)
    assert counts.bytes == 6 * 8 + 8
