"""``scipy.special`` on traced arrays: what has a rule, what has none, and its limits."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from tape.numpy_names.checks import check_batches, check_replays

import portanet as pn
from portanet.errors import NoDerivativeError
from portanet.tape.numpy.special import RULES

special = pytest.importorskip("tape.numpy_names.special")
sp, X = special.sp, special.X


def test_every_rule_has_a_case():
    assert set(RULES) <= {name for name, *_ in special.CASES}


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (lambda a: sp.gammainc(a, 2.0), "gammainc .* to a"),
        (lambda b: sp.betainc(1.0, b, 0.5), "betainc .* to b"),
        (lambda v: sp.jv(v, 0.5), "jv .* to v"),
    ],
)
def test_an_argument_without_a_derivative_is_named(function, argument):
    for derive in (
        lambda: pn.grad(lambda x: np.sum(function(x)))(X),
        lambda: pn.jvp(function, (X,), (X,)),
    ):
        with pytest.raises(NoDerivativeError, match=rf"scipy\.special\.{argument}"):
            derive()


@pytest.mark.parametrize("name", ["bdtrik", "lpmv", "sici", "wrightomega", "pdtr"])
def test_a_function_without_a_rule_is_named(name):
    function = getattr(sp, name)
    with pytest.raises(NoDerivativeError, match=rf"scipy\.special\.{name} .* pn\.custom_jvp"):
        pn.grad(lambda x: np.sum(function(*[x] * function.nin)))(X)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: sp.bdtr(x, 2, 0.5),
        lambda x: np.real(sp.lambertw(x)),
        lambda x: sp.sici(x)[1],
        lambda x: sp.zeta(x + 1),
        np.spacing,
    ],
)
def test_what_has_no_rule_is_recorded_and_batched(function):
    check_replays(function, X)
    check_batches(function, X)
    with pytest.raises(NoDerivativeError):
        pn.grad(pn.jit(lambda x: np.sum(function(x))))(X)
    with pytest.raises(NoDerivativeError):
        pn.jit(pn.grad(lambda x: np.sum(function(x))))(X)


def test_large_logits_have_gradients():
    x = np.asarray([1000.0, 999.0, -np.inf])
    expected = sp.softmax(x)
    np.testing.assert_allclose(pn.grad(sp.logsumexp)(x), expected)
    np.testing.assert_allclose(pn.grad(lambda x: sp.logsumexp(x, b=[1.0, 1.0, 1.0]))(x), expected)
    np.testing.assert_allclose(pn.grad(lambda x: sp.log_softmax(x)[0])(x), [1, 0, 0] - expected)
    assert np.all(pn.grad(sp.logsumexp)(np.asarray([-np.inf, -np.inf])) == 0)


def test_near_zero():
    """Where the closed forms lose their digits, the derivatives do not."""
    x = np.asarray([0.0, 1e-9, 1e-4, -0.02])
    slopes = pn.grad(lambda x: np.sum(sp.exprel(x)))(x)
    np.testing.assert_allclose(slopes, 1 / 2 + x / 3 + x**2 / 8 + x**3 / 30 + x**4 / 144, rtol=1e-9)
    slopes = pn.grad(lambda x: np.sum(np.sinc(x)))(x)
    np.testing.assert_allclose(slopes, -(np.pi**2) * x / 3 * (1 - (np.pi * x) ** 2 / 10), rtol=1e-6)


def test_plain_arrays_keep_scipys_own():
    pn.grad(sp.logsumexp)(X)
    assert type(sp.logsumexp([1.0, 2.0])) is np.float64
    np.testing.assert_allclose(sp.softmax([[0.0, 0.0]], axis=-1), [[0.5, 0.5]])
    with pytest.raises(TypeError):
        sp.softmax([0.0], axes=0)


PROGRAM = """
import os, sys
import numpy as np
import portanet as pn
assert not any(name.startswith("scipy") for name in sys.modules), "imported by portanet"
x = np.asarray([0.3, 0.7, 1.2])
pn.grad(np.sum)(x)
from scipy import special as sp
for name in ("logsumexp", "expit", "gammaln", "erf", "log_softmax", "softmax"):
    f = getattr(sp, name)
    g = lambda x: np.sum(f(x) * np.arange(1.0, 4.0))
    slopes = [(g(x + d) - g(x - d)) / 2e-6 for d in np.eye(3) * 1e-6]
    np.testing.assert_allclose(pn.jit(g)(x), g(x))
    np.testing.assert_allclose(pn.grad(g)(x), slopes, rtol=1e-6)
    np.testing.assert_allclose(pn.vmap(f)(x[None])[0], f(x))
"""


@pytest.mark.parametrize("flag", ["0", "1"])
def test_in_a_fresh_process(flag):
    """SciPy comes late, with its dispatch by namespaces and without."""
    environment = {**os.environ, "SCIPY_ARRAY_API": flag}
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environment)
