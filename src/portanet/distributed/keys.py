"""Keys of each worker's own, made of those that all have.

The keys in the states of a training are the same on all workers, and those of its checkpoint. In a
step each worker folds its rank into them; after it all go on with the same next keys.
"""

from __future__ import annotations

from typing import Any

from portanet import trees
from portanet.distributed.group import current
from portanet.random import Key
from portanet.trees import Tree


def own_keys(states: Tree) -> Tree:
    """Return states with the keys that this worker draws with.

    The only worker draws with those that it has, as no workers do.
    """
    engine = current()
    if engine.workers == 1:
        return states
    return trees.map_leaves(lambda x: x.fold_in(engine.rank) if isinstance(x, Key) else x, states)


def common_keys(states: Tree, before: Tree) -> Tree:
    """Return states after a step from `before`, with keys that do not depend on the worker.

    A key that no layer has split stays as it was.
    """
    engine = current()
    if engine.workers == 1 or not any(isinstance(x, Key) for x in trees.leaves(before)):
        return states
    known = dict(trees.flatten_with_paths(before))

    def leaf(path: str, x: Any) -> Any:
        key = known.get(path)
        if not (isinstance(x, Key) and isinstance(key, Key)):
            return x
        return key if x == key.fold_in(engine.rank) else key.split()[0]

    rows = trees.flatten_with_paths(states)
    return trees.unflatten(trees.flatten(states)[1], [leaf(path, x) for path, x in rows])
