"""``scipy.signal.lfilter`` on traced arrays: a recursion that SciPy runs, in derivatives too."""

from __future__ import annotations

import importlib
from typing import Any

from portanet.tape.numpy.operands import array, flat, one_axis, refuse
from portanet.tape.ops.card import Card
from portanet.tape.rule import Rule, cast, conj, fit

_NAME = "scipy.signal.lfilter"


def lfilter(xp: Any, b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter `x` along an axis by the coefficients `b` and `a`, differentiable in all three."""
    if zi is not None:
        refuse(f"{_NAME} with zi", "filter from rest, and leave zi out")
    x = array(xp, x)
    axis = one_axis(_NAME, axis, x.ndim)
    y = _filtered(xp, flat(xp, b), flat(xp, a), xp.moveaxis(x, axis, -1))
    return xp.moveaxis(y, -1, axis)


def _filtered(xp: Any, b: Any, a: Any, x: Any) -> Any:
    """Filter along the last axis: ``sum_k a_k y_(n-k) = sum_k b_k x_(n-k)``."""
    function = xp.__dict__.get("scipys_lfilter")
    if function is None:
        function = xp.__dict__["scipys_lfilter"] = xp.primitive(Card(_NAME, _Filter()), _compute)
    return function(b, a, x)


def _compute(b: Any, a: Any, x: Any) -> Any:
    return importlib.import_module("scipy.signal").lfilter(b, a, x)


class _Filter(Rule):
    """``A y = B x`` in matrices of the coefficients: ``dy = A⁻¹ (dB x + B dx - dA y)``."""

    arity = 3

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        b, a, x = args
        one, total = xp.ones_like(a[:1]), None
        for i, t in zip(argnums, tangents, strict=True):
            given = ((t, one, x), (t, one, -result), (b, one, t))[i]
            part = _filtered(xp, *given)
            total = part if total is None else total + part
        return cast(xp, _filtered(xp, one, a, total), result.dtype)

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        b, a, x = args
        one = xp.ones_like(a[:1])
        seen = _backwards(xp, one, conj(xp, a), cotangent)

        def along(k: int, y: Any) -> Any:
            n = max(y.shape[-1] - k, 0)
            return xp.sum(seen[..., k:] * conj(xp, y)[..., :n])

        parts = []
        for i in argnums:
            if i == 2:
                part = _backwards(xp, conj(xp, b), one, seen)
            else:
                y = x if i == 0 else -result
                part = xp.stack([along(k, y) for k in range(args[i].shape[0])])
            parts.append(fit(xp, part, args[i]))
        return parts


def _backwards(xp: Any, b: Any, a: Any, x: Any) -> Any:
    return xp.flip(_filtered(xp, b, a, xp.flip(x, axis=-1)), axis=-1)
