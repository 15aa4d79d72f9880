"""Operations with derivatives of their own: one call of several results, recorded as a whole.

On a batch their rules run on the whole of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from portanet.tape.box import strip, taken_out
from portanet.tape.bundle import Bundle
from portanet.tape.custom_rule import Arrays, CustomRule, Operation, is_traced, traces
from portanet.tape.ops.batching import spread
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.trace import call, entering


def custom(operation: Operation, arrays: Arrays, xp: Any) -> list[Any]:
    """Call `operation` on plain or traced arrays of the namespace `xp`."""
    arrays = entering(arrays)
    kept = any(trace.keeps_rules for x in arrays for trace in traces(x))
    if not kept and not any(map(is_traced, arrays)):
        outputs = taken_out(list(operation.function(*arrays)))
        if any(map(is_traced, outputs)):
            operation.refuse_captured()
        return outputs
    rule = CustomRule(operation)
    bundle = call(_primitive(rule, xp), arrays, {})
    batch = _inner_batch(strip(bundle), arrays)
    if batch is not None:
        return custom(operation, [_repeated(xp, x, batch) for x in arrays], xp)
    outputs = [xp.part(bundle, i) for i in range(rule.count)]
    return [y if _is_floating(xp, y) else strip(y) for y in outputs]


def _inner_batch(results: Sequence[Any], arrays: Arrays) -> Any:
    """Return the batch that results are in, but no argument, if it is inside their traces."""
    level = max(trace.level for x in arrays for trace in traces(x))
    inner = {t.level: t for y in results for t in traces(y) if t.level > level}
    return inner[min(inner)] if inner else None


def _repeated(xp: Any, x: Any, batch: Any) -> Any:
    return xp.batch_box(xp.broadcast_to(x, (batch.size, *x.shape)), batch, None)


def _is_floating(xp: Any, x: Any) -> bool:
    return xp.isdtype(x.dtype, ("real floating", "complex floating"))


def _primitive(rule: CustomRule, xp: Any) -> Primitive:
    return Primitive(Card(rule.operation.name, rule, _batch), rule.compute, xp, Bundle)


def _batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Call the same operation on arrays with a batch axis; it sees entries, as it expects."""
    xp = primitive.xp
    own = primitive.rule
    inner = CustomRule(_Batched(xp, trace, own.operation, batched).operation())
    result = call(_primitive(inner, xp), values, kwargs)
    own.count, own.kept = inner.count, inner.kept
    return result


class _Batched:
    """An operation on arrays with a batch axis, its outputs and what it keeps too.

    Arguments that are not `batched` are shared by all entries.
    """

    def __init__(self, xp: Any, trace: Any, entry: Operation, batched: list[bool]) -> None:
        self.xp = xp
        self.trace = trace
        self.entry = entry
        self.batched = batched
        self.kept: list[bool] = []

    def operation(self) -> Operation:
        return Operation(self.entry.name, self._function, self._forward, self._vjp, self._jvp)

    def _function(self, *arrays: Any) -> list[Any]:
        return self._off(self.entry.function(*self._on(arrays, self.batched)))

    def _forward(self, *arrays: Any) -> tuple[list[Any], list[Any]]:
        boxes = self._on(arrays, self.batched)
        outputs, kept = self.entry.forward(*boxes)
        rows = zip(boxes, arrays, self.batched, strict=True)
        shared = {id(box): x for box, x, own in rows if not own}
        self.kept = [id(x) not in shared for x in kept]
        pairs = zip(kept, self._off(kept), strict=True)
        return self._off(outputs), [shared.get(id(box), x) for box, x in pairs]

    def _vjp(self, arrays: Any, outputs: Any, kept: Any, cotangents: list[Any]) -> list[Any]:
        context = self._context(arrays, outputs, kept)
        parts = self.entry.vjp(*context, self._on(cotangents, itertools.repeat(True)))
        pairs = zip(self._off(parts), self.batched, strict=True)
        return [g if own or g is None else self.xp.sum(g, axis=0) for g, own in pairs]

    def _jvp(self, arrays: Any, outputs: Any, kept: Any, tangents: list[Any]) -> list[Any]:
        context = self._context(arrays, outputs, kept)
        return self._off(self.entry.jvp(*context, self._on(tangents, self.batched)))

    def _context(self, arrays: Any, outputs: Any, kept: Any) -> tuple[Any, Any, Any]:
        return (
            self._on(arrays, self.batched),
            self._on(outputs, itertools.repeat(True)),
            self._on(kept, self.kept),
        )

    def _on(self, arrays: Sequence[Any], batched: Iterable[bool]) -> list[Any]:
        """Make entries of arrays, also of those without a batch axis: all are in one trace."""
        xp, trace = self.xp, self.trace
        return [
            x if x is None else xp.batch_box(spread(xp, x, own, trace.size), trace, None)
            for x, own in zip(arrays, batched, strict=False)
        ]

    def _off(self, arrays: Sequence[Any]) -> list[Any]:
        owns, size = self.trace.owns, self.trace.size
        return [
            x.value if owns(x) else x if x is None else spread(self.xp, x, False, size)
            for x in arrays
        ]
