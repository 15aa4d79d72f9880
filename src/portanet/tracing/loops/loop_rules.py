"""Forward mode and batches of a loop: one loop over values and what goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.tape.batch import BatchTrace
from portanet.tape.box import Box
from portanet.tape.ops.batching import copies
from portanet.tape.trace import ForwardTrace
from portanet.tracing.interpret import is_floating
from portanet.tracing.loops.body import plain
from portanet.tracing.loops.retrace import LoopBody


def run_forward(loop: Any, trace: ForwardTrace, args: Sequence[Any]) -> list[Any]:
    """Run a loop on arrays with tangents; see `Compound.run_forward`."""
    primals, argnums, tangents = trace.split(args)
    given = dict(zip(argnums, tangents, strict=True))
    xp, k, n = loop.xp, len(loop.constants), len(loop.carry)
    for i in loop.closure(argnums) - given.keys():
        if is_floating(xp, primals[i]):
            given[i] = xp.zeros_like(primals[i])
    body, inner = LoopBody(loop, primals), ForwardTrace()
    boxes = list(body.boxes)
    for i, tangent in sorted(given.items()):
        boxes[i] = xp.box(boxes[i], inner, body.add_beside(i, tangent))
    outputs = body.run(boxes)
    moving = {i: y for i, y in enumerate(outputs) if isinstance(y, Box) and y.owner is inner}
    directions = {i: y.note for i, y in moving.items()}
    for i in range(n):
        if k + i in given and i not in moving:  # the next step expects one
            directions[i] = xp.raw.zeros_like(plain(body.boxes[k + i]))
    values = [y.value if i in moving else y for i, y in enumerate(outputs)]
    results, pushed = body.call(values, directions, primals)
    return [xp.box(y, trace, pushed[i]) if i in moving else y for i, y in enumerate(results)]


def run_batched(loop: Any, trace: BatchTrace, args: Sequence[Any]) -> list[Any]:
    """Run a loop on arrays of a batch; see `Compound.run_batched`."""
    xp, k, n = loop.xp, len(loop.constants), len(loop.carry)
    own = {i for i, x in enumerate(args) if trace.owns(x)}
    batched = {i for i in loop.closure(own) if i in own or hasattr(args[i], "shape")}
    values = list(args)
    for i in batched:
        values[i] = args[i].value if i in own else copies(xp, args[i], trace.size)
        if i >= k + n:
            values[i] = xp.moveaxis(values[i], 1, 0)
    body, inner = LoopBody(loop, values), BatchTrace(trace.size)
    boxes = [xp.batch_box(x, inner, None) if i in batched else x for i, x in enumerate(body.boxes)]
    outputs = body.run(boxes)
    for i in range(n):
        if k + i in batched and not inner.owns(outputs[i]):  # the next step expects one
            spread = body.trace.run(copies, xp, outputs[i], trace.size)
            outputs[i] = xp.batch_box(spread, inner, None)
    whole = [i for i, y in enumerate(outputs) if inner.owns(y)]
    values_of = [y.value if i in whole else y for i, y in enumerate(outputs)]
    results, _ = body.call(values_of, {}, values)
    for i in whole:
        y = results[i]
        if n <= i < n + len(loop.stacked):
            y = xp.moveaxis(y, 1, 0)
        results[i] = xp.batch_box(y, trace, None)
    return results
