"""What the verbs refuse, and the words in which they do: the same on every backend."""

from __future__ import annotations

import re

import numpy as np
import pytest

import portanet as pn
from portanet.errors import (
    ArgumentError,
    BackendMismatchError,
    DTypeError,
    NoDerivativeError,
    ParameterTreeError,
    PortanetError,
    ShapeError,
    TracedValueError,
)


@pytest.fixture
def x(backend):
    return backend.asarray(np.asarray([1.0, 2.0]))


@pytest.fixture
def total(backend):
    return backend.xp.sum


def refused(error, text):
    assert issubclass(error, PortanetError)
    return pytest.raises(error, match=re.escape(text))


def test_argument_errors_are_what_a_user_would_catch():
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(ArgumentError, TypeError)


class TestArguments:
    @pytest.mark.parametrize("verb", ["grad", "value_and_grad", "jacobian", "derivative"])
    @pytest.mark.parametrize("given", [3, None, np.ones(2)])
    def test_no_function(self, verb, given):
        with refused(ArgumentError, f"differentiates a function, not {type(given).__name__}"):
            getattr(pn, verb)(given)

    def test_no_function_directly(self, x):
        with refused(ArgumentError, "vjp differentiates a function, not int"):
            pn.vjp(3, x)
        with refused(ArgumentError, "jvp differentiates a function, not str"):
            pn.jvp("f", (x,), (x,))
        with refused(ArgumentError, "grad differentiates a function, not int"):
            pn.gradient(3, x)

    @pytest.mark.parametrize("argnums", ["0", 1.0, None, (), True, (0, "a"), (0, 1.0), (False,)])
    def test_argnums_of_the_wrong_kind(self, argnums):
        text = f"argnums is an integer or a sequence of at least one, not {argnums!r}"
        with refused(ArgumentError, text):
            pn.grad(lambda x, y: x, argnums)

    def test_argnum_of_a_jacobian(self):
        with refused(ArgumentError, "argnums is an integer"):
            pn.jacobian(lambda x: x, (0, 1))

    @pytest.mark.parametrize("argnums", [2, -3, (0, 2)])
    def test_argnums_out_of_range(self, x, total, argnums):
        wrong = argnums if isinstance(argnums, int) else argnums[1]
        text = f"argnums {wrong} is out of range: the function was called with 2 positional arg"
        with refused(ArgumentError, text):
            pn.grad(lambda x, y: total(x * y), argnums)(x, x)

    def test_jacobian_argnum_out_of_range(self, x):
        with refused(ArgumentError, "argnums 1 is out of range: the function was called with 1 "):
            pn.jacobian(lambda x: x, 1)(x)

    def test_an_argument_by_name(self, x, total):
        with refused(ArgumentError, "the function was called with 0 positional arguments"):
            pn.grad(lambda x: total(x))(x=x)

    @pytest.mark.parametrize("argnums", [(0, 0), (0, -2), [1, 0, 1]])
    def test_argnums_twice(self, x, total, argnums):
        text = f"argnums {tuple(argnums)} names one of 2 arguments twice"
        with refused(ArgumentError, text):
            pn.grad(lambda x, y: total(x * y), argnums)(x, x)

    def test_primals_and_tangents_are_tuples(self, x):
        text = f"primals is a tuple with one entry an argument, not {type(x).__name__}: write (x,)"
        with refused(ArgumentError, text):
            pn.jvp(lambda x: x, x, (x,))
        with refused(ArgumentError, "tangents is a tuple with one entry an argument, not"):
            pn.jvp(lambda x: x, (x,), x)


