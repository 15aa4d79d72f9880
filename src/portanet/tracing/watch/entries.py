"""What may change around a function, each with the condition that it has not.

The conditions of one function are compiled into one expression: a name that still stands for the
same object costs some tens of nanoseconds. Where one fails, equal numbers and texts count as the
same: ``0.0`` is not ``-0.0`` then, nor ``1`` the same as ``True``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from portanet.interface import backend_of, is_array

MISSING: Any = object()
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


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

    __slots__ = ("held", "holder", "key", "label", "value")

    text: ClassVar[str]
    """The condition that nothing has changed: of ``{h}``, the holder, and ``{v}``, the value."""

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
        self.held = self.value = self.now()

    def is_same(self) -> bool:
        """Whether what is found is what was noted, or equal to it."""
        now = self.now()
        return now is self.held or equal(now, self.held)

    def is_like(self, other: Entry) -> bool:
        """Whether another function finds the same or an equal object in its place."""
        same = type(self) is type(other) and self.label == other.label
        return same and alike(self.held, other.held)


class Name(Entry):
    """A name of a module, in the dict that is the module's."""

    __slots__ = ()
    text = "{h}.get({key!r}, MISSING) is {v}"

    def now(self) -> Any:
        return self.holder.get(self.key, MISSING)


class Cell(Entry):
    """A variable of the function around it."""

    __slots__ = ()
    text = "{h}.cell_contents is {v}"

    def now(self) -> Any:
        try:
            return self.holder.cell_contents
        except ValueError:
            return MISSING


class Attribute(Entry):
    """An attribute of an object, a class or a module."""

    __slots__ = ()
    text = "{h}.{key} is {v}"

    def now(self) -> Any:
        try:
            return getattr(self.holder, self.key, MISSING)
        except ReferenceError:  # a holder that is not held, and gone
            return MISSING


class Fixed(Entry):
    """What cannot change, and tells two functions of the same code apart."""

    __slots__ = ()
    text = ""

    def now(self) -> Any:
        return self.holder


class Items(Entry):
    """The items of a list."""

    __slots__ = ()
    text = "[*map(id, {h})] == {v}"

    def now(self) -> Any:
        return list(self.holder)

    def take(self) -> None:
        self.held = self.now()
        self.value = list(map(id, self.held))

    def is_same(self) -> bool:
        return _all_equal(self.now(), self.held)


class Values(Items):
    """The keys and values of a dict."""

    __slots__ = ()
    text = "[*map(id, {h})] == {v}[0] and [*map(id, {h}.values())] == {v}[1]"

    def take(self) -> None:
        self.held = self.now()
        keys, values = self.held
        self.value = list(map(id, keys)), list(map(id, values))

    def now(self) -> Any:
        return list(self.holder), list(self.holder.values())


class Members(Entry):
    """The members of a set."""

    __slots__ = ()
    text = "{h} == {v}"

    def now(self) -> Any:
        return frozenset(self.holder)

    def is_same(self) -> bool:
        return self.now() == self.held


class Content(Entry):
    """The entries of an array, which may be written in place."""

    __slots__ = ()
    text = "fingerprint({h}) == {v}"

    def now(self) -> Any:
        return fingerprint(self.holder)

    def is_same(self) -> bool:
        return self.now() == self.held


class ContentOfNumPy(Content):
    """The same for an array of NumPy, without asking whose it is."""

    __slots__ = ()
    text = "{h}.tobytes() == {v}"


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


def alike(x: Any, y: Any) -> bool:
    """Whether one of two objects may stand for the other: an array stands for itself alone."""
    if equal(x, y):
        return True
    if type(x) is not type(y) or type(x) in _PLAIN or is_array(x):
        return False
    if isinstance(x, tuple | list):
        return len(x) == len(y) and all(map(alike, x, y))
    try:
        return bool(x == y)
    except Exception:
        return False


def _all_equal(xs: Sequence[Any], ys: Sequence[Any]) -> bool:
    pairs = zip(xs, ys, strict=False)
    return len(xs) == len(ys) and all(
        _all_equal(x, y) if type(x) is list and type(y) is list else equal(x, y) for x, y in pairs
    )


def condition(entries: Sequence[Entry]) -> Callable[[], bool] | None:
    """Return a function that says whether all is as it was, None where nothing can change."""
    entries = [entry for entry in entries if entry.text]
    if not entries:
        return None
    names: dict[str, Any] = {"MISSING": MISSING, "fingerprint": fingerprint}
    terms = []
    for i, entry in enumerate(entries):
        names[f"h{i}"], names[f"v{i}"] = entry.holder, entry.value
        terms.append(entry.text.format(h=f"h{i}", v=f"v{i}", key=entry.key))
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
