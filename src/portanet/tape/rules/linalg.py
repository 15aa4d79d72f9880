"""The table of ``xp.linalg``: what is not in the main namespace too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.form import Form
from portanet.tape.rule import Rule
from portanet.tape.rules import (
    linalg_decompositions,
    linalg_determinants,
    linalg_eigen,
    linalg_norms,
    linalg_products,
    linalg_solve,
)

RULES: dict[str, Rule] = {
    **linalg_products.RULES,
    **linalg_solve.RULES,
    **linalg_determinants.RULES,
    **linalg_decompositions.RULES,
    **linalg_eigen.RULES,
    **linalg_norms.RULES,
}
EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    **linalg_determinants.EXTENSIONS,
    **linalg_solve.EXTENSIONS,
}
COMPOSITES: dict[str, Callable[..., Any]] = {
    **linalg_products.COMPOSITES,
    **linalg_decompositions.COMPOSITES,
    **linalg_eigen.COMPOSITES,
    **linalg_norms.COMPOSITES,
    **linalg_solve.COMPOSITES,
}
CONSTANTS: dict[str, Form] = {"matrix_rank": Form(("x",), frozenset({"rtol"}))}
