"""A call on a traced array is the call on a plain one: its arguments, copies, dtypes, values."""

from __future__ import annotations

import inspect
from types import ModuleType

import numpy as np
import pytest
from modes import MODES, modes_of

import portanet as pn
from portanet.errors import ArgumentError, BackendMismatchError, NoDerivativeError
from portanet.tape.capabilities import TAPE

X = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
SQUARE = np.asarray([[2.1, 0.3, 0.2], [0.3, 1.7, -0.4], [0.2, -0.4, 1.4]])


@pytest.fixture
def tape(backend):
    if backend.name not in TAPE:
        pytest.skip("the library itself traces")
    return backend


@pytest.fixture
def xp(tape):
    return tape.xp


# The ways in which NumPy takes the arguments of one call.
FORMS = {
    "sum": [lambda xp, x: xp.sum(x, 0), lambda xp, x: xp.sum(a=x, axis=0)],
    "max": [lambda xp, x: xp.max(x, 1), lambda xp, x: xp.max(a=x, axis=1, keepdims=False)],
    "std": [lambda xp, x: xp.std(x, axis=np.int64(1)), lambda xp, x: xp.std(x, axis=1)],
    "prod": [lambda xp, x: xp.prod(x, -1), lambda xp, x: xp.prod(a=x, axis=(1,))],
    "permute_dims": [lambda xp, x: xp.permute_dims(x, axes=(1, 0)), lambda xp, x: x.T],
    "moveaxis": [
        lambda xp, x: xp.moveaxis(x, source=0, destination=1),
        lambda xp, x: xp.moveaxis(a=x, source=(0,), destination=(-1,)),
        lambda xp, x: xp.moveaxis(x, [0], [1]),
    ],
    "roll": [
        lambda xp, x: xp.roll(x, 1, 1),
        lambda xp, x: xp.roll(x, shift=1, axis=1),
        lambda xp, x: xp.roll(a=x, shift=[1], axis=[1]),
    ],
    "squeeze": [
        lambda xp, x: xp.squeeze(x[None], 0),
        lambda xp, x: xp.squeeze(a=x[None], axis=0),
        lambda xp, x: xp.squeeze(x[None]),
    ],
    "expand_dims": [lambda xp, x: xp.expand_dims(x, 1), lambda xp, x: xp.expand_dims(a=x, axis=1)],
    "reshape": [lambda xp, x: xp.reshape(x, 6), lambda xp, x: xp.reshape(x, shape=(6,))],
    "broadcast_to": [
        lambda xp, x: xp.broadcast_to(x[0, :1], 4),
        lambda xp, x: xp.broadcast_to(array=x[0, :1], shape=(4,)),
    ],
    "tile": [lambda xp, x: xp.tile(x, 2), lambda xp, x: xp.tile(A=x, reps=(1, 2))],
    "flip": [lambda xp, x: xp.flip(x, 1), lambda xp, x: xp.flip(m=x, axis=[1])],
    "tril": [lambda xp, x: xp.tril(x, 1), lambda xp, x: xp.tril(m=x, k=1)],
    "repeat": [
        lambda xp, x: xp.repeat(x, 2, 1),
        lambda xp, x: xp.repeat(a=x, repeats=[2, 2, 2], axis=1),
        lambda xp, x: xp.repeat(x, np.asarray(2), axis=-1),
    ],
    "diff": [lambda xp, x: xp.diff(x, 1, 0), lambda xp, x: xp.diff(a=x, axis=0)],
    "take": [
        lambda xp, x: xp.take(x, [0, 2], 1),
        lambda xp, x: xp.take(a=x, indices=np.asarray([0, 2]), axis=1, mode="raise"),
    ],
    "concat": [lambda xp, x: xp.concat((x, x), 1), lambda xp, x: xp.concat([x, x], axis=1)],
    "stack": [lambda xp, x: xp.stack((x, x), 1), lambda xp, x: xp.stack(arrays=[x, x], axis=1)],
    "clip": [lambda xp, x: xp.clip(x, -0.5, 0.5), lambda xp, x: xp.clip(x, max=0.5, min=-0.5)],
    "linalg.inv": [lambda xp, x: xp.linalg.inv(x @ x.T), lambda xp, x: xp.linalg.inv(a=x @ x.T)],
    "linalg.eigvalsh": [
        lambda xp, x: xp.linalg.eigvalsh(x @ x.T),
        lambda xp, x: xp.linalg.eigvalsh(a=x @ x.T, UPLO="L"),
    ],
    "matmul": [lambda xp, x: x @ [1.0, 2.0, 3.0], lambda xp, x: xp.matmul(x, (1.0, 2.0, 3.0))],
    "multiply": [lambda xp, x: x * [1.0, 2.0, 3.0], lambda xp, x: [1.0, 2.0, 3.0] * x],
    "argmax": [lambda xp, x: x * xp.argmax(x, 1)[:, None], lambda xp, x: x * [[2], [0]]],
    "where": [
        lambda xp, x: xp.where([True, False, True], x, 2.0),
        lambda xp, x: x * [1, 0, 1] + [0, 2.0, 0],
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_arguments_is_one_call(name):
    xp = pn.array_namespace(X)
    first, *others = [(lambda x, f=form: f(xp, x)) for form in FORMS[name]]
    expected = first(X)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    slope = pn.grad(lambda x: np.sum(first(x) * weights))(X)
    ahead, behind = X + 1e-6 * SQUARE[:2], X - 1e-6 * SQUARE[:2]
    change = np.sum((first(ahead) - first(behind)) * weights) / 2e-6
    assert np.sum(slope * SQUARE[:2]) == pytest.approx(change, rel=1e-6, abs=1e-9)
    for form in (first, *others):
        for run in MODES.values():
            np.testing.assert_allclose(run(form, X), expected, rtol=1e-14)
        gradient = pn.grad(lambda x, f=form: np.sum(f(x) * weights))(X)
        np.testing.assert_allclose(gradient, slope, rtol=1e-13)


def test_the_signatures_names_and_docs_are_those_of_the_library(xp):
    for space, raw in ((xp, xp.raw), (xp.linalg, xp.raw.linalg), (xp.fft, xp.raw.fft)):
        for name in dir(raw):
            plain = getattr(raw, name)
            if name.startswith("_") or isinstance(plain, type | ModuleType):
                continue
            if not hasattr(plain, "__name__"):
                continue
            function = getattr(space, name)
            assert function.__name__ == plain.__name__
            assert function.__doc__ == plain.__doc__
            try:
                expected = inspect.signature(plain)
            except ValueError:
                continue
            assert inspect.signature(function) == expected, name


@pytest.mark.parametrize("mode", MODES)
def test_a_strange_option_is_refused_by_name(xp, tape, mode):
    x = tape.asarray(X)
    with pytest.raises(ArgumentError, match=r"sum: got an unexpected keyword argument 'zz'"):
        MODES[mode](lambda x: xp.sum(x, zz=1), x)
    if tape.name == "numpy":
        with pytest.raises(NoDerivativeError, match=r"sum: where= is an option of the library"):
            MODES[mode](lambda x: xp.sum(x, where=X > 0), x)


COPIES = {
    "asarray": lambda xp, x: xp.asarray(x, copy=True),
    "astype": lambda xp, x: xp.astype(x, x.dtype),
    "astype(copy=True)": lambda xp, x: xp.astype(x, x.dtype, copy=True),
    "reshape": lambda xp, x: xp.reshape(x, (6,), copy=True),
    "astype of a view": lambda xp, x: xp.astype(xp.reshape(x, (6,)), x.dtype),
    "a view times one": lambda xp, x: xp.permute_dims(x, (1, 0)) * 1,
}
COPIES_OF_NUMPY = {
    "x.copy": lambda xp, x: x.copy(),
    "x.astype": lambda xp, x: x.astype(float),
    "x.flatten": lambda xp, x: x.flatten(),
    "x.flatten(F)": lambda xp, x: x.flatten("F"),
}


@pytest.mark.parametrize("name", [*COPIES, *COPIES_OF_NUMPY])
@pytest.mark.parametrize("mode", MODES)
def test_a_copy_has_memory_of_its_own(tape, xp, name, mode):
    if name in COPIES_OF_NUMPY and tape.name == "array_api_strict":
        pytest.skip("its arrays have no such method")
    copied = {**COPIES, **COPIES_OF_NUMPY}[name]
    x = tape.asarray(X.copy())
    y = MODES[mode](lambda x: copied(xp, x), x)
    expected = tape.to_numpy(copied(xp, x)).copy()
    x[...] = 9.0
    np.testing.assert_array_equal(tape.to_numpy(y), expected)


@pytest.mark.parametrize("mode", MODES)
def test_a_copy_that_is_not_allowed_is_refused(tape, xp, mode):
    x = tape.asarray(X)
    same = MODES[mode](lambda x: xp.asarray(x, copy=False) * 1.0, x)
    np.testing.assert_array_equal(tape.to_numpy(same), X)
    with pytest.raises(ValueError, match="copy"):
        MODES[mode](lambda x: xp.asarray(x, dtype=xp.float32, copy=False), x)


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "complex128")])
def test_the_derivatives_of_products_have_the_dtypes_of_their_arguments(tape, xp, dtypes):
    x, y = (tape.asarray(SQUARE.astype(dtype)) for dtype in dtypes)
    cases = [(f, x, y) for f in (xp.tensordot, xp.vecdot, xp.matmul, xp.linalg.cross)]
    for product, a, b in [*cases, (xp.linalg.outer, x[0, :], y[0, :])]:
        for pair in ((a, b), (b, a)):
            value, pullback = pn.vjp(product, *pair)
            assert [g.dtype for g in pullback(xp.ones_like(value))] == [z.dtype for z in pair]


