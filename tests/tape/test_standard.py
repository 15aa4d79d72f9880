"""The capability table, run: every function of the standard, in both modes and second order."""

from __future__ import annotations

import functools
import os

import numpy as np
import pytest
from standard_calls import CALLS, NUMBERS_ONLY

import portanet as pn
from portanet.errors import NoDerivativeError
from portanet.tape.capabilities import TAPE, State, capability, functions

CASES = [
    pytest.param(name, i, id=f"{name}-{i}")
    for name, calls in CALLS.items()
    for i in range(len(calls))
]


def _outputs(value):
    return list(value) if isinstance(value, list | tuple) else [value]


def _weights(shape, complex_):
    w = np.cos(np.arange(1.0, np.prod(shape, dtype=int) + 1)).reshape(shape)
    return w * (1 - 0.5j) if complex_ else w


def _loss(xp, asarray, call):
    """A smooth real number made of all the floating outputs of `call`."""

    def loss(*arrays):
        total = 0.0
        for y in _outputs(call(xp, *arrays)):
            if xp.isdtype(y.dtype, "complex floating"):
                w = asarray(_weights(y.shape, True))
                total = total + xp.sum(xp.real(w * y + w * y * y / 2))
            elif xp.isdtype(y.dtype, "real floating"):
                w = asarray(_weights(y.shape, False))
                total = total + xp.sum(w * y + w * y * y / 2)
        return total

    return loss


def _directions(arrays):
    made = []
    for k, x in enumerate(arrays):
        v = np.sin(np.arange(3.0 + k, 3.0 + k + x.size)).reshape(x.shape)
        made.append(v * (0.8 + 0.6j) if np.iscomplexobj(x) else v)
    return made


def _inner(a, b):
    return sum(float(np.sum(np.real(np.conj(x) * y))) for x, y in zip(a, b, strict=True))


def _moved(arrays, directions, step):
    return [x + step * v for x, v in zip(arrays, directions, strict=True)]


