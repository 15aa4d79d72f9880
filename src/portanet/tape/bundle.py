"""Functions with several results: a trace records them once, and takes the results apart.

The recorded call gives one `Bundle`, a box whose value is the library's tuple. ``xp.part`` reads
one result out of it and is a primitive like any other: its cotangent is a `Share` of the tuple's,
and shares add up. So the traces themselves know nothing of tuples.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tape.box import Box
from portanet.tape.ops.batching import natural
from portanet.tape.ops.card import Card, Role
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule
from portanet.tape.trace import Refusal


class Bundle(Box):
    """The results of one call together. Users never see one."""

    __slots__ = ("note", "owner", "value")


class Share:
    """The cotangent of a tuple: that of each result which has one, by its index.

    Only the walk backwards holds it, so that a sum of many takes them in one by one.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: Share) -> Share:
        parts = self.parts
        for i, part in other.parts.items():
            parts[i] = parts[i] + part if i in parts else part
        return self


class _Part(Rule):
    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        return [Share({args[1]: cotangent})]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        return tangents[0][args[1]]


PART = Card("part", _Part(), natural, body=lambda raw, bundle, i: bundle[i], role=Role.PART)


class Several(Rule):
    """A function of one array, its first argument, with several results.

    Parameters
    ----------
    vjp, jvp : callable
        ``formula(xp, d, results, x, **options)``. In reverse mode `d` holds the cotangents of the
        results, None for those that have none; in forward mode it is the tangent of `x`, and the
        formula returns the tangents of the results.
    arbitrary : callable, optional
        ``arbitrary(x, **options)`` returns the index of a result that the function does not
        determine, and what to do instead; or None.
    """

    arity = 1

    def __init__(
        self,
        vjp: Callable[..., Any],
        jvp: Callable[..., Any],
        arbitrary: Callable[..., tuple[int, str] | None] | None = None,
    ) -> None:
        self.formulas = vjp, jvp
        self.arbitrary = arbitrary or (lambda x, **_: None)

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        results = unpacked(primitive.xp, result)
        undetermined = self.arbitrary(*args, **kwargs)
        if undetermined is not None and undetermined[0] in cotangent.parts:
            raise NoDerivativeError(f"{primitive.name}: {undetermined[1]}")
        cotangents = [cotangent.parts.get(i) for i in range(len(results))]
        return [self.formulas[0](primitive.xp, cotangents, results, *args, **kwargs)]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        results = unpacked(xp, result)
        directions = list(self.formulas[1](xp, tangents[0], results, *args, **kwargs))
        undetermined = self.arbitrary(*args, **kwargs)
        if undetermined is not None:
            i, advice = undetermined
            refusal = Refusal(f"{primitive.name}: {advice}")
            directions[i] = xp.box(results[i], refusal, None)
        return tuple(directions)


def bundled(card: Card, compute: Callable[..., Any], xp: Any) -> Callable[..., Any]:
    """Return the recorded function; on traced arrays too it returns the library's tuple."""
    primitive = Primitive(card, compute, xp, Bundle)

    @functools.wraps(compute)
    def function(x: Any, /, **options: Any) -> Any:
        if not isinstance(x, Box):
            return compute(x, **options)
        bundle = primitive(x, **options)
        kind: Any = type(_tuple(bundle))
        return getattr(kind, "_make", kind)(unpacked(xp, bundle))

    return function


def unpacked(xp: Any, bundle: Any) -> tuple[Any, ...]:
    """Return the results in a bundle, each an array of its own."""
    return tuple(xp.part(bundle, i) for i in range(len(_tuple(bundle))))


def _tuple(bundle: Any) -> Any:
    """The library's tuple inside any number of bundles."""
    while isinstance(bundle, Box):
        bundle = bundle.value
    return bundle
