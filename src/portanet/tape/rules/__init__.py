"""The one table of derivative rules, written on the Array API standard.

``RULES`` names the functions of the standard that a trace records; ``EXTENSIONS`` those that the
rules need beyond it, with a generic body; ``COMPOSITES`` those that work through others;
``CONSTANTS`` those whose result does not change with their argument, so that their derivative is
an exact zero; ``TYPES`` those that ask for dtypes alone. A function in none of them has no
derivative and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape import bundle
from portanet.tape.form import Form
from portanet.tape.rule import Rule
from portanet.tape.rules import (
    combining,
    constants,
    differences,
    elementwise,
    indexing,
    manipulation,
    products,
    reductions,
    searching,
)

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **manipulation.RULES,
    **reductions.RULES,
    **products.RULES,
    **indexing.RULES,
}
EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    **indexing.EXTENSIONS,
    **combining.EXTENSIONS,
    **elementwise.EXTENSIONS,
    **manipulation.EXTENSIONS,
    **differences.EXTENSIONS,
    **bundle.EXTENSIONS,
    **constants.EXTENSIONS,
}
COMPOSITES: dict[str, Callable[..., Any]] = {
    **manipulation.COMPOSITES,
    **combining.COMPOSITES,
    **elementwise.COMPOSITES,
    **differences.COMPOSITES,
    **indexing.COMPOSITES,
    **searching.COMPOSITES,
}
CONSTANTS: dict[str, Form] = constants.CONSTANTS
TYPES: frozenset[str] = constants.TYPES
