"""The walk from a function to all that it can read besides its arguments.

Of an object only those attributes are looked at which the code along the way names; where code
asks for attributes by computed names, all of them. Code of libraries is taken for constant.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterable
from functools import cached_property, partial
from types import (
    BuiltinFunctionType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np

from portanet.backends import backend_of, is_array
from portanet.tracing.watch import kinds
from portanet.tracing.watch.code import reads
from portanet.tracing.watch.entries import (
    Attribute,
    Cell,
    Content,
    ContentOfNumPy,
    Entry,
    Fixed,
    Items,
    Members,
    Name,
    Values,
)
from portanet.tracing.watch.origin import is_of_portanet, is_of_user

_MOST_ENTRIES = 10_000  # what can be asked in half a millisecond
_MOST_BYTES = 1 << 22  # of arrays, which are compared in as long
_NEVER_CALLED = {"__del__", "__repr__", "__str__", "__reduce__", "__reduce_ex__", "__getstate__"}


class Walk:
    """What can be reached from `root`.

    Attributes
    ----------
    entries : list of Entry
        What may change, and what two functions of the same code may differ in.
    generators : list of tuple
        Generators of random numbers, with their names.
    unseen : str or None
        Something that may change without a sign: what and why.
    """

    def __init__(self, root: Any) -> None:
        self._attributes: set[str] = set()
        self._all = False
        while True:
            known = len(self._attributes), self._all
            self.entries: list[Entry] = []
            self.generators: list[tuple[str, Any]] = []
            self.unseen: str | None = None
            self._bytes = 0
            self._known: dict[int, Any] = {}
            self._root = root
            self._visit(root, "")
            if known == (len(self._attributes), self._all):
                break

    def _watch(self, entry: Entry, value: Any, label: str) -> None:
        self.entries.append(entry)
        if len(self.entries) > _MOST_ENTRIES:
            self._give_up(f"{label!r} leads to more than {_MOST_ENTRIES} objects")
            return
        self._visit(value, label)

    def _give_up(self, reason: str) -> None:
        if self.unseen is None:
            self.unseen = reason

    def _visit(self, x: Any, label: str) -> None:
        if id(x) in self._known or self.unseen:
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
            self._visit_data(x, label)

    def _visit_data(self, x: Any, label: str) -> None:
        if isinstance(x, partial):
            self._visit(x.func, label)
            self._fix((*enumerate(x.args), *sorted(x.keywords.items())))
        elif isinstance(x, kinds.CACHED):
            self._visit(x.__wrapped__, label)
        elif isinstance(x, staticmethod | classmethod):
            self._visit(x.__func__, label)
        elif isinstance(x, property):
            self._visit(x.fget, label)
        elif isinstance(x, cached_property):
            self._visit(x.func, label)
        elif is_array(x):
            self._visit_array(x, label)
        else:
            contained = self._visit_container(x, label)
            self._visit_instance(x, label, contained)

    def _fix(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        for name, value in pairs:
            self._watch(Fixed(str(name), value), value, str(name))

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

    def _visit_members(self, owner: Any, members: Any, label: str) -> None:
        """Visit what a class has under names that the code reads, or calls by syntax."""
        for name, member in list(members.items()):
            called = name.startswith("__") and callable(member) and name not in _NEVER_CALLED
            if not called and name not in self._attributes:
                continue
            if isinstance(member, MemberDescriptorType):
                if not isinstance(owner, type):
                    entry = Attribute(_of(label, name), owner, name)
                    self._watch(entry, entry.held, entry.label)
            elif called or _is_code(member):
                self._visit(member, _of(label, name))
            else:
                entry = Attribute(_of(label, name), owner, name)
                self._watch(entry, entry.held, entry.label)

    def _visit_named(self, owner: Any, members: Any, label: str) -> None:
        for name, value in list(members.items()):
            if (name in self._attributes or self._all) and name.isidentifier():
                entry = Attribute(_of(label, name), owner, name)
                self._watch(entry, value, entry.label)

    def _visit_array(self, x: Any, label: str) -> None:
        backend = backend_of(x)
        if kinds.is_read_only(x) or backend.is_traced(x) or backend.fingerprint(x) is None:
            return
        self._bytes += math.prod(x.shape) * getattr(x.dtype, "itemsize", 8)
        if self._bytes > _MOST_BYTES:
            cure = ": make it read-only" if isinstance(x, np.ndarray) else ""
            self._give_up(f"the array {label!r} is too large to see whether it is written in{cure}")
            return
        kind = ContentOfNumPy if type(x) is np.ndarray else Content
        self.entries.append(kind(label, x))

    def _visit_container(self, x: Any, label: str) -> bool:
        """Watch what a container holds; return whether it is one."""
        if isinstance(x, tuple | frozenset):
            self._fix((f"{label}[{i}]", value) for i, value in enumerate(x))
        elif isinstance(x, list | deque):
            self.entries.append(Items(label, x))
            self._visit_all(((f"{label}[{i}]", value) for i, value in enumerate(list(x))), len(x))
        elif isinstance(x, dict | MappingProxyType):
            self.entries.append(Values(label, x))
            self._visit_all(((f"{label}[{k!r}]", value) for k, value in list(x.items())), len(x))
        elif isinstance(x, set):
            self.entries.append(Members(label, x))
            self._visit_all(((label, value) for value in list(x)), len(x))
        else:
            return False
        return True

    def _visit_all(self, pairs: Iterable[tuple[str, Any]], count: int) -> None:
        if count > _MOST_ENTRIES:
            self._give_up(f"a container of {count} items leads to more than {_MOST_ENTRIES}")
            return
        for label, value in pairs:
            self._visit(value, label)

    def _visit_instance(self, x: Any, label: str, contained: bool) -> None:
        kind = type(x)
        bases = [base for base in kind.__mro__ if is_of_user(base)]
        members = getattr(x, "__dict__", {})
        if kind.__module__.partition(".")[0] == "portanet":
            self._visit_ours(x, label)
            return
        if not bases and not kinds.is_record(kind):
            if callable(x) and hasattr(x, "__name__"):  # a function that is not of Python
                self._visit(getattr(x, "__wrapped__", None), label)
            elif not contained:
                what = f"{label!r}, a {kind.__name__}," if label else f"a {kind.__name__}"
                self._give_up(f"{what} may change without a sign")
            return
        if kinds.is_frozen(kind):
            self._fix((_of(label, name), value) for name, value in members.items())
        elif self._all or (bases and _has_other_bases(kind)):
            self.entries.append(Values(label, members))
            self._visit_all(((_of(label, n), value) for n, value in members.items()), len(members))
        else:
            self._visit_named(x, members, label)
        for base in bases:
            own = {name: member for name, member in vars(base).items() if name not in members}
            self._visit_members(x, own, label)

    def _visit_ours(self, x: Any, label: str) -> None:
        """Visit the parts of something immutable of portanet's, such as a layer or a loss."""
        if getattr(type(x), "changes_when_called", False):
            self._give_up(f"{label!r}, a {type(x).__name__}, changes when it is called")
            return
        fields = getattr(type(x), "__dataclass_fields__", None)
        names = [*fields] if fields else ["function"]
        self._fix((_of(label, name), getattr(x, name)) for name in names if hasattr(x, name))


def _of(label: str, name: str) -> str:
    return f"{label}.{name}" if label else name


def _function_of(root: Any) -> Any:
    while isinstance(root, partial):
        root = root.func
    if isinstance(root, MethodType):
        return root.__func__
    if isinstance(root, FunctionType) or not callable(root):
        return root
    return getattr(type(root), "__call__", None)  # noqa: B004


def _is_code(member: Any) -> bool:
    kinds_of_code = FunctionType, staticmethod, classmethod, property, cached_property
    return isinstance(member, (kinds_of_code, kinds.CACHED))


def _has_other_bases(kind: type) -> bool:
    """Whether code of a library works on the attributes of a class of the user's."""
    ours = ("builtins", "abc", "typing", "enum", "portanet")
    bases = kind.__mro__
    return any(not is_of_user(b) and b.__module__.partition(".")[0] not in ours for b in bases)
