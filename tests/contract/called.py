"""The arguments with which the catalogue calls a function, and other ways to give them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import portanet as pn

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class _Called(Exception):
    """Stops a case when its arguments are known: calling is slow where each shape is compiled."""


def as_called(case: Any, inputs: tuple[Any, ...]) -> Arguments:
    """Return the arguments with which a case calls its function, and the defaults of the rest."""
    function = getattr(pn.functional, case.name)

    def spy(*args: Any, **options: Any) -> Any:
        raise _Called(args, options)

    setattr(pn.functional, case.name, spy)
    try:
        (spy if case.call is function else case.call)(*inputs)
    except _Called as seen:
        args, options = seen.args
    finally:
        setattr(pn.functional, case.name, function)
    return args, {**_defaults(function, len(args)), **options}


def by_keyword(
    function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Arguments:
    """Give by keyword what can be given so."""
    parameters = list(inspect.signature(function).parameters.values())
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return args, options
    given = list(zip(parameters, args, strict=False))
    named = {p.name: x for p, x in given if p.kind is not p.POSITIONAL_ONLY}
    return args[: len(args) - len(named)], {**named, **options}


def _defaults(function: Callable[..., Any], given: int) -> dict[str, Any]:
    """Return the defaults of the parameters after the first `given` that have a name."""
    parameters = list(inspect.signature(function).parameters.values())
    return {
        p.name: p.default
        for p in parameters[given:]
        if p.default is not p.empty and p.kind is not p.POSITIONAL_ONLY
    }
