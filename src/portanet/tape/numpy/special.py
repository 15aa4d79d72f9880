"""``scipy.special`` on traced arrays: SciPy's values, and derivatives in its own functions.

SciPy is never imported before one of its functions is met.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tape.numpy.operands import function_name, unruled
from portanet.tape.ops.card import Card
from portanet.tape.rule import Elementwise

_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2 * math.pi)
_DEGREE = math.pi / 180
_NEAR = 0.5  # below it the series of exprel loses less than the quotient


class _Special:
    """SciPy's universal functions by name, without what SCIPY_ARRAY_API puts around them."""

    def __getattr__(self, name: str) -> Any:
        home = importlib.import_module("scipy.special")
        function = getattr(home, name, None)
        if function is None:  # zeta has a Python function around it
            function = getattr(importlib.import_module("scipy.special._ufuncs"), name)
        function = self.__dict__[name] = inspect.unwrap(function)
        return function


sp: Any = _Special()


def function_of(xp: Any, ufunc: Any) -> Callable[..., Any]:
    """Return a universal function of SciPy as one with derivatives."""
    full_name = function_name(ufunc)
    rule = RULES.get(full_name.rpartition(".")[2])
    if rule is None:
        cure = "give it one with pn.custom_jvp, or write it with functions that have one"
        return unruled(xp, ufunc, cure)
    return xp.primitive(Card(full_name, rule, fresh=True), ufunc)


def _without(name: str, argument: str) -> Callable[..., Any]:
    def scale(xp: Any, d: Any, y: Any, *args: Any) -> Any:
        raise NoDerivativeError(
            f"scipy.special.{name} has no derivative rule with respect to {argument}: give it one "
            "with pn.custom_jvp, or keep that argument out of the derivative"
        )

    return scale


def _one(slope: Callable[..., Any]) -> Elementwise:
    """The rule of a function of one argument, of ``slope(xp, y, x)``."""
    return Elementwise(lambda xp, d, y, x: d * slope(xp, y, x))


def _last(name: str, names: tuple[str, ...], slope: Callable[..., Any]) -> Elementwise:
    """The rule of a function with a derivative in its last argument: ``slope(xp, y, *args)``."""
    others = (_without(name, argument) for argument in names)
    return Elementwise(*others, lambda xp, d, y, *args: d * slope(xp, y, *args))


def _exprel(xp: Any, y: Any, x: Any) -> Any:
    near = xp.abs(x) < _NEAR
    t, series = xp.where(near, x, 0.0), 0.0
    for k in range(15, -1, -1):
        series = series * t + (k + 1) / math.factorial(k + 2)
    return xp.where(near, series, (xp.exp(x) - y) / xp.where(near, 1.0, x))


def _spence(xp: Any, y: Any, x: Any) -> Any:
    flat = x == 1
    return xp.where(flat, -1.0, xp.log(x) / xp.where(flat, 1.0, 1 - x))


def _gamma_density(xp: Any, a: Any, x: Any) -> Any:
    return xp.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a))


def _beta_density(xp: Any, a: Any, b: Any, x: Any) -> Any:
    return xp.exp(sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b))


def _student_density(xp: Any, df: Any, t: Any) -> Any:
    scale = sp.gammaln((df + 1) / 2) - sp.gammaln(df / 2) - sp.xlogy(0.5, df * math.pi)
    return xp.exp(scale - sp.xlog1py((df + 1) / 2, t * t / df))


def _ratio(xp: Any, x: Any, y: Any) -> Any:
    """``x / y``, and 0 where `x` is 0."""
    return x / xp.where(x == 0, 1.0, y)


def _box_cox_power(xp: Any, d: Any, y: Any, x: Any, power: Any) -> Any:
    log, flat = xp.log(x), power == 0
    safe = xp.where(flat, 1.0, power)
    return d * xp.where(flat, log * log / 2, (x**safe * log - y) / safe)


def _huber(xp: Any, d: Any, y: Any, delta: Any, r: Any) -> Any:
    return d * xp.where(xp.abs(r) > delta, xp.abs(r) - delta, 0.0)


def _pseudo_huber(xp: Any, d: Any, y: Any, delta: Any, r: Any) -> Any:
    root = xp.sqrt(1 + (r / delta) ** 2)
    return d * (2 * delta * (root - 1) - r * r / (delta * root))


