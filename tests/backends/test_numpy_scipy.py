"""SciPy's functions for NumPy's arrays alone, on traced arrays: values, derivatives, jit, vmap."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import portanet as pn
from portanet.errors import NoDerivativeError, TracedValueError

fft = pytest.importorskip("scipy.fft")
integrate = pytest.importorskip("scipy.integrate")
signal = pytest.importorskip("scipy.signal")

X = np.random.default_rng(0).normal(size=(3, 6))
POINTS = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, size=6))


def agrees(f, x):
    """Hold a function of traced arrays against SciPy's own and against its differences."""
    expected = f(x)
    g = np.cos(np.arange(expected.size)).reshape(expected.shape)
    v = np.sin(np.arange(x.size)).reshape(x.shape)
    slope = (f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6
    value, pullback = pn.vjp(f, x)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(pn.jvp(f, (x,), (v,))[1], slope, rtol=1e-6, atol=1e-8)
    assert np.sum(pullback(g)[0] * v) == pytest.approx(np.sum(g * slope), rel=1e-6)
    jitted = pn.jit(f)
    for _ in range(2):
        np.testing.assert_allclose(jitted(x), expected, rtol=1e-12, atol=1e-13)
    batch = np.stack([x, 2 * x])
    np.testing.assert_allclose(pn.vmap(f)(batch), np.stack([f(x), f(2 * x)]), atol=1e-12)
    half = x.astype(np.float32)
    assert pn.vjp(f, half)[0].dtype == f(half).dtype


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
def test_transforms(name, kind, norm):
    transform = getattr(fft, name)
    for options in ({}, {"n": 4, "axis": 0}, {"n": 9}, {"orthogonalize": True}):
        agrees(lambda x, o=options: transform(x, kind, norm=norm, **o), X)


@pytest.mark.parametrize("name", ["dctn", "idctn", "dstn", "idstn"])
def test_transforms_over_several_axes(name):
    transform = getattr(fft, name)
    for options in ({}, {"norm": "ortho"}, {"s": (4, 7)}, {"axes": 0}, {"s": 5, "axes": [1]}):
        agrees(lambda x, o=options: transform(x, **o), X)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_simpson(count):
    for options in ({}, {"dx": 0.3}, {"x": POINTS[:count]}):
        agrees(lambda y, o=options: integrate.simpson(y, **o), X[:, :count])
    if count == 3:
        agrees(lambda y: integrate.simpson(y, axis=0), X)
    if count > 1:
        agrees(lambda x: integrate.simpson(X[:, :count], x=x), POINTS[:count])


def test_detrend():
    for options in ({}, {"type": "constant"}, {"axis": 0}):
        agrees(lambda x, o=options: signal.detrend(x, **o), X)


NUMERATOR, DENOMINATOR = np.asarray([0.5, -0.2, 0.7]), np.asarray([2.0, -0.6, 0.3, 0.1])


@pytest.mark.parametrize("axis", [0, -1])
def test_filters(axis):
    agrees(lambda x: signal.lfilter(NUMERATOR, DENOMINATOR, x, axis), X)
    agrees(lambda b: signal.lfilter(b, DENOMINATOR, X, axis=axis), NUMERATOR)
    agrees(lambda a: signal.lfilter(NUMERATOR, a, X, axis=axis), DENOMINATOR)
    agrees(lambda x: signal.lfilter(x[0, :3] + 2, x[1], x, axis), X)
    agrees(lambda x: signal.lfilter([1.0], [1.0, 0.5, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1], x, axis), X)


def test_filters_of_higher_order_and_of_complex_numbers():
    def energy(x):
        return np.sum(np.abs(signal.lfilter(x[:2], x[2:4], x)) ** 2)

    x = np.asarray([0.4, 1.2, 2.0, 0.5, -0.3, 0.9])
    v = np.cos(np.arange(6.0))
    slope = (pn.grad(energy)(x + 1e-6 * v) - pn.grad(energy)(x - 1e-6 * v)) / 2e-6
    np.testing.assert_allclose(pn.hvp(energy, x, v), slope, rtol=1e-6)
    z = x + 1j * v
    pn.testing.check_rule(lambda z: np.abs(signal.lfilter(z[:2], z[2:4], z)) ** 2, z)


def test_a_filter_that_is_not_at_rest_is_refused():
    with pytest.raises(NoDerivativeError, match=r"scipy\.signal\.lfilter with zi"):
        pn.grad(lambda x: np.sum(signal.lfilter([1.0], [1.0, 0.5], x, zi=[1.0])[0]))(X[0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: fft.dct(x, 5),
        lambda x: fft.dctn(x, s=(2, 2, 2)),
        lambda x: signal.detrend(x, type="square"),
        lambda x: integrate.simpson(x, x=POINTS[:5]),
        lambda x: integrate.odeint(lambda y, t: y, x, POINTS),
        lambda x: integrate.odeint(lambda y, t, a: y, x[0], POINTS, x),
    ],
)
def test_scipys_own_refusals_pass_through(function):
    with pytest.raises(Exception) as own:  # noqa: PT011
        function(X)
    for verb in (pn.grad, pn.jit, lambda f: lambda x: pn.jvp(f, (x,), (x,))):
        with pytest.raises(type(own.value)) as caught:
            verb(lambda x: np.sum(function(x)))(X)
        assert str(caught.value) == str(own.value)


def test_a_bad_argument_of_a_traced_call_alone_is_refused_by_the_name_called():
    with pytest.raises(TracedValueError, match=r"^scipy\.signal\.detrend: bp decides the shape"):
        pn.jit(lambda x: signal.detrend(X, bp=x))(np.asarray(2))


STANDARD = """
import numpy as np
import portanet as pn
from scipy import linalg, signal, special, stats

x, ramp = np.asarray([0.3, 0.7, 1.2]), np.arange(3.0)
y = np.asarray([1.0, 3.0, 2.0])
programs = {
    "zscore": lambda x: stats.zscore(x) * ramp**2,
    "pearsonr": lambda x: stats.pearsonr(x, x**2).statistic,
    "pearsonr of a lifted array": lambda x: stats.pearsonr(x, lifted(x, y)).statistic,
    "block_diag": lambda x: linalg.block_diag(x, x) ** 2,
    "fftconvolve": lambda x: signal.fftconvolve(x, x),
    "logsumexp": special.logsumexp,
    "gammaln": special.gammaln,
    "skew": stats.skew,
}


def lifted(x, y):
    return y if isinstance(x, np.ndarray) else pn.lift(y)


for name, f in programs.items():
    found = pn.grad(lambda x: np.sum(f(x)))(x)
    slopes = [(np.sum(f(x + d)) - np.sum(f(x - d))) / 2e-6 for d in np.eye(3) * 1e-6]
    np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-7, err_msg=name)
    tangent = pn.jvp(lambda x: np.sum(f(x)), (x,), (ramp,))[1]
    np.testing.assert_allclose(tangent, np.sum(slopes * ramp), rtol=1e-5, err_msg=name)
"""


def test_what_is_written_on_the_standard():
    """In a process of its own, since SciPy reads its switch when it is imported."""
    command = [sys.executable, "-W", "error", "-c", STANDARD]
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
