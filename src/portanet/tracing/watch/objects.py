"""What can be reached from an object: what containers, arrays and attributes hold.

Of an object only those attributes are looked at which the code along the way names; where code
asks for attributes by computed names, all of them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from functools import cached_property, partial
from types import FunctionType, MappingProxyType, MemberDescriptorType
from typing import Any

import numpy as np

from portanet.interface import backend_of, is_array
from portanet.tracing.watch import kinds
from portanet.tracing.watch.entries import (
    Attribute,
    Content,
    ContentOfNumPy,
    Entry,
    Fixed,
    Items,
    Members,
    Values,
)
from portanet.tracing.watch.origin import is_of_user

MOST_ENTRIES = 10_000  # what can be asked in half a millisecond
_MOST_BYTES = 1 << 22  # of arrays, which are compared in as long
_NEVER_CALLED = {"__del__", "__repr__", "__str__", "__reduce__", "__reduce_ex__", "__getstate__"}


class Objects:
    """The half of a walk that goes through objects which are no code.

    Attributes
    ----------
    entries : list of Entry
        What may change, and what two functions of the same code may differ in.
    unseen : str or None
        Something that may change without a sign: what and why.
    """

    def __init__(self) -> None:
        self._attributes: set[str] = set()
        self._all = False
        self._start()

    def _start(self) -> None:
        self.entries: list[Entry] = []
        self.unseen: str | None = None
        self._bytes = 0

    def _visit(self, x: Any, label: str) -> None:
        raise NotImplementedError

    def _watch(self, entry: Entry, value: Any, label: str) -> None:
        self.entries.append(entry)
        if len(self.entries) > MOST_ENTRIES:
            self._give_up(f"{label!r} leads to more than {MOST_ENTRIES} objects")
            return
        self._visit(value, label)

    def _give_up(self, reason: str) -> None:
        if self.unseen is None:
            self.unseen = reason

    def _fix(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        for name, value in pairs:
            self._watch(Fixed(str(name), value), value, str(name))

    def _visit_object(self, x: Any, label: str) -> None:
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

    def _visit_members(self, owner: Any, members: Any, label: str) -> None:
        """Visit what a class has under names that the code reads, or calls by syntax."""
        for name, member in list(members.items()):
            called = name.startswith("__") and callable(member) and name not in _NEVER_CALLED
            if not called and name not in self._attributes:
                continue
            if isinstance(member, MemberDescriptorType):
                if not isinstance(owner, type):
                    entry = Attribute(joined(label, name), owner, name)
                    self._watch(entry, entry.held, entry.label)
            elif called or _is_code(member):
                self._visit(member, joined(label, name))
            else:
                entry = Attribute(joined(label, name), owner, name)
                self._watch(entry, entry.held, entry.label)

    def _visit_named(self, owner: Any, members: Any, label: str) -> None:
        for name, value in list(members.items()):
            asked_for = name in self._attributes or (self._all and not name.startswith("__"))
            if asked_for and name.isidentifier():
                entry = Attribute(joined(label, name), owner, name)
                self._watch(entry, value, entry.label)

    def _visit_array(self, x: Any, label: str) -> None:
        backend = backend_of(x)
        if kinds.is_read_only(x) or backend.is_traced(x) or backend.fingerprint(x) is None:
            return
        size = math.prod(x.shape) * getattr(x.dtype, "itemsize", 8)
        if self._bytes + size > _MOST_BYTES:
            cure = ": make it read-only" if isinstance(x, np.ndarray) else ""
            self._give_up(f"the array {label!r} is too large to see whether it is written in{cure}")
            return
        self._bytes += size
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
        if count > MOST_ENTRIES:
            self._give_up(f"a container of {count} items leads to more than {MOST_ENTRIES}")
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
            self._fix((joined(label, name), value) for name, value in members.items())
        elif self._all or (bases and _has_other_bases(kind)):
            self.entries.append(Values(label, members))
            found = [(joined(label, name), value) for name, value in list(members.items())]
            self._visit_all(found, len(found))
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
        self._fix((joined(label, name), getattr(x, name)) for name in names if hasattr(x, name))


def joined(label: str, name: str) -> str:
    return f"{label}.{name}" if label else name


def _is_code(member: Any) -> bool:
    kinds_of_code = FunctionType, staticmethod, classmethod, property, cached_property
    return isinstance(member, (kinds_of_code, kinds.CACHED))


def _has_other_bases(kind: type) -> bool:
    """Whether code of a library works on the attributes of a class of the user's."""
    ours = ("builtins", "abc", "typing", "enum", "portanet")
    bases = kind.__mro__
    return any(not is_of_user(b) and b.__module__.partition(".")[0] not in ours for b in bases)
