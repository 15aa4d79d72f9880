"""A loop of Python in the place of a library's own, and the rows that it runs over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from portanet import tape
from portanet.errors import NoDerivativeError
from portanet.interface.lookup import array_namespace, backend_of

Array = Any


def scan(
    step: Callable[..., tuple[list[Array], list[Array]]],
    carry: Sequence[Array],
    xs: Sequence[Array],
    length: int,
    reverse: bool,
) -> tuple[list[Array], list[Array]]:
    """Run ``carry, y = step(carry, x)`` over the rows of `xs`, as the backend's `scan` would."""
    if length == 0:
        return list(carry), [_none_of(y) for y in step(carry, [_sample_row(x) for x in xs])[1]]
    columns = [unstack(x) for x in xs]
    order = range(length - 1, -1, -1) if reverse else range(length)
    rows = []
    for i in order:
        carry, y = step(carry, [column[i] for column in columns])
        rows.append(y)
    if reverse:
        rows.reverse()
    return list(carry), [array_namespace(*ys).stack(ys) for ys in zip(*rows, strict=True)]


UNBOUNDED = (
    "while_loop has no reverse derivative without a bound, since every step would have to be kept: "
    "give max_steps, loop with pn.scan or pn.fori_loop, or use forward mode, pn.jvp"
)


def while_loop(
    condition: Callable[..., Any],
    step: Callable[..., list[Array]],
    carry: Sequence[Array],
    most: int | None,
    is_reversed: Callable[[Array], bool] = lambda x: False,
    is_open: Callable[[Array], bool] = lambda x: False,
    open_loop: Callable[..., list[Array]] | None = None,
) -> list[Array]:
    """Run ``carry = step(*carry)`` while the condition holds, as the backend's would.

    Parameters
    ----------
    is_reversed : callable
        Whether an array is differentiated in reverse mode.
    is_open : callable
        Whether a condition has no single value: that of a batch has many.
    open_loop : callable
        Takes the first four arguments, and over where the condition is open.
    """
    for done in itertools.count() if most is None else range(most):
        going = condition(*carry)
        if open_loop is not None and is_open(going):
            return open_loop(condition, step, carry, most and most - done)
        if not going:
            break
        carry = step(*carry)
        if most is None and any(map(is_reversed, carry)):
            raise NoDerivativeError(UNBOUNDED)
    return list(carry)


def unstack(x: Array) -> Sequence[Array]:
    """Return the entries of `x` along axis 0, whose cotangents are stacked once."""
    backend = backend_of(x)
    xp = backend.xp
    if not isinstance(x, tape.Box) or not backend.is_floating(x.dtype):
        return xp.unstack(x)

    def value(x: Array) -> list[Array]:
        return list(xp.unstack(x))

    def stacked(parts: Sequence[Array | None], rows: Sequence[Array]) -> Array:
        pairs = zip(parts, rows, strict=True)
        return xp.stack([xp.zeros_like(y) if g is None else g for g, y in pairs])

    operation = tape.Operation(
        "unstack",
        value,
        lambda x: (value(x), []),
        lambda arrays, rows, kept, cotangents: [stacked(cotangents, rows)],
        lambda arrays, rows, kept, tangents: value(tangents[0]),
    )
    return backend.custom(operation, [x])


def _sample_row(x: Array) -> Array:
    backend = backend_of(x)
    return backend.xp.zeros(x.shape[1:], dtype=x.dtype, device=backend.device_of(x))


def _none_of(y: Array) -> Array:
    backend = backend_of(y)
    return backend.xp.zeros((0, *y.shape), dtype=y.dtype, device=backend.device_of(y))