@pytest.mark.parametrize("mode", MODES)
def test_a_number_is_no_factor_of_a_product_of_matrices(tape, xp, mode):
    x = tape.asarray(X)
    with pytest.raises(ValueError, match=r"matmul|0|Scalar"):
        MODES[mode](lambda x: xp.matmul(x, x[0, 0]), x)


@pytest.mark.parametrize("mode", MODES)
def test_questions_about_dtypes(tape, xp, mode):
    def answers(x):
        assert xp.result_type(x, xp.float32) == xp.float64
        assert xp.can_cast(x, xp.float64)
        assert xp.finfo(x).bits == 64
        assert xp.isdtype(x.dtype, "real floating")
        return x * 2

    np.testing.assert_array_equal(tape.to_numpy(MODES[mode](answers, tape.asarray(X))), 2 * X)


def test_small_integers_stay_small(tape, xp):
    x = tape.asarray(np.asarray([200, 100, 3], np.uint8))
    for run in modes_of(tape.to_numpy(x)).values():
        y = run(lambda x: xp.vecdot(x, x), x)
        assert (y.dtype, int(y)) == (xp.uint8, (200**2 + 100**2 + 9) % 256)
        assert run(lambda x: x * xp.iinfo(x).max, x).dtype == xp.uint8


class TestSingular:
    """A matrix without an inverse has values; its derivative is NaN, and no error."""

    SINGULAR = np.asarray([[1.0, 2.0], [2.0, 4.0]])

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("name", ["slogdet", "qr", "svd", "det", "matrix_rank", "pinv"])
    def test_the_value_is_the_plain_one(self, tape, xp, name, mode):
        x = tape.asarray(np.asarray(self.SINGULAR if name != "qr" else np.zeros((2, 2))))
        function = getattr(xp.linalg, name)
        plain = function(x)
        expected = [tape.to_numpy(y) for y in (plain if isinstance(plain, tuple) else (plain,))]
        with np.errstate(all="ignore"):
            value = MODES[mode](function, x)
        values = value if isinstance(value, list | tuple) else (value,)
        for got, wanted in zip(values, expected, strict=True):
            np.testing.assert_allclose(tape.to_numpy(got), wanted, atol=1e-14)

    def test_its_neighbours_in_a_stack_keep_their_derivatives(self, tape, xp):
        stack = tape.asarray(np.stack([self.SINGULAR, SQUARE[:2, :2]]))
        gradient = pn.grad(lambda x: xp.sum(xp.linalg.slogdet(x)[1][1:]))(stack)
        expected = np.linalg.inv(SQUARE[:2, :2]).T
        np.testing.assert_allclose(tape.to_numpy(gradient)[1], expected)

        def value_and_rate(x, t):
            return pn.jvp(lambda x: xp.linalg.slogdet(x)[1], (x,), (t,))

        value, rate = value_and_rate(stack, xp.ones_like(stack))
        np.testing.assert_array_equal(np.isinf(tape.to_numpy(value)), [True, False])
        np.testing.assert_allclose(tape.to_numpy(rate), [np.nan, np.sum(expected)])


