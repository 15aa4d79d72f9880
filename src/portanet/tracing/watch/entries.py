"""What may change around a function, each with the condition that it has not.

The conditions of one function are compiled into one expression: a name that still stands for the
same object costs some tens of nanoseconds. Where one fails, equal numbers and texts count as the
same: ``0.0`` is not ``-0.0`` then, nor ``1`` the same as ``True``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from portanet.interface import backend_of
from portanet.tracing.watch.kinds import is_frozen

MISSING: Any = object()
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_FEW = 32  # items that are asked for one by one: two take 0.1 µs, where two lists take 0.4

Naming = Callable[[Any], str]
"""What gives an object its name in the text of a condition."""


class Entry:
    """One thing that may change.

    Parameters
    ----------
    label : str
        What it is called where the function finds it.
    holder : object
        Where it is found.
    key : str
        Its name there.
    """

    __slots__ = ("held", "holder", "key", "label")

    def __init__(self, label: str, holder: Any, key: str = "") -> None:
        self.label = label
        self.holder = holder
        self.key = key
        self.take()

    def now(self) -> Any:
        """Return what is found at this moment."""
        raise NotImplementedError

    def take(self) -> None:
        """Note what is found, and hold it so that its identity stays its own."""
        self.held = self.now()

    def is_same(self) -> bool:
        """Whether what is found is what was noted, or equal to it."""
        return self.same(self.now(), self.held)

    @staticmethod
    def same(x: Any, y: Any) -> bool:
        """Whether what is found is the same or equal."""
        return equal(x, y)

    def is_like(self, other: Entry) -> bool:
        """Whether another function finds the same, or an equal object that stays as it is."""
        return self.same(self.held, other.held) or _are_equal_values(self.held, other.held)

    def condition(self, named: Naming) -> str:
        """Return the expression of whether nothing has changed; one that raises says no."""
        raise NotImplementedError


class Name(Entry):
    """A name of a module, in the dict that is the module's."""

    __slots__ = ()

    def now(self) -> Any:
        return self.holder.get(self.key, MISSING)

    def condition(self, named: Naming) -> str:
        return f"{named(self.holder)}[{self.key!r}] is {named(self.held)}"


class Cell(Entry):
    """A variable of the function around it."""

    __slots__ = ()

    def now(self) -> Any:
        try:
            return self.holder.cell_contents
        except ValueError:
            return MISSING

    def condition(self, named: Naming) -> str:
        return f"{named(self.holder)}.cell_contents is {named(self.held)}"


class Attribute(Entry):
    """An attribute of an object, a class or a module."""

    __slots__ = ()

    def now(self) -> Any:
        try:
            return getattr(self.holder, self.key, MISSING)
        except ReferenceError:  # a holder that is not held, and gone
            return MISSING

    def condition(self, named: Naming) -> str:
        return f"{named(self.holder)}.{self.key} is {named(self.held)}"


class Fixed(Entry):
    """What cannot change, and tells two functions of the same code apart."""

    __slots__ = ()

    def now(self) -> Any:
        return self.holder

    def condition(self, named: Naming) -> str:
        return ""


class Items(Entry):
    """The items of a list."""

    __slots__ = ()

    def now(self) -> Any:
        return list(self.holder)

    @staticmethod
    def same(x: Any, y: Any) -> bool:
        return _all_equal(x, y)

    def is_like(self, other: Entry) -> bool:
        return self.same(self.held, other.held)

    def condition(self, named: Naming) -> str:
        items = named(self.holder)
        if type(self.holder) is not list or len(self.held) > _FEW:
            return f"[*map(id, {items})] == {named(list(map(id, self.held)))}"
        return _each(f"len({items}) == {len(self.held)}", items, enumerate(self.held), named)