_ERRORS: dict[str, Elementwise] = {
    "dawsn": _one(lambda xp, y, x: 1 - 2 * x * y),
    "erf": _one(lambda xp, y, x: 2 / _ROOT_PI * xp.exp(-x * x)),
    "erfc": _one(lambda xp, y, x: -2 / _ROOT_PI * xp.exp(-x * x)),
    "erfcinv": _one(lambda xp, y, x: -_ROOT_PI / 2 * xp.exp(y * y)),
    "erfcx": _one(lambda xp, y, x: 2 * x * y - 2 / _ROOT_PI),
    "erfi": _one(lambda xp, y, x: 2 / _ROOT_PI * xp.exp(x * x)),
    "erfinv": _one(lambda xp, y, x: _ROOT_PI / 2 * xp.exp(y * y)),
    "log_ndtr": _one(lambda xp, y, x: xp.exp(-x * x / 2 - y) / _ROOT_2PI),
    "ndtr": _one(lambda xp, y, x: xp.exp(-x * x / 2) / _ROOT_2PI),
    "ndtri": _one(lambda xp, y, x: _ROOT_2PI * xp.exp(y * y / 2)),
    "ndtri_exp": _one(lambda xp, y, x: _ROOT_2PI * xp.exp(x + y * y / 2)),
}

_GAMMAS: dict[str, Elementwise] = {
    "beta": Elementwise(
        lambda xp, d, y, a, b: d * y * (sp.psi(a) - sp.psi(a + b)),
        lambda xp, d, y, a, b: d * y * (sp.psi(b) - sp.psi(a + b)),
    ),
    "betainc": _last("betainc", ("a", "b"), lambda xp, y, a, b, x: _beta_density(xp, a, b, x)),
    "betaincc": _last("betaincc", ("a", "b"), lambda xp, y, a, b, x: -_beta_density(xp, a, b, x)),
    "betaincinv": _last(
        "betaincinv", ("a", "b"), lambda xp, y, a, b, x: 1 / _beta_density(xp, a, b, y)
    ),
    "betaln": Elementwise(
        lambda xp, d, y, a, b: d * (sp.psi(a) - sp.psi(a + b)),
        lambda xp, d, y, a, b: d * (sp.psi(b) - sp.psi(a + b)),
    ),
    "binom": Elementwise(
        lambda xp, d, y, n, k: d * y * (sp.psi(n + 1) - sp.psi(n - k + 1)),
        lambda xp, d, y, n, k: d * y * (sp.psi(n - k + 1) - sp.psi(k + 1)),
    ),
    "chdtr": _last("chdtr", ("v",), lambda xp, y, v, x: _gamma_density(xp, v / 2, x / 2) / 2),
    "chdtrc": _last("chdtrc", ("v",), lambda xp, y, v, x: -_gamma_density(xp, v / 2, x / 2) / 2),
    "gamma": _one(lambda xp, y, x: y * sp.psi(x)),
    "gammainc": _last("gammainc", ("a",), lambda xp, y, a, x: _gamma_density(xp, a, x)),
    "gammaincc": _last("gammaincc", ("a",), lambda xp, y, a, x: -_gamma_density(xp, a, x)),
    "gammaincinv": _last("gammaincinv", ("a",), lambda xp, y, a, x: 1 / _gamma_density(xp, a, y)),
    "gammaln": _one(lambda xp, y, x: sp.psi(x)),
    "gammasgn": _one(lambda xp, y, x: 0.0),
    "loggamma": _one(lambda xp, y, x: sp.psi(x)),
    "poch": Elementwise(
        lambda xp, d, y, a, m: d * y * (sp.psi(a + m) - sp.psi(a)),
        lambda xp, d, y, a, m: d * y * sp.psi(a + m),
    ),
    "psi": _one(lambda xp, y, x: sp._zeta(2.0, x)),
    "rgamma": _one(lambda xp, y, x: -y * sp.psi(x)),
    "stdtr": _last("stdtr", ("df",), lambda xp, y, df, t: _student_density(xp, df, t)),
    "zeta": _last("zeta", ("x",), lambda xp, y, s, q: -s * sp._zeta(s + 1, q)),
}

_BESSELS: dict[str, Elementwise] = {
    "i0": _one(lambda xp, y, x: sp.i1(x)),
    "i0e": _one(lambda xp, y, x: sp.i1e(x) - xp.sign(x) * y),
    "i1": _one(lambda xp, y, x: (sp.i0(x) + sp.iv(2, x)) / 2),
    "i1e": _one(lambda xp, y, x: (sp.i0e(x) + sp.ive(2, x)) / 2 - xp.sign(x) * y),
    "iv": _last("iv", ("v",), lambda xp, y, v, x: (sp.iv(v - 1, x) + sp.iv(v + 1, x)) / 2),
    "ive": _last(
        "ive",
        ("v",),
        lambda xp, y, v, x: (sp.ive(v - 1, x) + sp.ive(v + 1, x)) / 2 - xp.sign(x) * y,
    ),
    "j0": _one(lambda xp, y, x: -sp.j1(x)),
    "j1": _one(lambda xp, y, x: (sp.j0(x) - sp.jv(2, x)) / 2),
    "jv": _last("jv", ("v",), lambda xp, y, v, x: (sp.jv(v - 1, x) - sp.jv(v + 1, x)) / 2),
    "k0": _one(lambda xp, y, x: -sp.k1(x)),
    "k0e": _one(lambda xp, y, x: y - sp.k1e(x)),
    "k1": _one(lambda xp, y, x: -(sp.k0(x) + sp.kv(2, x)) / 2),
    "k1e": _one(lambda xp, y, x: y - (sp.k0e(x) + sp.kve(2, x)) / 2),
    "kn": _last("kn", ("n",), lambda xp, y, n, x: -(sp.kv(n - 1, x) + sp.kv(n + 1, x)) / 2),
    "kv": _last("kv", ("v",), lambda xp, y, v, x: -(sp.kv(v - 1, x) + sp.kv(v + 1, x)) / 2),
    "kve": _last("kve", ("v",), lambda xp, y, v, x: y - (sp.kve(v - 1, x) + sp.kve(v + 1, x)) / 2),
    "y0": _one(lambda xp, y, x: -sp.y1(x)),
    "y1": _one(lambda xp, y, x: (sp.y0(x) - sp.yv(2, x)) / 2),
    "yn": _last("yn", ("n",), lambda xp, y, n, x: (sp.yv(n - 1, x) - sp.yv(n + 1, x)) / 2),
    "yv": _last("yv", ("v",), lambda xp, y, v, x: (sp.yv(v - 1, x) - sp.yv(v + 1, x)) / 2),
}

