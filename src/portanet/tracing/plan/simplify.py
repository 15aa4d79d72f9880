"""Passes that make a program shorter and keep what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from portanet.tape.ops.card import Card, Role
from portanet.tracing.compound import Compound
from portanet.tracing.program import (
    HostFunction,
    Opaque,
    Operation,
    Program,
    Variable,
    resolved,
    variables,
)


def without_common_subexpressions(program: Program, xp: Any) -> Program:
    """Compute each operation once, and those of constants here and now.

    `xp` makes arrays that stand for those of which only the shape and dtype matter; without it
    operations on these are left to the replay.
    """
    values: dict[Variable, Any] = {}
    known: dict[Any, Variable] = {}
    kept: list[Operation] = []
    for operation in program.operations:
        operation = operation.reading(values)
        args, options = operation.args, operation.options
        constant = _constant(operation, xp)
        if constant is not None:
            values[operation.result] = constant
            continue
        same = _unchanged(operation.card, args, operation.result)
        if same is not None:
            values[operation.result] = same
            continue
        key = id(operation.primitive.compute), _keys(args), _keys(sorted(options.items()))
        found = known.setdefault(key, operation.result)
        if found is not operation.result:
            values[operation.result] = found
            continue
        kept.append(operation)
    return Program(program.inputs, kept, [resolved(values, y) for y in program.outputs])


def _constant(operation: Operation, xp: Any) -> Any:
    args, options = operation.args, operation.options
    if operation.card.of_shape and xp is not None:
        args = [xp.empty(operation.result.shape, dtype=operation.result.dtype)]
    elif isinstance(operation.primitive, HostFunction):
        return None
    if any(True for _ in variables((args, tuple(options.values())))):
        return None
    with np.errstate(all="ignore"):  # the recorded run has warned
        return operation.primitive.compute(*args, **options)


def _keys(values: Any) -> tuple[Any, ...]:
    return tuple(map(key_of, values))


def key_of(x: Any) -> Any:
    """What two equal static values share, and two arrays that show the same memory."""
    if isinstance(x, tuple | list):
        return type(x), _keys(x)
    if isinstance(x, slice):
        return slice, x.start, x.stop, x.step
    if isinstance(x, bool | int):
        return type(x), x
    if isinstance(x, float | complex | str | type(None) | type(...)):
        return type(x), repr(x)
    if isinstance(x, np.ndarray | np.generic) and not x.shape and x.dtype.kind in "biufc":
        return type(x), x.dtype, x.tobytes()
    if type(x) is np.ndarray:
        return x.__array_interface__["data"], x.shape, x.strides, x.dtype
    return id(x)


def _is_number(x: Any, number: float) -> bool:
    if isinstance(x, Variable | bool):
        return False
    if isinstance(x, int | float):
        return x == number
    if isinstance(x, np.ndarray):
        return x.size > 0 and bool((x == number).all())
    return getattr(x, "shape", None) == () and bool(x == number)


def _unchanged(card: Card, args: Sequence[Any], result: Variable) -> Any:
    """Return the operand that the result of an operation is anyway, None if it is none."""
    if card.identity and _is_same(args[0], result):
        return args[0]
    for place in card.neutral:
        x, other = args[1 - place], args[place]
        if _is_neutral(other, x, result):
            return x
    return None


def _is_neutral(other: Any, x: Any, result: Variable) -> bool:
    """Whether a factor of 1 changes nothing: of complex infinities it makes NaN."""
    return _is_number(other, 1.0) and _is_same(x, result) and "complex" not in str(result.dtype)


def _is_same(x: Any, result: Variable) -> bool:
    """Whether `x` is an array like the result: no number, whose dtype None is NumPy's float64."""
    if not isinstance(x, Variable) or isinstance(x, Opaque):
        return False
    return x.shape == result.shape and x.dtype == result.dtype


def without_dead_code(program: Program) -> Program:
    """Drop the operations that no output depends on, also within those made of programs."""
    needed = {y for y in program.outputs if isinstance(y, Variable)}
    wanted: dict[Variable, set[int]] = {}
    places: dict[Variable, dict[int, int]] = {}
    kept = []
    for operation in reversed(program.operations):
        result, primitive = operation.result, operation.primitive
        if result not in needed:
            continue
        if isinstance(primitive, Compound):
            args, samples = operation.args, operation.samples
            primitive, own, places[result] = primitive.pruned(wanted.get(result, set()))
            operation = replace(
                operation, primitive=primitive, args=[args[i] for i in own],
                samples=tuple(samples[i] for i in own if samples),
            )  # fmt: skip
        elif operation.card.role is Role.PART:
            wanted.setdefault(operation.args[0], set()).add(operation.args[1])
        kept.append(operation)
        needed.update(operation.operands)
    operations = [_placed(operation, places) for operation in reversed(kept)]
    return Program(program.inputs, operations, program.outputs)


def _placed(operation: Operation, places: dict[Variable, dict[int, int]]) -> Operation:
    """Read a result of what is made of programs where it is now."""
    known = places.get(operation.args[0]) if operation.card.role is Role.PART else None
    if known is None:
        return operation
    bundle, i = operation.args
    return replace(operation, args=[bundle, known[i]])
