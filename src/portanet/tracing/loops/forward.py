"""Forward mode through a loop: one loop over values and tangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.tape.box import Box
from portanet.tape.trace import ForwardTrace
from portanet.tracing.interpret import is_floating
from portanet.tracing.loops.again import LoopBody
from portanet.tracing.loops.body import plain


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
