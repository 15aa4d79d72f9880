"""Showing the operations of JAX one by one: a function becomes a program, which is run by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import Literal

Observer = Callable[..., Any]


def observe(
    function: Callable[..., Sequence[Any]], arrays: Sequence[Any], observer: Observer
) -> Sequence[Any]:
    """Call `function` with every operation run by `observer`; see `Backend.observe`.

    What looks at values cannot become a program: it is called as it is.
    """
    others: list[Any] = []

    def traced(*values: Any) -> list[Any]:
        outputs = function(*values)
        others[:] = [None if isinstance(y, jax.Array) else y for y in outputs]
        return [y for y in outputs if isinstance(y, jax.Array)]

    try:
        program = jax.make_jaxpr(traced)(*arrays)
    except jax.errors.ConcretizationTypeError:
        return function(*arrays)
    results = iter(_run(program.jaxpr, program.consts, arrays, observer))
    return [next(results) if y is None else y for y in others]


def _run(
    program: Any, constants: Sequence[Any], arguments: Sequence[Any], observer: Observer
) -> list[Any]:
    known = dict(zip((*program.constvars, *program.invars), (*constants, *arguments), strict=True))

    def read(x: Any) -> Any:
        return x.val if isinstance(x, Literal) else known[x]

    for step in program.eqns:
        values = list(map(read, step.invars))
        if step.primitive.name in ("jit", "pjit"):
            inner = step.params["jaxpr"]
            results = _run(inner.jaxpr, inner.consts, values, observer)
        else:
            results = observer(step.primitive.name, _call(step), values)
        known.update(zip(step.outvars, results, strict=True))
    return list(map(read, program.outvars))


def _call(step: Any) -> Callable[[Sequence[Any]], Sequence[Any]]:
    primitive = step.primitive

    def run(values: Sequence[Any]) -> Sequence[Any]:
        options = primitive.get_bind_params(step.params)
        # Older releases give the functions among the parameters apart.
        functions, options = options if isinstance(options, tuple) else ((), options)
        result = primitive.bind(*functions, *values, **options)
        return result if primitive.multiple_results else [result]

    return run
