"""Where the contract tests prove a public name: for the tables of the documentation."""

from __future__ import annotations

import operator

from contract.cases import LAYERS, LOSSES
from contract.functions import ALL

import portanet as pn

BACKENDS = ("numpy", "array_api_strict", "torch", "jax", "cupy")

_MADE = tuple({type(case.make()) for case in (*LAYERS.values(), *LOSSES.values())})
_FUNCTIONS = {case.name for case in ALL.values()}
# They draw on the host; that what they drew is the same everywhere is a test of every layer.
_INITIALIZERS = set(pn.initializers.__all__)


def exists(name: str) -> bool:
    """Whether `name` is something below ``pn``, with dots."""
    try:
        operator.attrgetter(name)(pn)
    except AttributeError:
        return False
    return True


def backends_of(name: str) -> tuple[str, ...]:
    """Return the backends on which a case of `name` runs wherever they are installed."""
    thing = operator.attrgetter(name)(pn)
    module, _, own = name.rpartition(".")
    proved = own in (_INITIALIZERS if module == "initializers" else _FUNCTIONS)
    if isinstance(thing, type):
        proved = proved or any(issubclass(made, thing) for made in _MADE)
    return BACKENDS if proved else ()
