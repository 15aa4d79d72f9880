"""What a piece of Python code reads by name."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType


@dataclass(frozen=True, slots=True)
class Reads:
    """The names that some code, and the code within it, reads.

    Attributes
    ----------
    names : tuple of str
        Of its module, or built in.
    attributes : frozenset of str
        Of whatever objects.
    modules : tuple of str
        Those that it imports itself.
    """

    names: tuple[str, ...]
    attributes: frozenset[str]
    modules: tuple[str, ...]


@lru_cache(maxsize=1024)
def reads(code: CodeType) -> Reads:
    """Return what some code reads."""
    names: dict[str, None] = {}
    attributes: set[str] = set()
    modules: dict[str, None] = {}
    for instruction in dis.get_instructions(code):
        if instruction.opname in _OF_MODULE:
            names[instruction.argval] = None
        elif instruction.opname in _OF_OBJECTS:
            attributes.add(instruction.argval)
        elif instruction.opname == "IMPORT_NAME":
            modules[instruction.argval] = None
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found = reads(inner)
            names.update(dict.fromkeys(found.names))
            attributes |= found.attributes
            modules.update(dict.fromkeys(found.modules))
    return Reads(tuple(names), frozenset(attributes), tuple(modules))


_OF_MODULE = {"LOAD_GLOBAL", "LOAD_NAME"}
_OF_OBJECTS = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD", "IMPORT_FROM"}
