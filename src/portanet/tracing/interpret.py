"""The interpreter of programs: their operations, run on arrays of any traces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from portanet.random import Key
from portanet.tape.box import Box, seen
from portanet.tape.calls import strip_all
from portanet.tape.custom_rule import CustomRule
from portanet.tape.ops.card import Role
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Constant
from portanet.tape.trace import call
from portanet.tracing.compound import Compound
from portanet.tracing.program import HostFunction, Operation, Program, Variable, replaced
from portanet.tracing.record.host import RecordedKey, RecordedNumber
from portanet.tracing.record.record import is_made_of_others


def interpret(operations: Iterable[Operation], values: MutableMapping[Variable, Any]) -> None:
    """Run operations on arrays of any traces.

    `values` holds what they read, and gets their results.
    """
    for operation in operations:
        values[operation.result] = evaluated(operation, values)


def current(values: MutableMapping[Variable, Any], outputs: Iterable[Any]) -> list[Any]:
    """Return the values of outputs, which are variables or constants."""
    return [values[y] if isinstance(y, Variable) else y for y in outputs]


def run(program: Program, operands: Iterable[Any]) -> list[Any]:
    """Return the outputs of a program for arrays of any traces."""
    values = dict(zip(program.inputs, operands, strict=True))
    interpret(program.operations, values)
    return current(values, program.outputs)


def evaluated(operation: Operation, values: MutableMapping[Variable, Any]) -> Any:
    """Compute an operation on arrays of any traces."""

    def now(x: Any) -> Any:
        return values[x] if isinstance(x, Variable) else x

    args = [replaced(now, x) for x in operation.args]
    primitive = operation.primitive
    if isinstance(primitive, Compound):
        return tuple(primitive.bind(args))
    if isinstance(primitive, HostFunction):
        owner = next((x.owner for x in args if isinstance(x, RecordedKey | RecordedNumber)), None)
        return primitive.compute(*args) if owner is None else owner.host_again(primitive, args)
    if operation.card.role is Role.PART and not isinstance(args[0], Box):
        return args[0][args[1]]
    options = {k: replaced(now, x) for k, x in operation.options.items()}
    if isinstance(primitive.rule, Constant):
        args, options = strip_all(args), {k: strip_all(x) for k, x in options.items()}
    return call(primitive, list(map(seen, args)), options)


def reached(operations: Iterable[Operation], sources: Iterable[Variable]) -> set[Variable]:
    """Return the variables that depend on others, and these."""
    found = set(sources)
    for operation in operations:
        if not found.isdisjoint(operation.operands):
            found.add(operation.result)
    return found


def closure(program: Program, carried: Mapping[int, Any], sources: Iterable[int]) -> set[int]:
    """Return which inputs of a body depend on others, by their numbers: these, and what is carried.

    `carried` holds the output that the next step gets for an input.
    """
    found = set(sources)
    while True:
        known = reached(program.operations, (program.inputs[i] for i in found))
        more = {i for i, y in carried.items() if isinstance(y, Variable) and y in known}
        if more <= found:
            return found
        found |= more


def has_rules(operations: Iterable[Operation]) -> bool:
    """Whether there are operations, at any depth, that a program to be run does not keep whole."""
    for operation in operations:
        primitive = operation.primitive
        if isinstance(primitive, Compound):
            if any(has_rules(program.operations) for program in primitive.programs):
                return True
        elif isinstance(primitive, Primitive) and (
            isinstance(primitive.rule, CustomRule) or is_made_of_others(primitive)
        ):
            return True
    return False


def is_array(x: Any) -> bool:
    """Whether a value of a program is an array, and no key or number."""
    return hasattr(x, "shape") and not isinstance(x, Key)


def is_floating(xp: Any, x: Any) -> bool:
    """Whether a value can be differentiated."""
    return is_array(x) and xp.isdtype(x.dtype, ("real floating", "complex floating"))
