"""The passes that a recorded program goes through before its source is written, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet.tracing.loops.passes import (
    has_compounds,
    with_kept_rows,
    with_motion,
    with_short_bodies,
)
from portanet.tracing.plan import check
from portanet.tracing.plan.copied_inputs import with_copied_inputs
from portanet.tracing.plan.dot_products import with_dot_products
from portanet.tracing.plan.doubles import with_negated_doubles
from portanet.tracing.plan.fused import with_kernels
from portanet.tracing.plan.short_axes import with_short_axes_first
from portanet.tracing.plan.simplify import without_common_subexpressions, without_dead_code
from portanet.tracing.plan.spread_operands import with_spread_operands
from portanet.tracing.plan.stacked_products import with_stacked_products
from portanet.tracing.plan.transposes import with_folded_transposes, with_row_products
from portanet.tracing.plan.turned_operands import with_turned_operands
from portanet.tracing.program import Program


@dataclass(frozen=True, slots=True)
class Pass:
    """One change of a program that keeps what it computes.

    Parameters
    ----------
    name : str
    run : callable
        ``run(program, backend)`` returns the new program.
    suits : callable
        Whether it is for the programs of a backend.
    on_loops : bool
        Whether it is for programs with loops or branches alone.
    """

    name: str
    run: Callable[[Program, Any], Program]
    suits: Callable[[Any], bool] = lambda backend: True
    on_loops: bool = False


def _writes_source(backend: Any) -> bool:
    return backend.jit == "source"


def _folding(backend: Any) -> Any:
    return backend.xp if _writes_source(backend) else None


PASSES: tuple[Pass, ...] = (
    Pass("dead code in loops", lambda p, _: without_dead_code(p), on_loops=True),
    Pass(
        "common subexpressions in loops",
        lambda p, backend: with_short_bodies(p, _folding(backend)),
        on_loops=True,
    ),
    Pass("loop-invariant motion", lambda p, backend: with_motion(p, backend.xp), on_loops=True),
    Pass(
        "constants and common subexpressions",
        lambda p, backend: without_common_subexpressions(p, _folding(backend)),
    ),
    Pass("short axes first", lambda p, _: with_short_axes_first(p), _writes_source),
    Pass("negated doubles", lambda p, _: with_negated_doubles(p), _writes_source),
    Pass(
        "transposes into products",
        lambda p, _: without_dead_code(with_folded_transposes(p)),
        _writes_source,
    ),
    Pass("products with the same matrix", lambda p, _: with_stacked_products(p), _writes_source),
    Pass("rows times transposes", lambda p, _: with_row_products(p), _writes_source),
    Pass("operands turned over", lambda p, _: with_turned_operands(p), _writes_source),
    Pass("sums into dot products", lambda p, _: with_dot_products(p), _writes_source),
    Pass("operands spread", lambda p, _: with_spread_operands(p), _writes_source),
    Pass("dead code", lambda p, _: without_dead_code(p)),
    Pass("stacks in kept memory", lambda p, _: with_kept_rows(p), _writes_source, on_loops=True),
    Pass(
        "copies of inputs that are viewed often", lambda p, _: with_copied_inputs(p), _writes_source
    ),
    Pass("fusion into kernels", with_kernels, lambda backend: backend.fuses),
)


@dataclass(frozen=True, slots=True)
class Optimized:
    """A program after its passes.

    Attributes
    ----------
    program : Program
    counts : list of tuple
        The name of each pass, after what was recorded, with the number of operations it left.
    """

    program: Program
    counts: list[tuple[str, int]]


def optimized(program: Program, backend: Any) -> Optimized:
    """Run the passes that suit a backend; a program that does not hold together stops them."""
    counts = [("recorded", len(program.operations))]
    check.program(program, "recording")
    loops = has_compounds(program)
    for each in PASSES:
        if each.suits(backend) and loops >= each.on_loops:
            program = each.run(program, backend)
            check.program(program, each.name)
            counts.append((each.name, len(program.operations)))
    return Optimized(program, counts)
