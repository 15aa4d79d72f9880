"""Reductions that leave out what is not a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tape.numpy import reductions
from portanet.tape.numpy.operands import NOT_GIVEN, array, constant

_REDUCTIONS = reductions.FUNCTIONS


def _filled(xp: Any, a: Any, value: float) -> tuple[Any, Any]:
    """Put `value` in the place of NaN; return also where there was one."""
    a = array(xp, a)
    missing = xp.constants.isnan(a)
    if a.dtype.kind not in "fc":
        return a, missing
    return xp.where(missing, np.asarray(value, a.dtype), a), missing


def _accumulating(name: str, neutral: int) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
        keepdims: Any = NOT_GIVEN, initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        a, _ = _filled(xp, a, neutral)
        return _REDUCTIONS[name](xp, a, axis, dtype, None, keepdims, initial, where)

    return body


def _extreme(name: str, neutral: float) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN,
        initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        a, missing = _filled(xp, a, neutral)
        y = _REDUCTIONS[name](xp, a, axis, None, keepdims, initial, where)
        if a.dtype.kind not in "fc" or (initial is not NOT_GIVEN and initial is not None):
            return y
        empty = _REDUCTIONS["all"](xp, missing, axis, None, keepdims)
        return xp.where(empty, np.asarray(np.nan, a.dtype), y)

    return body


def _cumulative(name: str, neutral: int) -> Callable[..., Any]:
    def body(xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        a, _ = _filled(xp, a, neutral)
        return _REDUCTIONS[name](xp, a, axis, dtype)

    return body


def _chosen(xp: Any, missing: Any, where: Any) -> Any:
    valid = xp.constants.logical_not(missing)
    if where is NOT_GIVEN or where is True:
        return valid
    return xp.constants.logical_and(valid, array(xp, where))


def _mean(
    xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
    keepdims: Any = NOT_GIVEN, *, where: Any = NOT_GIVEN,
) -> Any:  # fmt: skip
    a, missing = _filled(xp, a, 0)
    return reductions.mean(xp, a, axis, dtype, None, keepdims, where=_chosen(xp, missing, where))


def _deviation(name: str) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
        keepdims: Any = NOT_GIVEN, *, where: Any = NOT_GIVEN, mean: Any = NOT_GIVEN,
        correction: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        a, missing = _filled(xp, a, 0)
        where = _chosen(xp, missing, where)
        return _REDUCTIONS[name](
            xp, a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction
        )

    return body


def _index_of(function: Any) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = NOT_GIVEN
    ) -> Any:
        keepdims = keepdims is not NOT_GIVEN and bool(keepdims)
        return constant(xp, function)(a, axis, None, keepdims=keepdims)

    return body


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nanargmax": _index_of(np.nanargmax),
    "nanargmin": _index_of(np.nanargmin),
    "nancumprod": _cumulative("cumprod", 1),
    "nancumsum": _cumulative("cumsum", 0),
    "nanmax": _extreme("max", -np.inf),
    "nanmean": _mean,
    "nanmin": _extreme("min", np.inf),
    "nanprod": _accumulating("prod", 1),
    "nanstd": _deviation("std"),
    "nansum": _accumulating("sum", 0),
    "nanvar": _deviation("var"),
}
