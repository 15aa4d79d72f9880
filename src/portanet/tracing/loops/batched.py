"""A loop for all entries of a batch: the same loop over arrays with one more axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.tape.batch import BatchTrace
from portanet.tape.ops.batching import copies
from portanet.tracing.loops.again import LoopBody


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
