"""Which of NumPy's names there are: HIPS autograd's list, signatures, refusals."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from tape.numpy_names import mathematics, numbers, shapes
from tape.numpy_names.inputs import A, S, V
from tape.numpy_names.questions import ANSWERS

import portanet as pn
from portanet.errors import NoDerivativeError, TracedValueError
from portanet.tape.numpy.scipy_functions import FUNCTIONS as SPECIAL_FUNCTIONS
from portanet.tape.numpy.special import RULES
from portanet.tape.numpy.table import BODIES, BY_NAME, INSTEAD
from portanet.tape.numpy.ufuncs import function_of

XP = pn.backends.get_backend("numpy").xp
CASES = [*shapes.CASES, *numbers.CASES, *mathematics.CASES]

# What autograd differentiates and is no function of NumPy, or asks nobody whether it is traced.
AUTOGRADS_OWN = {
    "__getitem__", "_array_from_scalar_or_array", "_make_dict", "array_from_args",
    "concatenate_args", "container_take", "container_untake", "covector", "dot_adjoint_0",
    "dot_adjoint_1", "inner_prod", "make_diagonal", "make_sequence", "mut_add", "scalar_mul",
    "sequence_extend_left", "sequence_extend_right", "sparse_add", "tensordot_adjoint_0",
    "tensordot_adjoint_1", "truncate_pad", "untake",
}  # fmt: skip
NO_PROTOCOL = {"full", "isscalar"}


def _autograds():
    core = pytest.importorskip("autograd.core")
    pytest.importorskip("autograd.numpy")
    from autograd.tracer import notrace_primitives

    functions = {*core.primitive_vjps, *core.primitive_jvps, *notrace_primitives[core.VJPNode]}
    return {f.__name__ for f in functions} - AUTOGRADS_OWN - NO_PROTOCOL


def _has_rule(ufunc):
    return "unruled" not in getattr(function_of(XP, ufunc), "__qualname__", "")


def _is_there(name):
    for home in (np, np.linalg, np.fft):
        function = getattr(home, name, None)
        if isinstance(function, np.ufunc):
            return _has_rule(function)
        if function in BODIES:
            return True
    return False


def test_every_name_of_autograd_is_there():
    names = {name for name in _autograds() if hasattr(np, name) or not name.startswith("_")}
    numpys = {n for n in names if any(hasattr(h, n) for h in (np, np.linalg, np.fft))}
    assert len(numpys) > 170
    assert [name for name in sorted(numpys) if not _is_there(name)] == []


@pytest.mark.skipif(np.__version__ < "2.4", reason="the signatures are those of NumPy 2.4")
@pytest.mark.parametrize("function", BODIES, ids=lambda f: f.__name__)
def test_a_body_has_numpys_signature(function):
    """After the namespace: the same names, kinds and defaults."""
    try:
        numpys = inspect.signature(function)
    except ValueError:
        pytest.skip("NumPy has no signature for it")
    theirs = list(numpys.parameters.values())
    ours = list(inspect.signature(BODIES[function]).parameters.values())[1:]
    if function.__module__ == "numpy.linalg" and ours[-1].kind is inspect.Parameter.VAR_KEYWORD:
        pytest.skip("the standard's own function, with its signature")
    if function.__name__ == "einsum":
        assert [p.name for p in ours] == [
            "operands", "out", "optimize", "dtype", "order", "casting"
        ]  # fmt: skip
        return
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in ours) and "options" in {
        p.name for p in ours
    }:
        return
    assert [p.name for p in ours] == [p.name for p in theirs]
    for own, their in zip(ours, theirs, strict=True):
        assert own.default == their.default or own.default is their.default, own.name
        assert (own.kind is own.KEYWORD_ONLY) == (their.kind is their.KEYWORD_ONLY), own.name


def test_every_body_is_called_somewhere():
    called = {name for name, *_ in CASES} | set(ANSWERS) | {"full_like", "empty_like"}
    skipped = {"fft." + n for n in ("hfft", "ihfft", "rfft2", "fftn", "ifftn", "ifft2", "irfftn")}
    aliases = {"amax", "amin", "around", "any", "argmin", "nanargmin", "nanpercentile", "ifftshift"}
    left = set(BY_NAME) - called - skipped - aliases - {"fft.ifftshift"}
    assert not {n for n in left if not n.startswith("linalg.")}


class TestRefusals:
    """By name, with the true library, and with what to write instead."""

    @pytest.mark.parametrize("name", INSTEAD)
    def test_without_a_derivative(self, name):
        function = np
        for part in name.split("."):
            function = getattr(function, part)
        if name in ("copyto", "putmask"):  # built in, without a signature before NumPy 2.4
            count = 2 if name == "copyto" else 3
        else:
            parameters = inspect.signature(function).parameters.values()
            count = sum(p.default is p.empty and p.kind in (0, 1) for p in parameters)

        def call(x):
            if name.startswith("save"):
                return function("nowhere", x)
            if name == "apply_along_axis":
                return function(np.sum, 0, x)
            if name == "apply_over_axes":
                return function(np.sum, x, [0])
            return function(*[x] * max(count, 1))

        with pytest.raises(NoDerivativeError, match=rf"numpy\.{name} has no derivative rule: "):
            pn.grad(call)(V)

    @pytest.mark.parametrize(
        "call",
        [
            lambda x, out: np.sum(x, 0, None, out),
            lambda x, out: np.einsum("i->", x, out=out),
            lambda x, out: np.concatenate([x, x], 0, out),
            lambda x, out: x.sum(out=out),
            lambda x, out: x.round(1, out),
            lambda x, out: np.fix(x, out),
            lambda x, out: np.add.reduce(x, out=out),
            lambda x, out: np.exp(x, out),
            lambda x, out: np.median(x, out=out),
        ],
    )
    def test_out(self, call):
        with pytest.raises(TracedValueError, match=r"numpy\..* cannot write .* use what it ret"):
            pn.grad(lambda x: np.sum(call(x, np.zeros(4))))(V)

    @pytest.mark.parametrize("name", ["sort", "partition", "fill", "put", "resize", "byteswap"])
    def test_in_place_methods(self, name):
        with pytest.raises(TracedValueError, match=rf"numpy\.ndarray\.{name} writes in place"):
            pn.grad(lambda x: getattr(x, name)(1))(V)

    def test_in_place_ufunc(self):
        with pytest.raises(TracedValueError, match=r"add\.at writes in place: use what pn"):
            pn.grad(lambda x: np.add.at(x, [0], 1.0))(V)

    @pytest.mark.parametrize("verb", [pn.grad, pn.jit, lambda f: lambda x: pn.vmap(f)(x[None])])
    def test_writing_a_traced_number_into_an_array(self, verb):
        def function(x):
            z = np.zeros((2, 2))
            z[0, 0] = x[0]
            return np.sum(z)

        with pytest.raises(TracedValueError, match="Keep it an array"):
            verb(function)(V)

    @pytest.mark.parametrize("function", [np.delete, lambda x, i: np.insert(x, i, 0.0)])
    def test_recorded_places(self, function):
        i = np.asarray([1])
        np.testing.assert_array_equal(pn.vjp(lambda x: function(x, i), V)[0], function(V, i))
        for verb in (pn.jit, lambda f: lambda x, i: pn.vmap(f)(x[None], i[None])):
            with pytest.raises(TracedValueError, match="obj decides the shape of the result"):
                verb(function)(V, i)

    @pytest.mark.parametrize("make", [lambda x: np.array([x[0], 1.0]), lambda x: np.full(2, x[0])])
    def test_what_asks_nobody(self, make):
        with pytest.raises(TracedValueError, match=r"build arrays of it with xp\.stack"):
            pn.grad(lambda x: np.sum(make(x)))(V)

    @pytest.mark.parametrize(
        "call",
        [
            lambda x: np.swapaxes(x, 0, 2),
            lambda x: np.rollaxis(x, 0, 5),
            lambda x: np.split(x, 2, axis=1),
            lambda x: np.diag(x[None]),
            lambda x: np.gradient(x[:, :1], axis=1),
            lambda x: np.average(x, weights=[1.0]),
            lambda x: np.quantile(x, 1.5),
            lambda x: np.sum(x, axis=3),
            lambda x: np.take(x, [7]),
            lambda x: np.hstack([x, V]),
            lambda x: np.kron(x, x, x),
            lambda x: np.einsum("ij,jk", x, x),
            lambda x: np.linalg.multi_dot([x, x]),
            lambda x: np.subtract.reduce(x, axis=(0, 1)),
            lambda x: np.max(x, where=A > 0),
            lambda x: np.meshgrid(x, indexing="zz"),
            lambda x: np.array_split(x, 0),
            lambda x: np.convolve(x[0], []),
            lambda x: np.interp(x, [1.0, 2.0], [1.0]),
            lambda x: np.bincount([0, 1, 1], x[0, :1]),
            lambda x: np.select([x > 0], [x, x]),
            lambda x: np.gradient(x, 1.0, 2.0, 3.0),
            lambda x: np.gradient(x, edge_order=3),
        ],
    )
    def test_what_numpy_refuses(self, call):
        """In every mode with a class of error under which the plain call's is caught too."""
        try:
            call(A)
        except (ValueError, IndexError, TypeError, ZeroDivisionError) as error:
            builtin = type(error)
            builtin = next(k for k in builtin.__mro__ if k.__module__ == "builtins")
        else:
            raise AssertionError("NumPy accepts it")
        for verb in (pn.grad, pn.jit, lambda f: lambda x: pn.vmap(f)(x[None])):
            with pytest.raises(builtin):
                verb(lambda x: np.sum(call(x)))(A)


