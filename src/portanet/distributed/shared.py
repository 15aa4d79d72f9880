"""The sum over all workers as an operation that is differentiated and recorded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from portanet import tape
from portanet.autodiff import custom_vjp
from portanet.distributed.collectives import check_plain
from portanet.distributed.group import current
from portanet.distributed.messages import allreduced
from portanet.functional import stop_gradient
from portanet.interface import array_namespace, backend_of
from portanet.tape.ops.card import Card
from portanet.tape.rule import Linear
from portanet.tracing.record.record import recording

_weight: ContextVar[Any] = ContextVar("portanet_weight", default=1.0)


@contextmanager
def weighing(weight: Any) -> Iterator[None]:
    """Let `own_weight` be `weight`, that of a part of a batch, while its loss is worked out."""
    token = _weight.set(weight)
    try:
        yield
    finally:
        _weight.reset(token)


def own_weight() -> Any:
    """Return what this worker's part of the batch counts for: 0 if it has no samples of its own."""
    return _weight.get()


def sum_of_workers(x: Any) -> Any:
    """Return the sum of an array over all workers, also inside a derivative or a recorded step.

    What a worker's loss depends on is then of all workers: the cotangent of the sum is that of the
    sum of their losses.
    """
    xp = backend_of(x).xp
    return _primitive(xp)(x) if isinstance(xp, tape.Namespace) else _ruled(x)


@functools.cache
def _primitive(xp: tape.Namespace) -> Callable[..., Any]:
    """Return the sum as the tape of a library knows it."""
    rule = Linear(lambda xp, g, x: sum_of_workers(g))
    return xp.primitive(Card("sum_of_workers", rule), _sum)


def _sum(x: Any) -> Any:
    """Return the sum of a vector over all workers.

    While a step is recorded nothing is sent: its first run follows, and others may be replaying
    theirs. What is worked out with such a guess may overflow; the first run warns.
    """
    if recording.get() is not None:
        np.seterr(all="ignore")  # the recording puts it back
        return array_namespace(x).asarray(x, copy=True)
    x = stop_gradient(x)
    check_plain("what is summed over the workers", x)
    return allreduced(current(), [x], "sum")[0]


_ruled = custom_vjp(_sum)
_ruled.defvjp(lambda x: (_sum(x), None), lambda _, g: (sum_of_workers(g),))
