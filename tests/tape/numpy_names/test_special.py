"""``scipy.special`` on traced arrays: SciPy's values, and derivatives in every mode."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from tape.numpy_names.checks import (
    check_batches,
    check_derivatives,
    check_gradients,
    check_replays,
    check_values,
)

import portanet as pn
from portanet.errors import NoDerivativeError
from portanet.tape.numpy.special import RULES

sp = pytest.importorskip("scipy.special")

X = np.asarray([0.31, 0.72, 1.27, 2.4])
U = np.asarray([0.12, 0.35, 0.61, 0.93])
Y = np.asarray([[0.3, -0.7], [1.2, -1.6]])
P = np.asarray([1.3, 0.8, 2.1, 0.4])

CASES = [
    ("beta", lambda x: sp.beta(x, P) + sp.beta(2.0, x), X),
    ("betainc", lambda x: sp.betainc(P, 2.0, x), U),
    ("betaincc", lambda x: sp.betaincc(P, 2.0, x), U),
    ("betaincinv", lambda x: sp.betaincinv(P, 2.0, x), U),
    ("betaln", lambda x: sp.betaln(x, x * x) + sp.betaln(x, 2), X),
    ("binom", lambda x: sp.binom(5.0 + x, P) + sp.binom(4.3, x), X),
    ("boxcox", lambda x: sp.boxcox(x, 0.3) + sp.boxcox(P, x), X),
    ("cbrt", lambda x: sp.cbrt(x), Y),
    ("chdtr", lambda x: sp.chdtr(3, x) * sp.chdtrc(2.5, x), X),
    ("chdtrc", lambda x: sp.chdtrc(P, x), X),
    ("cosdg", lambda x: sp.cosdg(30 * x) + sp.sindg(30 * x) * sp.tandg(x), Y),
    ("cosm1", lambda x: sp.cosm1(x), Y),
    ("dawsn", lambda x: sp.dawsn(x), Y),
    ("ellipe", lambda x: sp.ellipe(x) * sp.ellipk(x - 0.5), U),
    ("ellipk", lambda x: sp.ellipk(x), U),
    ("entr", lambda x: sp.entr(x), X),
    ("erf", lambda x: sp.erf(x), Y),
    ("erfc", lambda x: sp.erfc(x), Y),
    ("erfcinv", lambda x: sp.erfcinv(x), X[:3]),
    ("erfcx", lambda x: sp.erfcx(x), Y),
    ("erfi", lambda x: sp.erfi(x), Y),
    ("erfinv", lambda x: sp.erfinv(x - 0.5), U),
    ("exp1", lambda x: sp.exp1(x), X),
    ("exp10", lambda x: sp.exp10(x) + sp.exp2(x), Y),
    ("exp2", lambda x: sp.exp2(x), Y),
    ("expi", lambda x: sp.expi(x), X),
    ("expit", lambda x: sp.expit(x), Y),
    ("expm1", lambda x: sp.expm1(x) * sp.log1p(x * x), Y),
    ("expn", lambda x: sp.expn(3, x), X),
    ("exprel", lambda x: sp.exprel(x), Y),
    ("gamma", lambda x: sp.gamma(x), X),
    ("gammainc", lambda x: sp.gammainc(P, x), X),
    ("gammaincc", lambda x: sp.gammaincc(P, x), X),
    ("gammaincinv", lambda x: sp.gammaincinv(P, x), U),
    ("gammaln", lambda x: sp.gammaln(x) * sp.loggamma(x), X),
    ("gammasgn", lambda x: sp.gammasgn(x) * x, Y),
    ("huber", lambda x: sp.huber(1.0, x) + sp.huber(x, 1.0), X),
    ("hyp0f1", lambda x: sp.hyp0f1(1.5, x), Y),
    ("hyp1f1", lambda x: sp.hyp1f1(0.5, 1.5, x), Y),
    ("hyp2f1", lambda x: sp.hyp2f1(0.5, 1.5, 2.5, x), U),
    ("i0", lambda x: sp.i0(x) + sp.i0e(x), Y),
    ("i0e", lambda x: sp.i0e(x), Y),
    ("i1", lambda x: sp.i1(x), Y),
    ("i1e", lambda x: sp.i1e(x), Y),
    ("iv", lambda x: sp.iv(1.5, x), X),
    ("ive", lambda x: sp.ive(2, x), X),
    ("j0", lambda x: sp.j0(x), Y),
    ("j1", lambda x: sp.j1(x), Y),
    ("jv", lambda x: sp.jn(2, x) + sp.jv(1.5, x), X),
    ("k0", lambda x: sp.k0(x) * sp.k0e(x), X),
    ("k0e", lambda x: sp.k0e(x), X),
    ("k1", lambda x: sp.k1(x), X),
    ("k1e", lambda x: sp.k1e(x), X),
    ("kl_div", lambda x: sp.kl_div(x, P) + sp.kl_div(P, x), X),
    ("kn", lambda x: sp.kn(2, x), X),
    ("kv", lambda x: sp.kv(1.5, x), X),
    ("kve", lambda x: sp.kve(1.5, x), X),
    ("log1p", lambda x: sp.log1p(x), X),
    ("log_expit", lambda x: sp.log_expit(x), Y),
    ("log_ndtr", lambda x: sp.log_ndtr(x), Y),
    ("loggamma", lambda x: sp.loggamma(x), X),
    ("logit", lambda x: sp.logit(x), U),
    ("ndtr", lambda x: sp.ndtr(x), Y),
    ("ndtri", lambda x: sp.ndtri(x), U),
    ("ndtri_exp", lambda x: sp.ndtri_exp(-x), X),
    ("poch", lambda x: sp.poch(x, 1.5) + sp.poch(P, x), X),
    ("pseudo_huber", lambda x: sp.pseudo_huber(1.0, x) + sp.pseudo_huber(x, 0.7), X),
    ("psi", lambda x: sp.psi(x) + sp.digamma(2 * x), X),
    ("rel_entr", lambda x: sp.rel_entr(x, P) + sp.rel_entr(P, x), X),
    ("rgamma", lambda x: sp.rgamma(x), X),
    ("round", lambda x: sp.round(x) * x, X),
    ("sindg", lambda x: sp.sindg(x), Y),
    ("spence", lambda x: sp.spence(x), X),
    ("stdtr", lambda x: sp.stdtr(3.0, x), Y),
    ("tandg", lambda x: sp.tandg(x), Y),
    ("xlog1py", lambda x: sp.xlog1py(x, P) + sp.xlog1py(2.0, x), X),
    ("xlogy", lambda x: sp.xlogy(x, x), X),
    ("y0", lambda x: sp.y0(x), X),
    ("y1", lambda x: sp.y1(x), X),
    ("yn", lambda x: sp.yn(2, x), X),
    ("yv", lambda x: sp.yv(1.5, x), X),
    ("zeta", lambda x: sp.zeta(3.0, x), X),
    # Python functions
    ("logsumexp", lambda x: sp.logsumexp(x), Y),
    ("logsumexp", lambda x: sp.logsumexp(x, axis=1, keepdims=True), Y),
    ("logsumexp", lambda x: sp.logsumexp(x, 0, b=[[1.0, 2.0], [0.0, 0.5]]), Y),
    ("logsumexp", lambda x: sp.logsumexp(x, b=[[1.0, -2.0], [0.5, -3.0]], return_sign=True)[0], Y),
    ("softmax", lambda x: sp.softmax(x) * sp.softmax(x, axis=0), Y),
    ("log_softmax", lambda x: sp.log_softmax(x) * sp.log_softmax(x, axis=1), Y),
    ("polygamma", lambda x: sp.polygamma(2, x) + sp.polygamma([0, 1, 2, 0], x), X),
    ("multigammaln", lambda x: sp.multigammaln(x + 1, 3), X),
    ("softplus", lambda x: np.logaddexp(0, x), Y),
]


@pytest.fixture(params=range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{i}")
def case(request):
    _, function, x = CASES[request.param]
    return function, x


@pytest.mark.parametrize("i", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{i}")
def test_values(i):
    name, function, x = CASES[i]
    check_values(function, x, rtol=1e-15 if name == "logsumexp" else 0.0)


def test_derivatives(case):
    check_derivatives(*case)


def test_replays(case):
    check_replays(*case, rtol=1e-13)


def test_batches(case):
    check_batches(*case, rtol=1e-13)


def test_gradients_recorded_and_batched(case):
    check_gradients(*case)


def test_float32_stays(case):
    function, x = case
    x = x.astype(np.float32)
    assert pn.vjp(function, x)[0].dtype == np.asarray(function(x)).dtype
    assert pn.grad(lambda x: np.sum(function(x)))(x).dtype == np.float32


def test_every_rule_has_a_case():
    assert set(RULES) <= {name for name, *_ in CASES}


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
