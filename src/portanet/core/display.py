"""How a layer prints: a constructor call, or a tree with the numbers that each layer holds."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from portanet import trees
from portanet.core.unresolved import Unresolved, is_unresolved

INDENT = "    "
GAP = 3


class Argument(NamedTuple):
    """One argument of a constructor call.

    Attributes
    ----------
    name : str
        The name of the parameter.
    value : object
        What is given for it.
    keyword : bool
        Whether it is printed with its name.
    """

    name: str
    value: Any
    keyword: bool


class Printed(Protocol):
    """What is asked of a layer to print it."""

    @property
    def display_name(self) -> str: ...

    def arguments(self) -> list[Argument]: ...

    def children(self) -> Mapping[str, Any]: ...

    def initial_parameters(self, rng: np.random.Generator, /) -> Any: ...

    def initial_states(self, rng: np.random.Generator, /) -> Any: ...


class Line(NamedTuple):
    """One line of a printed tree, and the remark at its end."""

    text: str
    remark: str


def dataclass_arguments(layer: Any) -> list[Argument]:
    """Return the fields of a dataclass that differ from their defaults."""
    if not dataclasses.is_dataclass(layer):
        return []
    arguments, keyword = [], False
    for field in dataclasses.fields(layer):
        if not (field.init and field.repr):
            continue
        value = getattr(layer, field.name)
        if _is_default(field, value):
            keyword = True
        else:
            arguments.append(Argument(field.name, value, keyword or field.kw_only is True))
    return arguments


def constructor_call(layer: Printed) -> str:
    """Return the call that makes `layer`, without the options that have their default."""
    given = (
        f"{name}={spelled(value)}" if keyword else spelled(value)
        for name, value, keyword in layer.arguments()
    )
    return f"{layer.display_name}({', '.join(given)})"


def spelled(value: Any) -> str:
    """Return how `value` is written in a constructor call; a function by its name."""
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        inner = ", ".join(map(spelled, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {spelled(entry)}' for key, entry in value.items())}}}"
    return getattr(value, "__name__", None) or repr(value)


def count_numbers(tree: Any) -> int:
    """Return how many numbers a tree holds; a leaf that is no array counts as one."""
    leaves = [leaf for leaf in trees.leaves(tree) if not isinstance(leaf, Unresolved)]
    return sum(math.prod(getattr(leaf, "shape", ())) for leaf in leaves)


def tree(layer: Printed) -> str:
    """Return the printed tree of a model: each layer with its counts, and the totals."""
    rng = np.random.default_rng(0)
    ps, st = layer.initial_parameters(rng), layer.initial_states(rng)
    if not layer.children():
        return _aligned([Line(constructor_call(layer), counted(ps, st))])
    body = list(_body(layer, ps, st, INDENT))
    return (
        f"{layer.display_name}(\n{_aligned(body)}\n"
        f")         # Total: {_number(count_numbers(ps), 'parameter')}"
        f"{' so far' if is_unresolved(ps) else ''},\n"
        f"          #        plus {_number(count_numbers(st), 'state')}."
    )


def _body(layer: Printed, ps: Any, st: Any, indent: str) -> Iterator[Line]:
    children = layer.children()
    for name, value, _ in layer.arguments():
        if not _holds_layers(value):
            remark = counted(entry_of(ps, name), entry_of(st, name))
            yield Line(f"{indent}{name} = {spelled(value)},", remark)
    for names in _runs(children, ps, st):
        yield from _child(names, children[names[0]], ps, st, indent)


def _child(names: list[str], layer: Printed, ps: Any, st: Any, indent: str) -> Iterator[Line]:
    own_ps, own_st = entry_of(ps, names[0]), entry_of(st, names[0])
    copies = len(names)
    label = names[0] if copies == 1 else f"{names[0]}-{names[-1].rpartition('_')[2]}"
    if not layer.children():
        text = f"{indent}{label} = {constructor_call(layer)},"
        yield Line(text, counted(own_ps, own_st, copies))
        return
    remark = "" if copies == 1 else counted(own_ps, own_st, copies)
    yield Line(f"{indent}{label} = {layer.display_name}(", remark)
    yield from _body(layer, own_ps, own_st, indent + INDENT)
    yield Line(f"{indent}),", "")


def _runs(children: Mapping[str, Printed], ps: Any, st: Any) -> list[list[str]]:
    """Group the names of equal children in a row that are numbered in a row and hold as much."""
    held = {name: counted(entry_of(ps, name), entry_of(st, name)) for name in children}
    runs: list[list[str]] = []
    for name, layer in children.items():
        last = runs[-1][-1] if runs else ""
        equal = runs and _follows(last, name) and children[last] == layer
        if equal and held[last] == held[name]:
            runs[-1].append(name)
        else:
            runs.append([name])
    return runs


def _follows(first: str, second: str) -> bool:
    before, after = (re.fullmatch(r"(.+_)(\d+)", name) for name in (first, second))
    if before is None or after is None:
        return False
    return before[1] == after[1] and int(before[2]) + 1 == int(after[2])


def _aligned(lines: list[Line]) -> str:
    column = GAP + max((len(text) for text, remark in lines if remark), default=0)
    return "\n".join(f"{text:<{column}}# {remark}" if remark else text for text, remark in lines)


def counted(ps: Any, st: Any, copies: int = 1) -> str:
    """Return how many parameters and states a layer has, as text."""
    if isinstance(ps, Unresolved):
        return f"{' and '.join(ps.layer.unresolved)} from the input"
    parts = (
        _number(count * copies, noun) + (f" ({count:_} x {copies})" if copies > 1 else "")
        for count, noun in ((count_numbers(ps), "parameter"), (count_numbers(st), "state"))
        if count
    )
    return ", plus ".join(parts)


def _number(count: int, noun: str) -> str:
    return f"{count:_} {noun}{'' if count == 1 else 's'}"


def entry_of(tree: Any, name: str) -> Any:
    """Return the entry of a layer in a tree, an empty one where there is none."""
    return tree.get(name, {}) if isinstance(tree, Mapping) else {}


def _holds_layers(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_layers, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_layers, value))
    return hasattr(value, "initial_parameters")


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return False
    return value is default or (type(value) is type(default) and value == default)