def test_complex_results_that_are_real():
    gradient = pn.grad(lambda x: np.sum(np.real_if_close(x * (1 + 0j)) ** 2))(V)
    np.testing.assert_allclose(gradient, 2 * V)
    assert pn.vjp(lambda x: np.real_if_close(x * 1j), V)[0].dtype == np.complex128


def test_complex_products():
    """Gradients descend: they agree with differences along both axes of the plane."""
    z = (S + 1j * S.T)[0]

    def function(z):
        y = np.vdot(z, z) + np.correlate(z, [1j, 2.0])[0] + np.cov(z) + np.einsum("i,i", z, z)
        return np.real(y) + np.abs(np.convolve(z, z * 1j))[1] + np.median(np.real(z))

    g = pn.grad(function)(z)
    for i in range(3):
        for step in (1e-6, 1e-6j):
            d = step * np.eye(3)[i]
            slope = (function(z + d) - function(z - d)) / (2 * abs(step))
            np.testing.assert_allclose(np.real(np.conj(g[i]) * step / abs(step)), slope, rtol=1e-6)


def test_the_page_names_what_there_is():
    page = (Path(__file__).parents[3] / "docs" / "numpy-names.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`" in line][1:]
    listed = {name for row in rows for name in re.findall(r"`([\w.]+)`", row.split("|")[2])}
    functions = {name for name in listed if name in BY_NAME}
    assert functions >= set(BY_NAME)
    ufuncs = {name for name in listed - set(BY_NAME) if hasattr(np, name)}
    assert len(ufuncs) > 85
    assert all(_has_rule(getattr(np, name)) for name in ufuncs)
    assert not _has_rule(np.spacing)
    (specials,) = [line for line in page.splitlines() if line.startswith("`beta`, ")]
    mine = {*RULES, *SPECIAL_FUNCTIONS, "digamma", "jn", "softplus"}
    assert set(re.findall(r"`(\w+)`", specials)) == mine
