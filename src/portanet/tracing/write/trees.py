"""Source that puts the results of a call together."""

from __future__ import annotations

from typing import Any


class Unknown(Exception):
    """The tree has a node that only a general flattening knows."""


class Text(str):
    """A leaf that stands for itself in source text."""

    __slots__ = ()


def literal(tree: Any) -> str | None:
    """Return the expression of a tree whose leaves are `Text`, None if there is none."""
    try:
        return _literal(tree)
    except Unknown:
        return None


def _literal(tree: Any) -> str:
    kind = type(tree)
    if kind is Text:
        return tree
    if tree is None:
        return "None"
    if kind is dict:
        sorted_keys(tree)
        return "{" + ", ".join(f"{k!r}: {_literal(value)}" for k, value in tree.items()) + "}"
    if kind is list:
        return "[" + ", ".join(map(_literal, tree)) + "]"
    if kind is tuple:
        return "(" + "".join(f"{_literal(value)}, " for value in tree) + ")"
    raise Unknown


def sorted_keys(tree: dict[Any, Any]) -> list[Any]:
    """Return the keys of a dict in the order in which its leaves are counted."""
    kinds = set(map(type, tree))
    if kinds - {str} and kinds - {int}:
        raise Unknown
    return sorted(tree)
