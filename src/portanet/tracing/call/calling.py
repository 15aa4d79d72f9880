"""Source that takes the arguments of a call apart.

For trees of dicts, tuples and lists, straight code that checks one structure, shape and dtype
takes a tenth of the time of a general flattening. Other trees get none, and are flattened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet import trees
from portanet.interface import backend_of, is_array
from portanet.tracing.call.arguments import Static
from portanet.tracing.write.trees import Unknown, sorted_keys

_STATIC = (bool, int, str, bytes)


def matcher(
    args: Any, kwargs: Any, is_input: Callable[[Any], bool]
) -> Callable[[Any, Any], Any] | None:
    """Return a function that gives the inputs of a call, None if it differs from this one.

    Inputs come in the order of `portanet.trees.leaves`.
    """
    writer = _MatcherWriter(is_input)
    try:
        writer.visit("args", args)
        writer.visit("kwargs", kwargs)
    except Unknown:
        return None
    lines = [
        "def match(args, kwargs):",
        "    try:",
        *(f"        {line}" for line in writer.lines),
        "    except (KeyError, AttributeError, IndexError):",
        "        return None",
        f"    return ({''.join(f'{name}, ' for name in writer.inputs)})",
    ]
    names = dict(writer.constants)
    exec(compile("\n".join(lines), "<portanet.jit>", "exec"), names)
    return names["match"]


class _MatcherWriter:
    def __init__(self, is_input: Callable[[Any], bool]) -> None:
        self.is_input = is_input
        self.lines: list[str] = []
        self.inputs: list[str] = []
        self.constants: dict[str, Any] = {}
        self._count = 0

    def visit(self, name: str, value: Any) -> None:
        kind = type(value)
        if kind in (dict, tuple, list):
            self._require(f"type({name}) is {kind.__name__} and len({name}) == {len(value)}")
            for key in sorted_keys(value) if kind is dict else range(len(value)):
                self._count += 1
                child = f"n{self._count}"
                self.lines.append(f"{child} = {name}[{key!r}]")
                self.visit(child, value[key])
        elif value is None:
            self._require(f"{name} is None")
        elif self.is_input(value):
            self._visit_input(name, value)
        elif kind in (float, complex):
            self._require(f"type({name}) is {kind.__name__} and repr({name}) == {repr(value)!r}")
        elif kind in _STATIC:
            self._require(f"type({name}) is {kind.__name__} and {name} == {self._constant(value)}")
        elif kind is Static:
            self._require(f"{name} is {self._constant(value.value)}")
        elif trees.is_leaf(value):
            self._require(f"{name} is {self._constant(value)}")
        else:
            raise Unknown

    def _visit_input(self, name: str, value: Any) -> None:
        condition = f"type({name}) is {self._constant(type(value))}"
        if is_array(value):
            shape, dtype = tuple(value.shape), self._constant(value.dtype)
            condition += f" and {name}.shape == {shape!r} and {name}.dtype is {dtype}"
            if type(value).__module__ != "numpy":
                condition += f" and {self._device(name, value)}"
        self._require(condition)
        self.inputs.append(name)

    def _device(self, name: str, value: Any) -> str:
        """Return the condition on a device: by the attribute, where the adapter says the same."""
        backend = backend_of(value)
        device = backend.device_of(value)
        same = self._constant(device)
        if getattr(value, "device", None) == device:
            return f"{name}.device == {same}"
        return f"{self._constant(backend.device_of)}({name}) == {same}"

    def _require(self, condition: str) -> None:
        self.lines.append(f"if not ({condition}): return None")

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name
