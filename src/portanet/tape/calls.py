"""The functions of a namespace that are no primitives: compositions, constants and questions."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tape.box import SEQUENCES, Box, strip
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Constant
from portanet.tape.signature import Signature
from portanet.tape.trace import call, settle_all

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def has_box(tree: Any) -> bool:
    """Whether there is a traced array among arguments, also inside lists and tuples."""
    if isinstance(tree, Box):
        return True
    return isinstance(tree, SEQUENCES) and any(map(has_box, tree))


def _has_box(args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    return any(map(has_box, args)) or (bool(options) and any(map(has_box, options.values())))


def composite(
    xp: Any, name: str, raw: Callable[..., Any], body: Callable[..., Any], library: Any
) -> Callable[..., Any]:
    """Return a function that works through others: ``body(xp, *args, **options)`` if traced."""
    signature = Signature.of(body, skipped=1)
    names = {p.name for p in inspect.signature(body).parameters.values() if p.kind in _BY_NAME}
    most = len(signature.positional) or math.inf

    @functools.wraps(library)
    def function(*args: Any, **options: Any) -> Any:
        if not _has_box(args, options):
            return raw(*args, **options)
        if len(args) > most or not options.keys() <= names:
            args, options = signature.bind(name, library, args, options)
        return body(xp, *args, **options)

    return function


def constant(
    xp: Any, card: Card, raw: Callable[..., Any], signature: Signature | None = None
) -> Callable[..., Any]:
    """Return a function that is computed as if nothing were differentiated."""
    if not isinstance(card.rule, Constant):
        card = dataclasses.replace(card, rule=Constant(), batching=card.batched)
    primitive = Primitive(card, raw, xp, xp.box)

    @functools.wraps(raw)
    def function(*args: Any, **options: Any) -> Any:
        if not _has_box(args, options):
            return raw(*args, **options)
        if signature is not None:
            if not signature.fits(args, options):
                args, options = signature.bind(card.name, raw, args, options)
            args = tuple(map(xp.operands.check, args))
        if primitive.shows:
            settle_all(args)
        stripped = {key: strip_all(x) for key, x in options.items()}
        return call(primitive, [strip_all(x) for x in args], stripped)

    return function


def refusing(xp: Any, card: Card, raw: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function without a derivative, for plain arrays, batches and recordings."""
    primitive = Primitive(card, raw, xp, xp.box)

    @functools.wraps(raw)
    def function(*args: Any, **options: Any) -> Any:
        if not _has_box(args, options):
            return raw(*args, **options)
        given = (*args, *options.values())
        if any(strip_all(x) is not x for x in given if has_box(x)):
            raise NoDerivativeError(
                f"{card.name} has no derivative rule: compute it outside the derivative, or write "
                "it with functions that have one"
            )
        return call(primitive, args, options)

    return function


def of_types(raw: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that asks for nothing but the dtypes of its arrays."""

    @functools.wraps(raw)
    def function(*args: Any, **options: Any) -> Any:
        dtypes = [x.dtype if isinstance(x, Box) else x for x in args]
        return raw(*dtypes, **{k: x.dtype if isinstance(x, Box) else x for k, x in options.items()})

    return function


def strip_all(x: Any) -> Any:
    """Strip an array, or those in a list; what has nothing to strip returns itself."""
    if not isinstance(x, SEQUENCES):
        return strip(x)
    parts = [strip_all(part) for part in x]
    if all(new is old for new, old in zip(parts, x, strict=True)):
        return x
    return type(x)(parts)
