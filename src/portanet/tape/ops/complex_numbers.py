"""Cards of the functions that take complex numbers apart, and of signs.

``abs`` and ``sign`` of complex numbers have the derivative 0 at 0, on every backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.ops.batching import elementwise
from portanet.tape.ops.card import Card
from portanet.tape.ops.form import Form, called, kind_of
from portanet.tape.ops.words import Words
from portanet.tape.rule import Constant, Explicit, conj, is_complex

_SIGN = """
template <typename T> __device__ T portanet_sign(T a) {
    return a > 0 ? T(1) : a < 0 ? T(-1) : a == 0 ? T(0) : a;
}"""


def _complex_like(xp: Any, real: Any, x: Any, factor: complex) -> Any:
    if not is_complex(xp, x.dtype):
        return real
    return xp.astype(real, x.dtype) * factor


def direction(xp: Any, y: Any, x: Any) -> Any:
    """The complex number `x` divided by its absolute value `y`; 0 where that is 0."""
    return x / xp.astype(xp.where(y == 0, 1.0, y), x.dtype)


def _abs_vjp(xp: Any, g: Any, y: Any, x: Any) -> Any:
    if not is_complex(xp, x.dtype):
        return g * xp.sign(x)
    return xp.astype(g, x.dtype) * direction(xp, y, x)


def _abs_jvp(xp: Any, t: Any, y: Any, x: Any) -> Any:
    if not is_complex(xp, x.dtype):
        return t * xp.sign(x)
    return xp.real(conj(xp, direction(xp, y, x)) * t)


def _imag_vjp(xp: Any, g: Any, y: Any, x: Any) -> Any:
    return _complex_like(xp, g, x, 1j) if is_complex(xp, x.dtype) else 0.0 * g


def _turn(xp: Any, d: Any, y: Any, x: Any) -> Any:
    """The derivative of ``x / abs(x)`` along `d`: what of it turns `x`. It is its own adjoint."""
    size = xp.abs(x)
    turned = d - y * xp.astype(xp.real(conj(xp, y) * d), x.dtype)
    return xp.where(size == 0, 0.0, turned / xp.astype(xp.where(size == 0, 1.0, size), x.dtype))


def _sign(xp: Any, x: Any, /) -> Any:
    if not is_complex(xp, x.dtype):
        return xp.constants.sign(x)
    return xp.sign_of_complex(x)


def _sign_form(call: Any, x: Any) -> Form | None:
    return None if kind_of(x) == "c" else called("sign", 1)  # the standard's is rounded otherwise


CARDS = [
    Card(
        "abs", Explicit(_abs_vjp, _abs_jvp), elementwise, numpy="abs",
        words=Words(
            "fabs({0})", "{0} < 0 ? portanet_bits(0) - portanet_bits({0}) : portanet_bits({0})"
        ),
    ),
    Card(
        "conj",
        Explicit(lambda xp, g, y, x: conj(xp, g), lambda xp, t, y, x: conj(xp, t)),
        elementwise, numpy="conjugate",
    ),
    Card("imag", Explicit(_imag_vjp, lambda xp, t, y, x: xp.imag(t)), elementwise),
    Card(
        "real",
        Explicit(
            lambda xp, g, y, x: _complex_like(xp, g, x, 1.0), lambda xp, t, y, x: xp.real(t)
        ),
        elementwise,
    ),
    Card(
        "sign", Constant("x"), elementwise, numpy=_sign_form, fresh=True,
        words=Words("portanet_sign({0})", "({0} > 0) - ({0} < 0)", helpers=(_SIGN,)),
    ),
    Card("sign_of_complex", Explicit(_turn, _turn), elementwise, body=lambda raw, x: raw.sign(x)),
]  # fmt: skip

COMPOSITES: dict[str, Callable[..., Any]] = {"sign": _sign}
