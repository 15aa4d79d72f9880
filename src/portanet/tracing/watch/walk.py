"""The walk from a function to all that it can read besides its arguments.

It goes through the code of the user's functions and, in `objects`, through what these find. Code of
libraries is taken for constant.
"""

from __future__ import annotations

import sys
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from portanet.tracing.watch import kinds
from portanet.tracing.watch.code import reads
from portanet.tracing.watch.entries import Cell, Name
from portanet.tracing.watch.objects import MOST_ENTRIES, Objects
from portanet.tracing.watch.origin import is_of_portanet, is_of_user


class Walk(Objects):
    """What can be reached from `root`.

    Attributes
    ----------
    generators : list of tuple
        Generators of random numbers, with their names.
    """

    def __init__(self, root: Any) -> None:
        super().__init__()
        self._root = root
        while True:
            known = len(self._attributes), self._all
            self._start()
            self.generators: list[tuple[str, Any]] = []
            self._known: dict[int, Any] = {}
            self._visit(root, "")
            if known == (len(self._attributes), self._all):
                break

    def _visit(self, x: Any, label: str) -> None:
        if id(x) in self._known or len(self.entries) > MOST_ENTRIES:
            return
        self._known[id(x)] = x
        if isinstance(x, FunctionType):
            self._visit_function(x, label)
        elif isinstance(x, MethodType | BuiltinFunctionType):
            self._visit_method(x, label)
        elif isinstance(x, ModuleType):
            self._visit_module(x, label)
        elif isinstance(x, type):
            self._visit_class(x, label)
        elif isinstance(x, kinds.DRAWING):
            self.generators.append((label, x))
        elif not kinds.is_constant(x):
            self._visit_object(x, label)

    def _visit_function(self, function: FunctionType, label: str) -> None:
        asked_for = function is _function_of(self._root) and not is_of_portanet(function)
        if not is_of_user(function) and not asked_for:
            self._look_through(function, label)
            return
        found = reads(function.__code__)
        self._attributes |= found.attributes
        space = function.__globals__
        for name in found.names:
            if name in space:
                self._watch(Name(name, space, name), space[name], name)
            elif name in kinds.BY_COMPUTED_NAME:
                self._all = True
            elif name in kinds.UNFORESEEABLE:
                self._give_up(f"it calls {name}()")
        for name in found.modules:
            for part in (name, name.partition(".")[0]):
                self._visit(sys.modules.get(part), part)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            entry = Cell(name, cell)
            self._watch(entry, entry.held, name)
        named = function.__kwdefaults__ or {}
        self._fix((*(("default", x) for x in function.__defaults__ or ()), *named.items()))
        self._visit_named(function, vars(function), label)

    def _look_through(self, function: FunctionType, label: str) -> None:
        """Find what a library has wrapped, such as the function that ``pn.grad`` got."""
        for cell in function.__closure__ or ():
            inner = Cell(label, cell).held
            if callable(inner) and not isinstance(inner, type | ModuleType):
                self._fix([(label, inner)])

    def _visit_method(self, method: Any, label: str) -> None:
        owner, module = method.__self__, getattr(method, "__module__", None)
        if isinstance(method, MethodType) and isinstance(method.__func__, FunctionType):
            self._visit(method.__func__, label)
        if isinstance(owner, ModuleType | type | None):
            if method.__name__ in kinds.CLOCKS.get(module or "", ()):
                self._give_up(f"it reads {module}.{method.__name__}")
        else:
            self._visit(owner, label)

    def _visit_module(self, module: ModuleType, label: str) -> None:
        if is_of_user(module):
            self._visit_named(module, vars(module), label)
            return
        name = module.__name__
        read = kinds.CLOCKS.get(name, frozenset()) & self._attributes
        if read:
            self._give_up(f"it reads {name}.{min(read)}")
        if name in ("random", "numpy.random") or (name == "numpy" and "random" in self._attributes):
            self.generators.append(("random" if name == "random" else "numpy.random", None))

    def _visit_class(self, kind: type, label: str) -> None:
        if kind.__name__ in kinds.CLOCKS and self._attributes & kinds.CLOCKS[kind.__name__]:
            self._give_up(f"it reads the clock by {kind.__name__}")
        for base in kind.__mro__:
            if is_of_user(base):
                self._visit_members(kind, vars(base), label)


def _function_of(root: Any) -> Any:
    while isinstance(root, partial):
        root = root.func
    if isinstance(root, MethodType):
        return root.__func__
    if isinstance(root, FunctionType) or not callable(root):
        return root
    return getattr(type(root), "__call__", None)  # noqa: B004