@functools.cache
def _reference(name, i):
    """By central differences: the derivative along the directions, and that of the gradient."""
    import array_api_compat.numpy as raw

    call, arrays = CALLS[name][i]
    directions, step = _directions(arrays), 1e-6
    loss = _loss(raw, np.asarray, call)
    first = (
        float(loss(*_moved(arrays, directions, step)))
        - float(loss(*_moved(arrays, directions, -step)))
    ) / (2 * step)
    xp = pn.array_namespace(arrays[0])
    gradient = pn.grad(_loss(xp, np.asarray, call), tuple(range(len(arrays))))
    ahead = gradient(*_moved(arrays, directions, step))
    behind = gradient(*_moved(arrays, directions, -step))
    return first, [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        metafunc.parametrize(("name", "i"), CASES)


# JAX compiles every operation anew for every call: the quick run keeps one call a function.
THOROUGH = bool(os.environ.get("PORTANET_SWEEPS"))


def _ready(backend, name, i):
    if backend.name == "jax" and i and not THOROUGH:
        pytest.skip("in the session `sweeps`")
    call, arrays = CALLS[name][i]
    return call, [backend.asarray(x) for x in arrays], _directions(arrays)


def test_a_traced_call_gives_the_untraced_result(backend, name, i):
    if capability(name, backend.name).vjp in (State.NAMED_ERROR, State.MISSING):
        pytest.skip(capability(name, backend.name).reason)
    call, arrays, _ = _ready(backend, name, i)
    if name in NUMBERS_ONLY:
        pytest.skip("the standard gives it numbers only")
    plain = _outputs(call(backend.xp, *arrays))
    traced = _outputs(pn.vjp(lambda *a: call(backend.xp, *a), *arrays)[0])
    assert len(plain) == len(traced)
    for expected, actual in zip(plain, traced, strict=True):
        if not isinstance(expected, np.generic | np.ndarray):  # NumPy gives both for no dimension
            assert type(actual) is type(expected)
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        np.testing.assert_allclose(
            backend.to_numpy(actual), backend.to_numpy(expected), rtol=1e-14, atol=1e-15
        )


def test_derivatives(backend, name, i):
    row = capability(name, backend.name)
    call, arrays, directions = _ready(backend, name, i)
    loss = _loss(backend.xp, backend.asarray, call)
    tangents = tuple(map(backend.asarray, directions))
    everything = tuple(range(len(arrays)))
    if row.vjp is State.NAMED_ERROR:
        # Libraries with derivatives of their own raise the builtin error of the same meaning.
        error = NoDerivativeError if backend.name in TAPE else NotImplementedError
        with pytest.raises(error, match="unique"):
            pn.grad(loss)(*arrays)
        if backend.name in TAPE:
            with pytest.raises(error, match=name):
                pn.jvp(loss, tuple(arrays), tangents)
        return
    if row.vjp is State.ZERO:
        _assert_zero(backend, call, arrays, tangents)
        return
    if row.vjp is State.MISSING:
        pytest.skip(row.reason)
    first, second = _reference(name, i)
    gradient = pn.grad(loss, everything)(*arrays)
    for x, g in zip(arrays, gradient, strict=True):
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
    reverse = _inner(map(backend.to_numpy, gradient), directions)
    assert reverse == pytest.approx(first, rel=1e-7, abs=1e-8)
    if row.jvp is State.MISSING:
        pytest.skip(row.reason)
    forward = pn.jvp(loss, tuple(arrays), tangents)[1]
    assert float(backend.to_numpy(forward)) == pytest.approx(first, rel=1e-7, abs=1e-8)

    if row.second is State.MISSING:
        pytest.skip(row.reason)
    grad = pn.grad(loss, everything)
    forward_over_reverse = pn.jvp(grad, tuple(arrays), tangents)[1]
    reverse_over_forward = pn.grad(lambda *a: pn.jvp(loss, a, tangents)[1], everything)(*arrays)
    xp = backend.xp

    def along(*a):
        pairs = zip(grad(*a), tangents, strict=True)
        return sum(
            xp.sum(xp.real(xp.conj(g) * v) if _is_complex(xp, g) else g * v) for g, v in pairs
        )

    reverse_over_reverse = pn.grad(along, everything)(*arrays)
    for actual in (forward_over_reverse, reverse_over_forward, reverse_over_reverse):
        for a, e in zip(actual, second, strict=True):
            np.testing.assert_allclose(backend.to_numpy(a), e, rtol=1e-6, atol=1e-7)
    forward_over_forward = pn.jvp(lambda *a: pn.jvp(loss, a, tangents)[1], tuple(arrays), tangents)[
        1
    ]
    expected = _inner(second, directions)
    assert float(backend.to_numpy(forward_over_forward)) == pytest.approx(
        expected, rel=1e-6, abs=1e-7
    )


@pytest.mark.parametrize("backend", ["torch", "jax"], indirect=True)
def test_the_tape_differentiates_for_libraries_with_an_engine_of_their_own(backend, name, i):
    states = {capability(name, library).vjp for library in (backend.name, "array_api_strict")}
    if states != {State.WORKS}:
        pytest.skip("no derivative, or none on one of the two")
    call, arrays, directions = _ready(backend, name, i)
    tangents = tuple(map(backend.asarray, directions))
    tape = pn.AutoTape()

    def loss(*arrays):
        return _loss(pn.array_namespace(*arrays), backend.asarray, call)(*arrays)

    first, _ = _reference(name, i)
    gradient = pn.grad(loss, tuple(range(len(arrays))), ad=tape)(*arrays)
    for x, g in zip(arrays, gradient, strict=True):
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
    reverse = _inner(map(backend.to_numpy, gradient), directions)
    assert reverse == pytest.approx(first, rel=1e-7, abs=1e-8)
    forward = pn.jvp(loss, tuple(arrays), tangents, ad=tape)[1]
    assert float(backend.to_numpy(forward)) == pytest.approx(first, rel=1e-7, abs=1e-8)


def _is_complex(xp, x):
    return xp.isdtype(x.dtype, "complex floating")


def _assert_zero(backend, call, arrays, tangents):
    """A float input that does not reach the output, or only in steps, has an exact zero."""
    xp = backend.xp

    def loss(*a):
        parts = _outputs(call(xp, *a))
        return sum(xp.sum(xp.astype(y, xp.float64)) for y in parts) + 0.0 * xp.sum(a[0])

    for g in pn.grad(loss, tuple(range(len(arrays))))(*arrays):
        np.testing.assert_array_equal(backend.to_numpy(g), np.zeros(g.shape))
    tangent = pn.jvp(loss, tuple(arrays), tangents)[1]
    np.testing.assert_array_equal(backend.to_numpy(tangent), 0.0)


def test_no_function_of_the_standard_is_missing_from_the_table():
    strict = pytest.importorskip("array_api_strict")
    found = {f"linalg.{name}" for name in strict.linalg.__all__}
    found |= {f"fft.{name}" for name in strict.fft.__all__}
    for name in strict.__all__:
        member = getattr(strict, name)
        if callable(member) and not isinstance(member, type) and name[:2] != "__":
            found.add(name)
    flags = {name for name in found if name.endswith("array_api_strict_flags")}
    assert found - flags - set(functions()) == set()


def test_every_function_that_takes_arrays_has_calls():
    without = [
        name
        for name in functions()
        if capability(name, "numpy").vjp is not State.NOTHING and not CALLS.get(name)
    ]
    assert without == []
