"""Sums of products, named by their indices: how they are planned, and what they are made of."""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet.errors import ShapeError


class Plan:
    """The terms of a sum, as strings without ellipsis, and the order of its contractions."""

    __slots__ = ("output", "path", "subscripts", "terms")

    def __init__(self, terms: tuple[str, ...], output: str, path: Sequence[Sequence[int]]) -> None:
        self.terms = terms
        self.output = output
        self.path = path
        self.subscripts = f"{','.join(terms)}->{output}"


def contract(xp: Any, operands: Sequence[Any], plan: Plan) -> Any:
    """Follow a plan with products of matrices."""
    pending = list(zip(operands, plan.terms, strict=True))
    for positions in plan.path:
        chosen = [pending.pop(i) for i in sorted(positions, reverse=True)]
        needed = set(plan.output).union(*(term for _, term in pending))
        part = chosen.pop()
        while chosen:
            other = chosen.pop()
            kept = needed.union(*(term for _, term in chosen))
            part = _product(xp, part, other, kept)
        pending.append(part)
    x, term = _reduced(xp, *pending[0], set(plan.output))
    return xp.permute_dims(x, tuple(term.index(i) for i in plan.output))


def _reduced(xp: Any, x: Any, term: str, kept: set[str]) -> tuple[Any, str]:
    """Take the diagonals of repeated indices and sum over those that nobody needs."""
    for index in dict.fromkeys(term):
        while term.count(index) > 1:
            x, term = _diagonal(xp, x, term, index)
    summed = tuple(i for i, index in enumerate(term) if index not in kept)
    if summed:
        x = xp.sum(x, axis=summed)
        term = "".join(index for index in term if index in kept)
    return x, term


def _diagonal(xp: Any, x: Any, term: str, index: str) -> tuple[Any, str]:
    first = term.index(index)
    second = term.index(index, first + 1)
    others = [i for i in range(x.ndim) if i not in (first, second)]
    n = x.shape[first]
    x = xp.permute_dims(x, (*others, first, second))
    x = xp.reshape(x, (*x.shape[:-2], n * n))[..., :: n + 1]
    return x, "".join(term[i] for i in others) + index


def _product(
    xp: Any, left: tuple[Any, str], right: tuple[Any, str], needed: set[str]
) -> tuple[Any, str]:
    x, term = _reduced(xp, *left, needed | set(right[1]))
    y, other = _reduced(xp, *right, needed | set(term))
    shared = [index for index in term if index in other]
    batch = [index for index in shared if index in needed]
    inner = [index for index in shared if index not in needed]
    rows = [index for index in term if index not in other]
    columns = [index for index in other if index not in term]
    sizes = {**dict(zip(term, x.shape, strict=True)), **dict(zip(other, y.shape, strict=True))}
    x = _arranged(xp, x, term, (batch, rows, inner), sizes)
    y = _arranged(xp, y, other, (batch, inner, columns), sizes)
    order = "".join((*batch, *rows, *columns))
    return xp.reshape(xp.matmul(x, y), tuple(sizes[index] for index in order)), order


def _arranged(
    xp: Any, x: Any, term: str, groups: Sequence[Sequence[str]], sizes: dict[str, int]
) -> Any:
    """Permute the axes into three groups and flatten the second and the third."""
    batch, second, third = groups
    x = xp.permute_dims(x, tuple(term.index(i) for i in (*batch, *second, *third)))
    lengths = [math.prod(sizes[i] for i in group) for group in (second, third)]
    return xp.reshape(x, (*(sizes[i] for i in batch), *lengths))


@functools.lru_cache(maxsize=512)
def plan_of(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> Plan:
    terms, output = _terms(subscripts, shapes)
    sizes: dict[str, int] = {}
    for number, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        if len(term) != len(shape):
            raise ShapeError(
                f"einsum({subscripts!r}): len({term!r}) == operand {number}.ndim: "
                f"{len(term)} != {len(shape)}"
            )
        for index, n in zip(term, shape, strict=True):
            if sizes.setdefault(index, n) != n:
                raise ShapeError(
                    f"einsum({subscripts!r}): index {index!r} has size {sizes[index]} and, in "
                    f"operand {number}, {n}"
                )
    if unknown := set(output) - set(sizes):
        raise ShapeError(f"einsum({subscripts!r}): no operand has the indices {sorted(unknown)}")
    if len(shapes) < 3:
        return Plan(terms, output, [tuple(range(len(shapes)))])
    # NumPy plans with shapes alone: these arrays have no memory of their own.
    stand_ins = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
    path = np.einsum_path(f"{','.join(terms)}->{output}", *stand_ins, optimize="greedy")[0]
    return Plan(terms, output, path[1:])


def _terms(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[tuple[str, ...], str]:
    """Split `subscripts`; the axes of an ellipsis get letters that are not in use."""
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        raise ShapeError(f"einsum({subscripts!r}): {len(terms)} terms, {len(shapes)} operands")
    if bad := set(subscripts.replace("...", "").replace("->", "")) - {*string.ascii_letters, ","}:
        raise ShapeError(f"einsum({subscripts!r}): not letters: {sorted(bad)}")
    if not arrow:
        letters = "".join(terms).replace("...", "")
        once = sorted(i for i in set(letters) if letters.count(i) == 1)
        output = ("..." if "..." in inputs else "") + "".join(once)
    free = [letter for letter in string.ascii_letters if letter not in subscripts]
    ranks = [
        len(shape) - len(term) + 3
        for term, shape in zip(terms, shapes, strict=True)
        if "..." in term
    ]
    wide = "".join(free[: max(ranks, default=0)])
    filled = tuple(
        term.replace("...", wide[len(wide) - max(len(shape) - len(term) + 3, 0) :])
        for term, shape in zip(terms, shapes, strict=True)
    )
    return filled, output.replace("...", wide)