class Labelled:
    """What pandas and xarray have: values, names, and an arithmetic of its own."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values

    def to_numpy(self):
        return self.values

    def __mul__(self, other):
        if getattr(other, "__pandas_priority__", 0) > 4000:
            return NotImplemented
        return Labelled(self.values * np.asarray(other))

    __rmul__ = __mul__


FOREIGN = {
    "x * other": lambda xp, x, other: x * other,
    "xp.multiply": lambda xp, x, other: xp.multiply(x, other),
    "xp.where": lambda xp, x, other: xp.where(x > 0, other, x),
    "xp.concat": lambda xp, x, other: xp.concat([x, other]),
    "xp.greater": lambda xp, x, other: xp.greater(x, other),
    "x @ other": lambda xp, x, other: x @ other,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*FOREIGN, "other * x"])
def test_what_is_no_array_is_refused_by_name(mode, name):
    xp, labelled = pn.array_namespace(X), Labelled(X[0])
    call = FOREIGN.get(name, lambda xp, x, other: other * x)
    message = r"Labelled beside a traced array of numpy.*x\.to_numpy\(\)"
    with pytest.raises(BackendMismatchError, match=message):
        MODES[mode](lambda x: call(xp, x, labelled), X[0])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FOREIGN)
def test_a_subclass_with_an_arithmetic_of_its_own_is_refused(mode, name):
    xp, masked = pn.array_namespace(X), np.ma.masked_array(X[0], X[0] > 0)
    with pytest.raises(BackendMismatchError, match=r"numpy\.MaskedArray .*x\.filled\(0\)"):
        MODES[mode](lambda x: FOREIGN[name](xp, x, masked), X[0])


def test_a_labelled_argument_is_no_array():
    with pytest.raises(TypeError, match=r"Labelled is no array: give its values, x\.to_numpy\(\)"):
        pn.grad(lambda x: x)(Labelled(X))