class TestInputs:
    def test_integers(self, backend, x, total):
        n = backend.asarray(np.arange(2))
        text = "argument 0: only floating-point arrays and numbers can be differentiated, not dtype"
        with refused(DTypeError, f"{text} {n.dtype}: convert it (1 -> 1.0, xp.astype(x, "):
            pn.grad(lambda n: total(n))(n)
        with refused(DTypeError, "argument 1.a.0: only floating-point arrays"):
            pn.grad(lambda x, t: total(x), 1)(x, {"a": [n]})
        with refused(DTypeError, "arguments.1: only floating-point arrays"):
            pn.grad(lambda x, t: total(x), (0, 1))(x, n)
        with refused(DTypeError, "primals.0: only floating-point arrays"):
            pn.vjp(lambda n: n, n)
        with refused(DTypeError, "primals.0: only floating-point arrays"):
            pn.jvp(lambda n: n, (n,), (n,))
        with refused(DTypeError, "argument 0: only floating-point arrays"):
            pn.jacobian(lambda n: n)(n)

    @pytest.mark.parametrize("given", [1, True, "text", np.asarray([None]), object()])
    def test_no_floats(self, given):
        with refused(DTypeError, "argument 0: only floating-point arrays and numbers"):
            pn.grad(lambda x: x)(given)

    def test_booleans(self, backend, total):
        with refused(DTypeError, "only floating-point arrays and numbers"):
            pn.grad(lambda m: total(m))(backend.asarray(np.asarray([True])))

    def test_a_derivative_needs_a_number(self, x):
        with refused(ShapeError, "derivative needs a number: t.shape (2,) != ()"):
            pn.derivative(lambda t: t)(x)
        with refused(ShapeError, "derivative needs a number, not a tree: tuple"):
            pn.derivative(lambda t: t)((x, x))


class TestOutputs:
    def test_not_a_scalar(self, x):
        text = "must be a scalar: shape (2,) != (); reduce it with xp.sum or xp.mean"
        with refused(ShapeError, text):
            pn.grad(lambda x: x * x)(x)

    def test_complex(self, backend, total):
        z = backend.asarray(np.asarray([1 + 2j]))
        text = f"must be real floating point, not {z.dtype}: take xp.real or xp.abs of it"
        with refused(DTypeError, text):
            pn.grad(lambda z: total(z * z))(z)

    def test_integer(self, backend, x):
        with refused(DTypeError, "what is counted, compared or rounded to integers"):
            pn.grad(lambda x: backend.xp.argmax(x))(x)

    @pytest.mark.parametrize("value", [None, 3, "text", {}])
    def test_no_array(self, x, value):
        text = f"the value to differentiate must be a real array, not {type(value).__name__}"
        with refused(DTypeError, text):
            pn.grad(lambda x: value)(x)

    def test_a_tuple_without_has_aux(self, x, total):
        with refused(DTypeError, "not a tuple of 2; with an auxiliary result use has_aux=True"):
            pn.grad(lambda x: (total(x), x))(x)

    def test_no_pair_with_has_aux(self, x, total):
        with refused(ArgumentError, "returns (value, aux), not an array of shape ()"):
            pn.grad(lambda x: total(x), has_aux=True)(x)
        with refused(ArgumentError, "returns (value, aux), not a tuple of 3"):
            pn.grad(lambda x: (total(x), x, x), has_aux=True)(x)

    def test_a_value_of_another_library(self, backend, x):
        pytest.importorskip("array_api_strict")
        other = "array_api_strict" if backend.name == "numpy" else "numpy"
        foreign = pn.backends.get_backend(other).from_numpy(np.asarray(1.0))
        text = f"is an array of {other}, but the arguments are arrays of {backend.name}"
        with refused(BackendMismatchError, text):
            pn.grad(lambda x: foreign)(x)

    def test_jacobian(self, backend, x):
        with refused(DTypeError, f"a function that returns arrays of {backend.name} only"):
            pn.jacobian(lambda x: (x, 1.0))(x)
        with refused(DTypeError, "jacobian needs floating-point outputs"):
            pn.jacobian(lambda x: backend.xp.argmax(x))(x)
        z = backend.asarray(np.asarray([1 + 2j]))
        with refused(DTypeError, "a real function of complex arrays has no complex Jacobian"):
            pn.jacobian(lambda z: backend.xp.real(z))(z)


