"""Sums, products, extremes, means and what runs along an axis, with NumPy's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.numpy.operands import NOT_GIVEN, along, array, axes, floating
from portanet.tape.rule import is_complex


def _options(axis: Any, keepdims: Any) -> dict[str, Any]:
    """Return the options of a reduction, without those that are left at their defaults."""
    options = {"axis": axes(axis)}
    if keepdims is not NOT_GIVEN and keepdims:
        options["keepdims"] = True
    return options


def _wide(xp: Any, a: Any, dtype: Any) -> Any:
    return a if dtype is None else xp.astype(a, np.dtype(dtype))


def _masked(xp: Any, a: Any, where: Any, neutral: Any) -> Any:
    return xp.where(array(xp, where), a, np.asarray(neutral).astype(a.dtype))


def _accumulating(name: str, combine: str, neutral: int) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
        keepdims: Any = NOT_GIVEN, initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        a = array(xp, a)
        if where is not NOT_GIVEN and where is not True:
            a = _masked(xp, a, where, neutral)
        options = _options(axis, keepdims)
        if dtype is not None:
            options["dtype"] = np.dtype(dtype)
        y = getattr(xp, name)(a, **options)
        if initial is NOT_GIVEN or initial is None:
            return y
        return getattr(xp.operators, combine)(y, initial)

    return body


def _extreme(name: str, combine: str) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN,
        initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        a = array(xp, a)
        given = initial is not NOT_GIVEN and initial is not None
        if where is not NOT_GIVEN and where is not True:
            if not given:
                raise ArgumentError(
                    f"numpy.{name} with where needs initial: a mask may choose no element"
                )
            a = _masked(xp, a, where, initial)
        options = _options(axis, keepdims)
        if given and not a.size:  # with nothing to combine it with, the initial value is the result
            shape = np.sum(np.empty(a.shape), **options).shape
            return xp.broadcast_to(xp.astype(array(xp, initial), a.dtype), shape)
        y = getattr(xp, name)(a, **options)
        return getattr(xp, combine)(y, initial) if given else y

    return body


def _logical(name: str, neutral: bool) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN, *,
        where: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        a = array(xp, a)
        if where is not NOT_GIVEN and where is not True:
            truth = xp.constants.astype(a, np.dtype(bool))
            a = xp.constants.where(array(xp, where), truth, neutral)
        return getattr(xp, name)(a, **_options(axis, keepdims))

    return body


def _index_of(name: str) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = NOT_GIVEN
    ) -> Any:
        return getattr(xp, name)(array(xp, a), **_options(axis, keepdims))

    return body


def count_nonzero(xp: Any, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return xp.count_nonzero(array(xp, a), **_options(axis, keepdims))


def _counted(xp: Any, a: Any, where: Any, axis: Any, keepdims: Any) -> Any:
    """How many elements a mask chooses in each slice."""
    chosen = xp.constants.broadcast_to(array(xp, where), a.shape)
    return xp.count_nonzero(chosen, **_options(axis, keepdims))


def mean(
    xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
    keepdims: Any = NOT_GIVEN, *, where: Any = NOT_GIVEN,
) -> Any:  # fmt: skip
    a = _wide(xp, array(xp, a), dtype)
    if where is NOT_GIVEN or where is True:
        return xp.mean(floating(xp, a), **_options(axis, keepdims))
    a = floating(xp, a)
    chosen = xp.sum(_masked(xp, a, where, 0), **_options(axis, keepdims))
    return chosen / xp.astype(_counted(xp, a, where, axis, keepdims), a.dtype)


def _deviation(root: bool) -> Callable[..., Any]:
    name = "std" if root else "var"

    def body(
        xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
        keepdims: Any = NOT_GIVEN, *, where: Any = NOT_GIVEN, mean: Any = NOT_GIVEN,
        correction: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        if correction is not NOT_GIVEN:
            ddof = correction
        a = floating(xp, _wide(xp, array(xp, a), dtype))
        masked = where is not NOT_GIVEN and where is not True
        if not masked and mean is NOT_GIVEN:
            return getattr(xp, name)(a, correction=ddof, **_options(axis, keepdims))
        y = _about(xp, a, axis, ddof, keepdims, where if masked else True, mean)
        return xp.sqrt(y) if root else y

    return body


def _about(xp: Any, a: Any, axis: Any, ddof: Any, keepdims: Any, where: Any, center: Any) -> Any:
    """The variance of chosen elements, about a mean that may be given."""
    if center is NOT_GIVEN:
        center = mean(xp, a, axis, keepdims=True, where=where)
    distance = a - center
    square = xp.real(distance * xp.conj(distance)) if is_complex(xp, a.dtype) else distance**2
    square = _masked(xp, square, where, 0)
    count = _counted(xp, a, where, axis, keepdims) - ddof
    return xp.sum(square, **_options(axis, keepdims)) / xp.astype(count, square.dtype)


def ptp(xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN) -> Any:
    a, options = array(xp, a), _options(axis, keepdims)
    return xp.max(a, **options) - xp.min(a, **options)


def _cumulative(name: str) -> Callable[..., Any]:
    def body(xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        a, axis = along(xp, a, axis)
        options = {} if dtype is None else {"dtype": np.dtype(dtype)}
        return getattr(xp, name)(a, axis=axis, **options)

    return body


def _standard_cumulative(name: str) -> Callable[..., Any]:
    def body(
        xp: Any, x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        if axis is None and x.ndim != 1:
            raise ShapeError(f"numpy.{name} without axis needs x.ndim == 1: {x.ndim} != 1")
        options: dict[str, Any] = {} if dtype is None else {"dtype": np.dtype(dtype)}
        if include_initial:
            options["include_initial"] = True
        return getattr(xp, name)(x, axis=0 if axis is None else axes(axis), **options)

    return body


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "all": _logical("all", True),
    "any": _logical("any", False),
    "amax": _extreme("max", "maximum"),
    "amin": _extreme("min", "minimum"),
    "argmax": _index_of("argmax"),
    "argmin": _index_of("argmin"),
    "count_nonzero": count_nonzero,
    "cumprod": _cumulative("cumulative_prod"),
    "cumsum": _cumulative("cumulative_sum"),
    "cumulative_prod": _standard_cumulative("cumulative_prod"),
    "cumulative_sum": _standard_cumulative("cumulative_sum"),
    "max": _extreme("max", "maximum"),
    "mean": mean,
    "min": _extreme("min", "minimum"),
    "prod": _accumulating("prod", "multiply", 1),
    "ptp": ptp,
    "std": _deviation(root=True),
    "sum": _accumulating("sum", "add", 0),
    "var": _deviation(root=False),
}
