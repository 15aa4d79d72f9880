"""The cards by name, for the traced namespaces: those of ``xp.linalg`` as ``"linalg.det"``.

``CARDS`` has the operations that a trace records: those of the standard, and those that the rules
need beyond it, which have a body of their own. ``COMPOSITES`` has the functions that work through
others, ``body(xp, *args, **options)``; one that needs constants, such as ``sign``, has a card too,
for these. ``TYPES`` names those that ask for dtypes alone. A function in none of them has no
derivative and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.bundle import PART
from portanet.tape.ops import (
    accumulation,
    arithmetic,
    complex_numbers,
    creation,
    fft,
    indexing,
    joining,
    linalg_decompositions,
    linalg_determinants,
    linalg_eigen,
    linalg_norms,
    linalg_products,
    linalg_solve,
    linalg_triangular,
    products,
    rearranging,
    reductions,
    searching,
    shapes,
    steps,
    transcendental,
)
from portanet.tape.ops.card import Card

_FAMILIES: tuple[list[Card], ...] = (
    [PART],
    accumulation.CARDS,
    arithmetic.CARDS,
    complex_numbers.CARDS,
    creation.CARDS,
    fft.CARDS,
    indexing.CARDS,
    joining.CARDS,
    linalg_decompositions.CARDS,
    linalg_determinants.CARDS,
    linalg_eigen.CARDS,
    linalg_norms.CARDS,
    linalg_products.CARDS,
    linalg_solve.CARDS,
    linalg_triangular.CARDS,
    products.CARDS,
    rearranging.CARDS,
    reductions.CARDS,
    searching.CARDS,
    shapes.CARDS,
    steps.CARDS,
    transcendental.CARDS,
)
CARDS: dict[str, Card] = {card.name: card for family in _FAMILIES for card in family}
COMPOSITES: dict[str, Callable[..., Any]] = {
    **accumulation.COMPOSITES,
    **arithmetic.COMPOSITES,
    **complex_numbers.COMPOSITES,
    **creation.COMPOSITES,
    **indexing.COMPOSITES,
    **joining.COMPOSITES,
    **linalg_decompositions.COMPOSITES,
    **linalg_eigen.COMPOSITES,
    **linalg_norms.COMPOSITES,
    **linalg_products.COMPOSITES,
    **linalg_solve.COMPOSITES,
    **searching.COMPOSITES,
}
TYPES = frozenset({"can_cast", "finfo", "iinfo", "isdtype", "result_type"})


def card_of(name: str) -> Card:
    """Return the card of a function of the standard; one that declines all if it has none."""
    return CARDS.get(name) or Card(name)
