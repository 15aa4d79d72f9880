"""Work where the arrays are: CuPy would do it on its current device, and read over the bus."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import cupy

F = TypeVar("F", bound=Callable[..., Any])


@functools.cache
def are_several() -> bool:
    """Whether there are devices to choose from; without a driver there are none."""
    try:
        return cupy.cuda.runtime.getDeviceCount() > 1
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def _arrays(values: Iterable[Any]) -> Iterator[Any]:
    for x in values:
        if isinstance(x, cupy.ndarray):
            yield x
        elif isinstance(x, tuple | list):
            yield from _arrays(x)


def following(function: F) -> F:
    """Let a function of arrays work on the device of the first one."""
    if not are_several():
        return function

    @functools.wraps(function)
    def followed(*args: Any, **options: Any) -> Any:
        x = next(_arrays((*args, *options.values())), None)
        if x is None or x.data.device_id == cupy.cuda.runtime.getDevice():
            return function(*args, **options)
        with x.device:
            return function(*args, **options)

    followed.generic = getattr(function, "generic", function)  # pyright: ignore[reportAttributeAccessIssue]
    return followed  # pyright: ignore[reportReturnType]
