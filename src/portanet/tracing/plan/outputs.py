"""What a replay gives back: each result as the recorded run gave it, in memory of its own."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from portanet.interface import backend_of, is_array
from portanet.tracing.program import Variable


def output_texts(writer: Any) -> list[str]:
    """Return the expressions of a program's outputs.

    Kept memory, constants, and memory that the recorded run did not share are copied; results
    without axes are scalars or arrays as they were there.
    """
    known = dict(zip(writer.program.inputs, writer.inputs, strict=True))
    given: dict[Variable, list[Any]] = {v: [x] for v, x in known.items()}
    texts = []
    for y, value in zip(writer.program.outputs, writer.values, strict=True):
        if not isinstance(y, Variable):
            text = writer.constant(y)
            texts.append(_copied(writer, text, y) if is_array(y) else text)
            continue
        text = writer.names[y]
        owners = writer.plan.aliases.of(y)
        others = [x for owner in owners for x in given.get(owner, [])]
        shared = all(_share(value, x) for x in others)
        if not is_array(value):
            texts.append(text)
        elif isinstance(value, np.generic):
            texts.append(text if y in writer.plan.numbers else f"{text}[()]")
        elif not shared or any(owner in writer.plan.kept for owner in owners):
            texts.append(_copied(writer, text, value))
        else:
            for owner in owners:
                given.setdefault(owner, []).append(value)
            bare = isinstance(value, np.ndarray) and not value.shape
            texts.append(f"{writer.constant(np.asarray)}({text})" if bare else text)
    return texts


def _share(x: Any, y: Any) -> bool:
    return x is y or (is_array(x) and is_array(y) and backend_of(x, y).may_share_memory(x, y))


def _copied(writer: Any, text: str, value: Any) -> str:
    if isinstance(value, np.generic):
        return text
    if isinstance(value, np.ndarray):
        return f"{text}.copy()" if value.shape else f"{writer.constant(np.array)}({text})"
    return f"{writer.constant(copier(backend_of(value).xp))}({text})"


@cache
def copier(xp: Any) -> Any:
    """Return a function that copies arrays of a namespace."""
    return partial(xp.asarray, copy=True)
