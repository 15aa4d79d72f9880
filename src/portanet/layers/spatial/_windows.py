"""Checks of what the layers over windows share: sizes, steps and padding for each axis."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from portanet import checks
from portanet.errors import HyperparameterError
from portanet.functional.spatial.geometry import pad_widths


def rank_of(window: Any) -> int | None:
    """The number of axes that a window is for, None where one number is for each of any."""
    return len(window) if isinstance(window, tuple) else None


def each_axis(owner: Any, rank: int | None, *names: str, minimum: int = 1) -> None:
    """Each field is an integer for every axis, or a sequence of one for each of `rank` axes."""
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, Integral):
            checks.integers(owner, name, minimum=minimum)
            continue
        checks.sizes(owner, name, minimum=minimum)
        count = len(getattr(owner, name))
        if rank is not None and count != rank:
            checks.refuse(owner, f"{name} has one entry for each of {rank} axes", value)


def padding(owner: Any, rank: int | None, name: str = "padding", named: bool = True) -> None:
    """The field is "same", "valid", a number, or a number or a pair for each axis."""
    value = getattr(owner, name)
    if isinstance(value, str):
        if not named or value not in ("same", "valid"):
            texts = '"same", "valid" or ' if named else ""
            checks.refuse(owner, f"{name} is {texts}numbers", value)
        return
    if isinstance(value, Integral):
        checks.integers(owner, name, minimum=0)
        return
    if not isinstance(value, Sequence):
        checks.refuse(owner, f"{name} is a number, or one or a pair for each axis", value)
    made = tuple(tuple(n) if isinstance(n, Sequence) else n for n in value)
    try:
        pad_widths(made, len(made) if rank is None else rank)
    except (HyperparameterError, TypeError) as error:
        raise HyperparameterError(f"{type(owner).__name__}: {error}") from None
    object.__setattr__(owner, name, made)
