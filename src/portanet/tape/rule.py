"""What a derivative rule is, and the three shapes that nearly all of them have.

A rule is written on the traced namespace ``xp`` of its primitive, so it can be differentiated
itself. Cotangents follow the convention in which ``x - rate * gradient`` descends: for a
holomorphic function they are multiplied by the conjugate of the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tape.signature import Signature


def is_complex(xp: Any, dtype: Any) -> bool:
    """Whether `dtype` is a complex floating point type (remembered by the namespace)."""
    known = xp.complex_dtypes
    try:
        return known[dtype]
    except KeyError:
        answer = known[dtype] = bool(xp.isdtype(dtype, "complex floating"))
        return answer


def conj(xp: Any, x: Any) -> Any:
    """The complex conjugate; `x` itself when it is real."""
    return xp.conj(x) if is_complex(xp, x.dtype) else x


def cast(xp: Any, x: Any, dtype: Any) -> Any:
    """Convert `x` to `dtype`, taking the real part where that dtype is real."""
    if is_complex(xp, x.dtype) and not is_complex(xp, dtype):
        x = xp.real(x)
    return x if x.dtype == dtype else xp.astype(x, dtype)


def fit(xp: Any, cotangent: Any, x: Any) -> Any:
    """Undo broadcasting and promotion: give `cotangent` the shape and dtype of `x`."""
    shape = x.shape
    if cotangent.shape != shape:
        surplus = cotangent.ndim - len(shape)
        stretched = tuple(
            axis
            for axis in range(cotangent.ndim)
            if axis < surplus or (shape[axis - surplus] == 1 and cotangent.shape[axis] != 1)
        )
        if stretched:
            cotangent = xp.sum(cotangent, axis=stretched)
        if cotangent.shape != shape:
            if math.prod(cotangent.shape) == math.prod(shape):
                cotangent = xp.reshape(cotangent, shape)
            else:
                cotangent = xp.broadcast_to(cotangent, shape)
    return cotangent if cotangent.dtype == x.dtype else cast(xp, cotangent, x.dtype)


def expand(xp: Any, tangent: Any, result: Any) -> Any:
    """Broadcast and promote `tangent` to the shape and dtype of `result`."""
    if tangent.shape != result.shape:
        tangent = xp.broadcast_to(tangent, result.shape)
    return tangent if tangent.dtype == result.dtype else cast(xp, tangent, result.dtype)


class Rule:
    """Derivatives of one function in both modes.

    `vjp` returns one cotangent for each entry of `argnums`; `jvp` returns the tangent of the
    result.
    """

    arity: int | None = None

    @property
    def signature(self) -> Signature:
        """The arguments that the formulas of this rule know."""
        return Signature(("x1", "x2", "x3")[: self.arity])

    def vjp(
        self,
        primitive: Any,
        cotangent: Any,
        result: Any,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Sequence[int],
    ) -> Iterable[Any]:
        raise NoDerivativeError(
            f"{primitive.name} has no reverse derivative: use forward mode, pn.jvp"
        )

    def jvp(
        self,
        primitive: Any,
        tangents: Sequence[Any],
        result: Any,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Sequence[int],
    ) -> Any:
        raise NoDerivativeError(
            f"{primitive.name} has no forward derivative: use reverse mode, pn.vjp"
        )


class Constant(Rule):
    """A function that is computed as if nothing were differentiated, such as a comparison.

    Parameters
    ----------
    *positional : str
        The names of the arguments that are given by position.
    named : str
        Those of the others, with spaces between them.
    """

    def __init__(self, *positional: str, named: str = "") -> None:
        self._signature = Signature(positional, frozenset(named.split()))

    @property
    def signature(self) -> Signature:
        return self._signature


class Elementwise(Rule):
    """A holomorphic function of single elements, its arguments broadcast against each other.

    Parameters
    ----------
    *scales : callable
        One an argument: ``scale(xp, d, y, *args)`` is `d` times the partial derivative with
        respect to that argument. The same formula serves both modes.
    """

    def __init__(self, *scales: Callable[..., Any]) -> None:
        self.scales = scales
        self.arity = len(scales)

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        conjugated = is_complex(xp, cotangent.dtype)
        if len(args) == 1 and not conjugated:
            (x,) = args
            part = self.scales[0](xp, cotangent, result, x, **kwargs)
            fits = part.shape == x.shape and part.dtype is x.dtype
            return (part if fits else fit(xp, part, x),)
        if conjugated:
            cotangent = xp.conj(cotangent)
        parts = []
        for i in argnums:
            part = self.scales[i](xp, cotangent, result, *args, **kwargs)
            if conjugated:
                part = xp.conj(part)
            x = args[i]
            fits = part.shape == x.shape and part.dtype is x.dtype
            parts.append(part if fits else fit(xp, part, x))
        return parts

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        total = None
        for i, tangent in zip(argnums, tangents, strict=True):
            part = self.scales[i](xp, tangent, result, *args, **kwargs)
            total = part if total is None else total + part
        return expand(xp, total, result)


class Linear(Rule):
    """A function that is linear in its only differentiable argument, the first.

    Parameters
    ----------
    transpose : callable
        ``transpose(xp, g, x, *others, **options)`` maps a cotangent of the result to one of `x`.
    """

    def __init__(self, transpose: Callable[..., Any], arity: int | None = 1) -> None:
        self.transpose = transpose
        self.arity = arity

    @property
    def signature(self) -> Signature:
        return Signature.of(self.transpose, skipped=2)

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        return [self.transpose(primitive.xp, cotangent, *args, **kwargs)]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        return primitive(tangents[0], *args[1:], **kwargs)


class Multilinear(Rule):
    """A function that is linear in each of its arguments when the others are held.

    Parameters
    ----------
    *transposes : callable
        One an argument: ``transpose(xp, g, *args, **options)``.
    """

    def __init__(self, *transposes: Callable[..., Any]) -> None:
        self.transposes = transposes
        self.arity = len(transposes)

    @property
    def signature(self) -> Signature:
        return Signature.of(self.transposes[0], skipped=2)

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        return [self.transposes[i](primitive.xp, cotangent, *args, **kwargs) for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        total = None
        for i, tangent in zip(argnums, tangents, strict=True):
            part = primitive(*args[:i], tangent, *args[i + 1 :], **kwargs)
            total = part if total is None else total + part
        return cast(xp, total, result.dtype)


class Explicit(Rule):
    """A function of one differentiable array, the first argument, with a formula for each mode.

    Parameters
    ----------
    vjp, jvp : callable
        ``formula(xp, d, y, x, *others, **options)``.
    """

    def __init__(
        self, vjp: Callable[..., Any], jvp: Callable[..., Any], arity: int | None = 1
    ) -> None:
        self.formulas = vjp, jvp
        self.arity = arity

    @property
    def signature(self) -> Signature:
        return Signature.of(self.formulas[0], skipped=3)

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        return [self.formulas[0](primitive.xp, cotangent, result, *args, **kwargs)]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        return self.formulas[1](primitive.xp, tangents[0], result, *args, **kwargs)
