"""Valid calls of everything public, made of the cases of the contract tests."""

from __future__ import annotations

import dataclasses
import inspect
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from contract.called import as_called, by_keyword
from contract.cases import LAYERS, LOSSES, RULES
from contract.functions import ALL

import portanet as pn
from fuzz.inputs import loops, tools, verbs
from fuzz.inputs.places import Call, places
from portanet import checks
from portanet.optimizers import schedules

SAMPLES = 3
SCHEDULES = (
    schedules.Constant(0.1),
    schedules.CosineAnnealing(0.1, 0.0, 10),
    schedules.ExponentialDecay(0.1, 0.9),
    schedules.InverseDecay(0.1, 0.9),
    schedules.OneCycle(0.1, 10),
    schedules.Polynomial(0.1, 0.0, 10),
    schedules.StepDecay(0.1, 0.5, 3),
    schedules.Sequence((schedules.Constant(0.1), schedules.Constant(0.2)), (5,)),
    schedules.Triangle(0.0, 0.1, 5),
)
INITIALIZERS = (
    pn.initializers.constant(1.0),
    pn.initializers.sparse(0.5),
    *(
        getattr(pn.initializers, name)()
        for name in pn.initializers.__all__
        if name not in ("Initializer", "constant", "fans", "gain", "sparse")
    ),
)


def calls(backend: str) -> Iterator[Call]:
    """Walk over valid calls with arrays of a library."""
    place = pn.device(backend)

    def arrays(tree: Any) -> Any:
        return place(pn.astype(tree, "float32"))

    yield from _functions(arrays)
    yield from _losses(arrays)
    yield from _layers(arrays)
    yield from _constructors(arrays)
    yield from _drawn()
    yield from verbs.calls(arrays)
    yield from tools.calls(arrays)
    yield from loops.calls(arrays)


def _inputs(case: Any, arrays: Callable[[Any], Any]) -> Any:
    return arrays(case.inputs(np.random.default_rng(0), SAMPLES))


def _functions(arrays: Callable[[Any], Any]) -> Iterator[Call]:
    for label, case in ALL.items():
        inputs = _inputs(case, arrays)
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        function = getattr(pn.functional, case.name)
        args, options = as_called(case, inputs)
        yield _of_arrays(f"functional.{label}", function, args, options)
        leading, named = by_keyword(function, args, options)
        if len(leading) < len(args):
            yield _of_arrays(f"functional.{label}, by keyword", function, leading, named)


def _of_arrays(label: str, function: Any, args: Any, options: dict[str, Any]) -> Call:
    """Return the call of a function, most of whose arguments are arrays."""
    parameters = list(inspect.signature(function).parameters.values())
    starred = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    positions = [*parameters[: len(args)], *starred * len(args)][: len(args)]
    paths = [
        *((0, i) for i, p in enumerate(positions) if checks.is_of_array(p)),
        *((1, p.name) for p in parameters if p.name in options and checks.is_of_array(p)),
    ]
    anything = function in (pn.identity, pn.functional.at)
    return Call(label, function, args, options, arrays=() if anything else tuple(paths))


def _losses(arrays: Callable[[Any], Any]) -> Iterator[Call]:
    for label, case in LOSSES.items():
        prediction, target = _inputs(case, arrays)
        loss = case.make()
        yield Call(label, loss, (prediction, target), arrays=((0, 0), (0, 1)))
        if case.of_arrays:
            data = prediction, target
            yield Call(f"{label}, objective", loss, (pn.NoOp(), {}, {}, data))


def _layers(arrays: Callable[[Any], Any]) -> Iterator[Call]:
    for label, case in LAYERS.items():
        layer = case.make()
        ps, st = arrays(pn.setup(0, layer))
        call = Call(label, layer, (_inputs(case, arrays), ps, st))
        yield dataclasses.replace(call, kept=tuple(places(call))) if _joins(layer) else call


def _joins(layer: pn.Layer) -> bool:
    """Whether a function of Python joins inputs as they are, and says itself what it takes."""
    names = "connection", "fusion"
    return any(getattr(layer, name, None) in (operator.add, operator.mul) for name in names)


def _constructors(arrays: Callable[[Any], Any]) -> Iterator[Call]:
    for label, case in LAYERS.items():
        inputs = _inputs(case, arrays)
        yield _constructor(f"{label}()", case.make(), lambda x, i=inputs: _used(x, i, arrays))
    for label, case in LOSSES.items():
        pair = _inputs(case, arrays)
        yield _constructor(f"{label}()", case.make(), lambda loss, pair=pair: loss(*pair))
    ps = arrays({"w": np.ones((2, 3)), "b": np.ones(3)})
    for label, make in RULES.items():
        yield _constructor(f"{label}()", make(), lambda rule: _stepped(rule, ps))
    for schedule in SCHEDULES:
        yield _constructor(f"schedules.{type(schedule).__name__}()", schedule, lambda s: s(3))
    for draw in INITIALIZERS:
        yield _constructor(f"initializers.{type(draw).__name__}()", draw, _draws)


def _draws(draw: Any) -> Any:
    return draw(np.random.default_rng(0), (4, 3))


def _used(layer: pn.Layer, inputs: Any, arrays: Callable[[Any], Any]) -> Any:
    return layer(inputs, *arrays(pn.setup(0, layer)))


def _stepped(rule: Any, ps: Any) -> Any:
    return pn.optimizers.update(pn.optimizers.setup(rule, ps), ps, ps)


def _constructor(label: str, instance: Any, use: Callable[[Any], Any]) -> Call:
    """Return the call that makes an instance, and then uses it."""
    kind = type(instance)
    parameters = list(inspect.signature(kind).parameters.values())
    named = {p.name for p in parameters if p.kind is not p.VAR_POSITIONAL}
    fields = {
        f.name: getattr(instance, f.name)
        for f in dataclasses.fields(instance)
        if f.init and f.name in named
    }
    parts = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    if parts is None:
        return Call(label, lambda **fields: use(kind(**fields)), (), fields)
    before = [fields.pop(p.name) for p in parameters if p.name in fields and p.kind < 2]
    args = (*before, *_parts(instance, parts))
    return Call(label, lambda *args, **fields: use(kind(*args, **fields)), args, fields)


def _parts(instance: Any, name: str) -> tuple[Any, ...]:
    found = getattr(instance, name)
    return tuple(found.values() if isinstance(found, dict) else found)


def _drawn() -> Iterator[Call]:
    for draw in INITIALIZERS:
        name = f"initializers.{type(draw).__name__}"
        yield Call(name, draw, (np.random.default_rng(0), (4, 3), np.float32))
    yield Call("initializers.fans", pn.initializers.fans, ((4, 3),))
    yield Call("initializers.gain", pn.initializers.gain, (pn.relu,))
    for schedule in SCHEDULES:
        yield Call(f"schedules.{type(schedule).__name__}", schedule, (3,))
