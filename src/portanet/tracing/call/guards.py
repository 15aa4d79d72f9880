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


OTHER: Any = object()
"""What a `Match` gives for the arguments of another call."""


class Match:
    """The source that tells calls like one with these arguments from others.

    Parameters
    ----------
    args, kwargs : trees
    is_input : callable
        Whether a leaf is an input; the inputs come in the order of `portanet.trees.leaves`.
    is_traced : callable, optional
        Whether an array is traced: a call with one is another one.

    Raises
    ------
    Unknown
        If there is something in the trees that straight code cannot take apart.
    """

    def __init__(
        self,
        args: Any,
        kwargs: Any,
        is_input: Callable[[Any], bool],
        is_traced: Callable[[Any], bool] | None = None,
    ) -> None:
        self._writer = _MatchWriter(is_input)
        self._writer.unpack("args", args)
        self._writer.unpack("kwargs", kwargs)
        self._texts = ", ".join(self._writer.inputs)
        if is_traced is not None:
            self._writer.refuse(is_traced, f"[{self._texts}]")

    def whole(self, replay: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
        """Return a function of ``args, kwargs`` that gives ``replay(inputs)``, or `OTHER`."""
        return self._function(f"return replay([{self._texts}])", replay=replay)

    def replay(self, workspaces: list[Any], make: Callable[[], Any]) -> Callable[[Any, Any], Any]:
        """Return a function of ``args, kwargs`` that gives the outputs of a replay, or `OTHER`.

        The replay takes place in one of `workspaces`, which no other call can take meanwhile, or in
        a new one that `make` makes.
        """
        names = {"take": workspaces.pop, "give": workspaces.append, "make": make}
        return self._function(
            "try:",
            "    run = take()",
            "except IndexError:",
            "    run = make()",
            f"outputs = run({self._texts})",
            "give(run)",
            "return outputs",
            **names,
        )

    def _function(self, *ends: str, **names: Any) -> Callable[[Any, Any], Any]:
        lines = [
            "def call(args, kwargs):",
            "    try:",
            *(f"        {line}" for line in self._writer.lines),
            "    except (KeyError, AttributeError, ValueError):",
            "        return OTHER",
            *(f"    {line}" for line in ends),
        ]
        names |= {"OTHER": OTHER, **self._writer.constants}
        exec(compile("\n".join(lines), "<portanet.jit>", "exec"), names)
        return names["call"]


class _MatchWriter:
    def __init__(self, is_input: Callable[[Any], bool]) -> None:
        self.is_input = is_input
        self.lines: list[str] = []
        self.inputs: list[str] = []
        self.constants: dict[str, Any] = {}
        self._count = 0

    def visit(self, name: str, value: Any) -> None:
        kind = type(value)
        if kind in (dict, tuple, list):
            self._require(f"type({name}) is {kind.__name__}")
            self.unpack(name, value)
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

    def unpack(self, name: str, tree: Any) -> None:
        """Take the parts out of a dict, tuple or list: a tuple of another length refuses."""
        if not tree:
            self._require(f"not {name}")
            return
        is_dict = type(tree) is dict
        parts = [(self._new(), key) for key in (sorted_keys(tree) if is_dict else range(len(tree)))]
        if is_dict:
            self._require(f"len({name}) == {len(tree)}")
            self.lines += [f"{part} = {name}[{key!r}]" for part, key in parts]
        else:
            self.lines.append(f"{', '.join(part for part, _ in parts)}, = {name}")
        for part, key in parts:
            self.visit(part, tree[key])

    def _new(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def _visit_input(self, name: str, value: Any) -> None:
        condition = f"type({name}) is {self._constant(type(value))}"
        if is_array(value):
            shape, dtype = tuple(value.shape), self._constant(value.dtype)
            condition += f" and {name}.shape == {shape!r} and {name}.dtype is {dtype}"
            if type(value).__module__ != "numpy":
                condition += f" and {self._device(name, value)}"
        self._require(condition)
        self.inputs.append(name)

    def refuse(self, trait: Callable[[Any], bool], values: str) -> None:
        """Let a call be another one if something among some values has a trait."""
        self._require(f"not any(map({self._constant(trait)}, {values}))")

    def _device(self, name: str, value: Any) -> str:
        """Return the condition on a device: by the attribute, where the adapter says the same."""
        backend = backend_of(value)
        device = backend.device_of(value)
        same = self._constant(device)
        if getattr(value, "device", None) == device:
            return f"{name}.device == {same}"
        return f"{self._constant(backend.device_of)}({name}) == {same}"

    def _require(self, condition: str) -> None:
        self.lines.append(f"if not ({condition}): return OTHER")

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name
