"""Whether all workers are about to do the same: asked before anything is computed."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from portanet import trees
from portanet.distributed.engine import Engine
from portanet.errors import DistributedError
from portanet.interface import backend_of, dtype_name, is_array


def gathered(engine: Engine, value: Any) -> list[Any]:
    """Return a small object of Python of each worker, in the order of their ranks."""
    return [pickle.loads(data) for data in engine.gather(pickle.dumps(value))]


def check_same(engine: Engine, what: str, lines: Sequence[str], advice: str) -> None:
    """Raise `DistributedError` on all workers unless all describe `what` by the same lines."""
    if engine.workers == 1:
        return
    text = "\n".join(lines)
    digests = engine.gather(blake2b(text.encode(), digest_size=16).digest())
    if len(set(digests)) == 1:
        return
    texts = [data.decode().split("\n") for data in engine.gather(text.encode())]
    others = [rank for rank, own in enumerate(texts) if own != texts[0]]
    raise DistributedError(
        f"{what} of worker {', '.join(map(str, others))} == {what} of worker 0: "
        f"{_difference(texts[others[0]], texts[0])}: {advice}"
    )


def _difference(lines: Sequence[str], wanted: Sequence[str]) -> str:
    """Return the first line that differs."""
    for own, other in zip(lines, wanted, strict=False):
        if own != other:
            return f"{own} != {other}"
    longer = lines if len(lines) > len(wanted) else wanted
    return f"{len(lines)} != {len(wanted)} entries, such as {longer[min(len(lines), len(wanted))]}"


def described(tree: Any) -> list[str]:
    """Return a line for each leaf of a tree: its path, dtype and shape, or its class."""
    return [_line(path, leaf) for path, leaf in trees.flatten_with_paths(tree)]


def _line(path: str, leaf: Any) -> str:
    if not is_array(leaf):
        return f"{path} {type(leaf).__name__}"
    return f"{path} {dtype_name(leaf)} {tuple(leaf.shape)}"


def fingerprints(tree: Any) -> list[str]:
    """Return a line for each leaf of a tree: its path, and what tells its content from another."""
    return [f"{path} {_digest(leaf)}" for path, leaf in trees.flatten_with_paths(tree)]


def _digest(leaf: Any) -> str:
    if not is_array(leaf):
        return repr(leaf)
    content = np.ascontiguousarray(backend_of(leaf).to_numpy(leaf))
    return blake2b(content.tobytes(), digest_size=8).hexdigest()