class Values(Items):
    """The keys and values of a dict."""

    __slots__ = ()

    def now(self) -> Any:
        return [list(self.holder), list(self.holder.values())]

    def condition(self, named: Naming) -> str:
        entries = named(self.holder)
        keys, values = self.held
        if type(self.holder) is not dict or len(keys) > _FEW or set(map(type, keys)) - {str}:
            ids = [list(map(id, keys)), list(map(id, values))]
            return f"[[*map(id, {entries})], [*map(id, {entries}.values())]] == {named(ids)}"
        same = f"tuple({entries}) == {tuple(keys)!r}" if keys else f"not {entries}"
        return _each(same, entries, zip(keys, values, strict=True), named)


class Members(Entry):
    """The members of a set."""

    __slots__ = ()

    def now(self) -> Any:
        return frozenset(self.holder)

    @staticmethod
    def same(x: Any, y: Any) -> bool:
        return x == y

    def condition(self, named: Naming) -> str:
        return f"{named(self.holder)} == {named(self.held)}"


class Content(Entry):
    """The entries of an array, which may be written in place."""

    __slots__ = ()

    def now(self) -> Any:
        return fingerprint(self.holder)

    @staticmethod
    def same(x: Any, y: Any) -> bool:
        return bool(x == y)

    def condition(self, named: Naming) -> str:
        return f"{named(fingerprint)}({named(self.holder)}) == {named(self.held)}"


class ContentOfNumPy(Content):
    """The same for an array of NumPy, whose shape and dtype may be assigned too.

    A `bytearray` compares itself with the memory of an array that lies in one piece, without a
    copy: with any other it is not equal.
    """

    __slots__ = ()

    def now(self) -> Any:
        x = self.holder
        return x.shape, x.dtype, bytearray(x.tobytes())

    def condition(self, named: Naming) -> str:
        x = named(self.holder)
        shape, dtype, content = self.held
        whole = self.holder.flags.c_contiguous and dtype.kind in "biufc"
        now = x if whole else f"{x}.tobytes()"
        return f"{x}.shape == {shape} and {x}.dtype is {named(dtype)} and {named(content)} == {now}"


def fingerprint(x: Any) -> Any:
    """Return what differs when an array is written into."""
    return backend_of(x).fingerprint(x)


def equal(x: Any, y: Any) -> bool:
    """Whether two objects are the same number or text, or tuples of such."""
    if x is y:
        return True
    if type(x) is not type(y):
        return False
    if type(x) is tuple:
        return _all_equal(x, y)
    if type(x) is int:  # of any number of digits
        return x == y
    return type(x) in _PLAIN and repr(x) == repr(y)


def _are_equal_values(x: Any, y: Any) -> bool:
    """Whether two objects are equal and stay so, such as layers: their fields are entries too."""
    if equal(x, y):
        return True
    if type(x) is not type(y):
        return False
    if type(x) is tuple:
        return len(x) == len(y) and all(map(_are_equal_values, x, y))
    try:
        return is_frozen(type(x)) and bool(x == y)
    except Exception:  # of arrays among the fields
        return False


def _all_equal(xs: Sequence[Any], ys: Sequence[Any]) -> bool:
    pairs = zip(xs, ys, strict=False)
    return len(xs) == len(ys) and all(
        equal(x, y) or (type(x) is type(y) is list and _all_equal(x, y)) for x, y in pairs
    )


def _each(same: str, holder: str, items: Iterable[tuple[Any, Any]], named: Naming) -> str:
    """Return the condition that the keys are the `same` and what stands at each is too."""
    return " and ".join([same, *(f"{holder}[{key!r}] is {named(x)}" for key, x in items)])


def condition(entries: Sequence[Entry]) -> Callable[[], bool] | None:
    """Return a function that says whether all is as it was, None where nothing can change."""
    names: dict[str, Any] = {}

    def named(x: Any) -> str:
        names[f"x{len(names)}"] = x
        return f"x{len(names) - 1}"

    terms = [term for entry in entries if (term := entry.condition(named))]
    if not terms:
        return None
    lines = "\n            and ".join(terms)
    text = (
        "def unchanged():\n"
        "    try:\n"
        f"        return ({lines})\n"
        "    except Exception:\n"
        "        return False\n"
    )
    exec(compile(text, "<portanet.watch>", "exec"), names)
    return names["unchanged"]
