"""The rules of ``xp.fft``: finite differences, torch, every option, NumPy's own functions."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

taped = pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "cupy"], indirect=True)

X = np.cos(np.arange(2.0 * 5 * 4)).reshape(2, 5, 4)
Z = X + 1j * np.sin(3 * np.arange(2.0 * 5 * 4)).reshape(2, 5, 4)
REAL_INPUT = ("rfft", "rfftn", "ihfft")
NORMS = ("backward", "ortho", "forward")
_ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
_SEVERAL = ("fftn", "ifftn", "rfftn", "irfftn")
CASES = [
    *(
        (name, options)
        for name in _ONE_AXIS
        for options in (
            {},
            {"axis": 1},
            {"n": 3},
            {"n": 4, "norm": "ortho"},
            {"n": 9, "axis": 1, "norm": "forward"},
            {"n": 10, "axis": -2},
            {"n": 1},
        )
    ),
    *(
        (name, options)
        for name in _SEVERAL
        for options in (
            {},
            {"axes": (1,)},
            {"axes": (0, 2), "norm": "ortho"},
            {"s": (4, 7), "axes": (1, 2)},
            {"s": (7, 4), "axes": (-2, 0), "norm": "forward"},
            {"s": (3, 2, 6), "axes": (2, 0, 1)},
        )
    ),
    *(
        (name, options)
        for name in ("fftshift", "ifftshift")
        for options in ({}, {"axes": 1}, {"axes": (0, 1)})
    ),
]


def _names(case):
    name, options = case
    return f"{name}-{'-'.join(f'{key}={value}' for key, value in options.items())}"


@pytest.fixture(params=CASES, ids=_names)
def case(request):
    return request.param


def _point(name):
    return X if name in REAL_INPUT else Z


def _power(xp, asarray, case):
    """A function of one array that is not linear in it: the weighted power of a spectrum."""
    name, options = case

    def function(x):
        y = getattr(xp.fft, name)(x * x, **options)
        power = xp.real(y * xp.conj(y)) if xp.isdtype(y.dtype, "complex floating") else y * y
        weights = asarray(np.linspace(1.0, 2.0, y.shape[-1]))
        return xp.sum(power * xp.astype(weights, power.dtype))

    return function


def _on(backend, case):
    return _power(backend.xp, backend.asarray, case)


def _on_numpy(case):
    return _power(pn.array_namespace(X), np.asarray, case)


def _inner(a, b):
    return np.sum(np.real(np.conj(a) * b))


@taped
def test_both_modes_and_second_order(backend, case):
    x = _point(case[0])
    v = np.sin(5 * x)
    reference = _on_numpy(case)
    function = _on(backend, case)
    expected = (reference(x + 1e-6 * v) - reference(x - 1e-6 * v)) / 2e-6
    gradient = pn.grad(function)
    on = backend.asarray
    reverse = backend.to_numpy(gradient(on(x)))
    assert reverse.shape == x.shape
    assert reverse.dtype == x.dtype
    assert _inner(reverse, v) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    forward = pn.jvp(function, (on(x),), (on(v),))[1]
    assert float(backend.to_numpy(forward)) == pytest.approx(expected, rel=1e-6, abs=1e-6)

    def along(x):
        xp = backend.xp
        product = (xp.conj(on(v)) if np.iscomplexobj(v) else on(v)) * gradient(x)
        return xp.sum(xp.real(product) if np.iscomplexobj(v) else product)

    ahead, behind = (backend.to_numpy(gradient(on(x + h * v))) for h in (1e-6, -1e-6))
    second = (ahead - behind) / 2e-6
    scale = max(1.0, np.max(np.abs(second)))
    for found in (pn.jvp(gradient, (on(x),), (on(v),))[1], pn.grad(along)(on(x))):
        np.testing.assert_allclose(
            backend.to_numpy(found) / scale, second / scale, rtol=1e-6, atol=1e-8
        )


def test_agrees_with_torch(case):
    torch = pytest.importorskip("torch")
    name, options = case
    if name.endswith("n"):
        options = {"dim" if key == "axes" else key: value for key, value in options.items()}
    x = torch.asarray(_point(name), requires_grad=True)
    if name.endswith("shift"):
        y = getattr(torch.fft, name)(x * x, options.get("axes"))
    else:
        renamed = {"dim" if key == "axis" else key: value for key, value in options.items()}
        y = getattr(torch.fft, name)(x * x, **renamed)
    weights = torch.linspace(1.0, 2.0, y.shape[-1], dtype=torch.float64)
    (expected,) = torch.autograd.grad(((y * y.conj()).real * weights).sum(), x)
    gradient = pn.grad(_on_numpy(case))(_point(name))
    np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-11, atol=1e-12)


@taped
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", [*_ONE_AXIS, *_SEVERAL])
def test_every_normalisation_keeps_single_precision(backend, name, norm):
    narrow = _point(name).astype(np.float32 if name in REAL_INPUT else np.complex64)
    x = backend.asarray(narrow)
    function = _on(backend, (name, {"norm": norm}))
    gradient = pn.grad(function)(x)
    assert gradient.dtype == x.dtype
    assert pn.jvp(function, (x,), (x,))[1].dtype == backend.dtype("float32")
    assert pn.jvp(pn.grad(function), (x,), (x,))[1].dtype == x.dtype
    expected = backend.to_numpy(pn.grad(function)(backend.asarray(_point(name))))
    np.testing.assert_allclose(
        backend.to_numpy(gradient), expected, rtol=2e-5, atol=2e-5 * np.max(np.abs(expected))
    )


@taped
def test_an_empty_batch_has_an_empty_gradient(backend, case):
    name, options = case
    if name in _SEVERAL and 0 in options.get("axes", (0,)):
        pytest.skip("transforms the empty axis")
    x = backend.asarray(_point(name)[:0, ...])
    assert pn.grad(_on(backend, case))(x).shape == (0, 5, 4)


@taped
def test_frequencies_are_constants(backend):
    xp, x = backend.xp, backend.asarray(X)
    frequencies = xp.fft.fftfreq(4, device=x.device)
    gradient = pn.grad(lambda x: xp.sum(x * frequencies))(x)
    expected = np.broadcast_to(np.fft.fftfreq(4), X.shape)
    np.testing.assert_array_equal(backend.to_numpy(gradient), expected)
    half = xp.fft.rfftfreq(7, d=0.5, device=x.device)
    np.testing.assert_array_equal(backend.to_numpy(half), np.fft.rfftfreq(7, 0.5))


_NUMPY = {
    "fft of reals": lambda x: np.fft.fft(x, 6, 1, "ortho"),
    "ifft": lambda x: np.fft.ifft(x, axis=0),
    "rfft": lambda x: np.fft.rfft(x, norm=None),
    "irfft": lambda x: np.fft.irfft(x, 5),
    "hfft": lambda x: np.fft.hfft(x),
    "ihfft": lambda x: np.fft.ihfft(x),
    "fft2": lambda x: np.fft.fft2(x),
    "ifft2": lambda x: np.fft.ifft2(x, (3, 3)),
    "rfft2": lambda x: np.fft.rfft2(x),
    "irfft2": lambda x: np.fft.irfft2(x, axes=(0, 1)),
    "fftn": lambda x: np.fft.fftn(x),
    "ifftn": lambda x: np.fft.ifftn(x, axes=(1, 2)),
    "rfftn": lambda x: np.fft.rfftn(x, (2, 3), (0, 1)),
    "irfftn": lambda x: np.fft.irfftn(x),
    "fftshift": lambda x: np.fft.fftshift(np.fft.ifftshift(x, 1) ** 2),
}


@pytest.mark.parametrize("name", _NUMPY)
def test_numpy_functions_work_on_traced_arrays(name):
    def function(x):
        y = _NUMPY[name](x * x)
        return np.sum(np.real(y) ** 2 + np.imag(y) * np.real(y))

    v = np.sin(5 * X)
    expected = (function(X + 1e-6 * v) - function(X - 1e-6 * v)) / 2e-6
    assert np.sum(pn.grad(function)(X) * v) == pytest.approx(expected, rel=1e-7)
    assert pn.jvp(function, (X,), (v,))[1] == pytest.approx(expected, rel=1e-7)