class TestDirections:
    def test_shape(self, backend, x):
        wrong = backend.asarray(np.ones(3))
        with refused(ShapeError, "tangents.0: shape (3,) != (2,)"):
            pn.jvp(lambda x: x, (x,), (wrong,))
        with refused(ShapeError, "cotangent: shape (3,) != (2,)"):
            pn.vjp(lambda x: x, x)[1](wrong)
        with refused(ShapeError, "shape (3,) != (2,)"):
            pn.hvp(lambda x: backend.xp.sum(x), x, wrong)

    def test_dtype(self, backend, x):
        single = backend.asarray(np.ones(2, np.float32))
        with refused(DTypeError, f"tangents.0: dtype {single.dtype} != {x.dtype}"):
            pn.jvp(lambda x: x, (x,), (single,))
        with refused(DTypeError, f"cotangent.a: dtype {single.dtype} != {x.dtype}"):
            pn.vjp(lambda x: {"a": x}, x)[1]({"a": single})

    def test_structure(self, x):
        with refused(ParameterTreeError, "tangents: the entries differ: missing none, unexpected"):
            pn.jvp(lambda x: x, (x,), (x, x))
        with refused(ParameterTreeError, "cotangent: the entries differ: missing ['b']"):
            pn.vjp(lambda x: {"a": x, "b": x}, x)[1]({"a": x})

    def test_library(self, backend, x):
        pytest.importorskip("array_api_strict")
        other = pn.backends.get_backend("array_api_strict" if backend.name == "numpy" else "numpy")
        with refused(BackendMismatchError, "arrays of two libraries in one operation"):
            pn.jvp(lambda x: x, (x,), (other.from_numpy(np.ones(2)),))


class TestEngines:
    def test_no_engine(self, x, total):
        with refused(ArgumentError, "ad is pn.AutoTape(), pn.AutoFiniteDifference() or None: got"):
            pn.grad(total, ad="torch")(x)

    def test_arrays_of_two_libraries(self, backend, x, total):
        pytest.importorskip("array_api_strict")
        other = pn.backends.get_backend("array_api_strict" if backend.name == "numpy" else "numpy")
        foreign = other.from_numpy(np.ones(2))
        with refused(
            BackendMismatchError, f"arrays of two libraries in one operation: {backend.name}"
        ):
            pn.grad(lambda x, y: total(x), (0, 1))(x, foreign)


class TestTorch:
    """Where torch has words or gaps of its own."""

    @pytest.fixture
    def t(self):
        return pytest.importorskip("torch").tensor([1.0, 2.0])

    @pytest.mark.parametrize("write", [lambda x: x.mul_(2), lambda x: x.__setitem__(0, 1.0)])
    def test_in_place_writes_to_an_argument(self, t, write):
        def function(x):
            write(x)
            return (x * x).sum()

        text = "the function writes into one of its arguments in place"
        for call in (
            lambda: pn.grad(function)(t),
            lambda: pn.vjp(function, t),
            lambda: pn.grad(lambda x: pn.grad(function)(x).sum())(t),
        ):
            with refused(TracedValueError, text):
                call()
            assert t.tolist() == [1.0, 2.0]
        for call in (lambda x: pn.hvp(function, x, t), lambda x: pn.jvp(function, (x,), (t,))):
            with refused(TracedValueError, text):
                call(t.clone())

    def test_in_place_writes_to_a_copy(self, t):
        def function(x):
            y = x.clone()
            y[0] = 0.0
            return (y * y).sum()

        assert pn.grad(function)(t).tolist() == [0.0, 4.0]
        assert float(pn.jvp(function, (t,), (t,))[1]) == 8.0

    def test_forward_mode_inside_that_of_torch(self, t):
        from torch.autograd import forward_ad

        with (
            forward_ad.dual_level(),
            refused(NoDerivativeError, "torch cannot nest its forward mode inside forward_ad"),
        ):
            pn.jvp(lambda x: x, (t,), (t,))

    def test_forward_mode_keeps_the_dtype(self, t):
        """Torch's own gives a number times a Python float a tangent in float64."""
        import torch

        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.complex64):
            x = t.to(dtype)
            assert pn.jvp(lambda x: x.sum() * 3.0, (x,), (x,))[1].dtype == dtype