_LOGARITHMS: dict[str, Elementwise] = {
    "boxcox": Elementwise(lambda xp, d, y, x, power: d * x ** (power - 1), _box_cox_power),
    "entr": _one(lambda xp, y, x: -1 - xp.log(x)),
    "exp1": _one(lambda xp, y, x: -xp.exp(-x) / x),
    "expi": _one(lambda xp, y, x: xp.exp(x) / x),
    "expit": _one(lambda xp, y, x: y * sp.expit(-x)),
    "expn": _last("expn", ("n",), lambda xp, y, n, x: -sp.expn(n - 1, x)),
    "exprel": _one(_exprel),
    "kl_div": Elementwise(
        lambda xp, d, y, p, q: d * xp.log(p / q), lambda xp, d, y, p, q: d * (1 - p / q)
    ),
    "log_expit": _one(lambda xp, y, x: sp.expit(-x)),
    "logit": _one(lambda xp, y, x: 1 / (x * (1 - x))),
    "rel_entr": Elementwise(
        lambda xp, d, y, p, q: d * (xp.log(p / q) + 1), lambda xp, d, y, p, q: -d * p / q
    ),
    "spence": _one(_spence),
    "xlog1py": Elementwise(
        lambda xp, d, y, a, b: sp.xlog1py(d, b), lambda xp, d, y, a, b: d * _ratio(xp, a, 1 + b)
    ),
    "xlogy": Elementwise(
        lambda xp, d, y, a, b: sp.xlogy(d, b), lambda xp, d, y, a, b: d * _ratio(xp, a, b)
    ),
}

_OTHERS: dict[str, Elementwise] = {
    "cbrt": _one(lambda xp, y, x: 1 / (3 * y * y)),
    "cosdg": _one(lambda xp, y, x: -_DEGREE * sp.sindg(x)),
    "cosm1": _one(lambda xp, y, x: -xp.sin(x)),
    "ellipe": _one(lambda xp, y, m: -math.pi / 8 * sp.hyp2f1(0.5, 1.5, 2.0, m)),
    "ellipk": _one(lambda xp, y, m: math.pi / 8 * sp.hyp2f1(1.5, 1.5, 2.0, m)),
    "exp10": _one(lambda xp, y, x: math.log(10) * y),
    "exp2": _one(lambda xp, y, x: math.log(2) * y),
    "expm1": _one(lambda xp, y, x: y + 1),
    "huber": Elementwise(
        _huber, lambda xp, d, y, delta, r: d * xp.minimum(xp.maximum(r, -delta), delta)
    ),
    "hyp0f1": _last("hyp0f1", ("v",), lambda xp, y, v, z: sp.hyp0f1(v + 1, z) / v),
    "hyp1f1": _last(
        "hyp1f1", ("a", "b"), lambda xp, y, a, b, x: a / b * sp.hyp1f1(a + 1, b + 1, x)
    ),
    "hyp2f1": _last(
        "hyp2f1", ("a", "b", "c"),
        lambda xp, y, a, b, c, z: a * b / c * sp.hyp2f1(a + 1, b + 1, c + 1, z),
    ),
    "log1p": _one(lambda xp, y, x: 1 / (1 + x)),
    "pseudo_huber": Elementwise(
        _pseudo_huber, lambda xp, d, y, delta, r: d * r / xp.sqrt(1 + (r / delta) ** 2)
    ),
    "round": _one(lambda xp, y, x: 0.0),
    "sindg": _one(lambda xp, y, x: _DEGREE * sp.cosdg(x)),
    "tandg": _one(lambda xp, y, x: _DEGREE * (1 + y * y)),
}  # fmt: skip

RULES: dict[str, Elementwise] = {**_ERRORS, **_GAMMAS, **_BESSELS, **_LOGARITHMS, **_OTHERS}
