"""Trees of arrays of some libraries between all workers, against NumPy's own sums."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import portanet as pn
from portanet.errors import DistributedError

engine = pn.distributed.initialize(sys.argv[1], timeout=120)
rank, workers = pn.distributed.rank(), pn.distributed.workers()
assert (rank, workers) == (engine.rank, engine.workers)
assert workers == int(sys.argv[2])
COMBINE = {"sum": np.add, "mean": np.add, "max": np.maximum, "min": np.minimum}


def own(rank: int, lacks: set[str]) -> dict:
    """Return the tree of a worker: what each adds is exact, so that no order matters."""
    rng = np.random.default_rng(rank)
    tree = {
        "matrix": rng.integers(-50, 50, (3, 5)).astype(np.float32),
        "several": (np.float64(rank)[None], rng.integers(0, 9, (2, 0, 3)).astype(np.float64)),
        "scalar": np.asarray(rank + 0.5, np.float32),
        "turned": rng.integers(-9, 9, (4, 6)).astype(np.float32).T[::2],
        "long": rng.integers(-50, 50, 50_001).astype(np.float32),  # no multiple of the workers
        "count": rng.integers(-50, 50, 4).astype(np.int32),
        "half": np.full(3, 2049, np.float16),
        "complex": (rng.integers(-9, 9, 4) + 1j * rank).astype(np.complex64),
        "flags": np.asarray([rank == 0, True, False]),
    }
    return {name: x for name, x in tree.items() if name not in lacks}


def expected(trees: list[dict], operation: str) -> dict:
    def combined(*arrays: np.ndarray) -> np.ndarray:
        wide = np.float32 if arrays[0].dtype == np.float16 else arrays[0].dtype
        total = arrays[0].astype(wide)
        for x in arrays[1:]:
            total = COMBINE[operation](total, x.astype(wide))
        total = total / len(arrays) if operation == "mean" else total
        return np.asarray(total).astype(arrays[0].dtype)

    return pn.trees.map_leaves(combined, *trees)


def check_same(found, wanted) -> None:
    pairs = zip(pn.trees.leaves(found), pn.trees.leaves(wanted), strict=True)
    for x, y in pairs:
        assert x.dtype == y.dtype, (x.dtype, y.dtype)
        assert np.array_equal(x, y), (x, y)


def check(library: str) -> None:
    device, host = pn.device(library), pn.cpu_device()
    lacks = {"half"} if library == "array_api_strict" else set()
    every = [own(i, lacks) for i in range(workers)]
    whole = {
        "sum": {"flags"},
        "mean": {"flags", "count"},
        "max": {"complex"},
        "min": {"complex"},
    }
    for operation, undefined in whole.items():
        trees = [{k: x for k, x in tree.items() if k not in undefined} for tree in every]
        mine = device(trees[rank])
        before = pn.trees.map_leaves(lambda x: np.array(host(x)), mine)
        total = pn.distributed.allreduce(mine, operation)
        assert all(
            type(x) is type(y) for x, y in zip(*map(pn.trees.leaves, (total, mine)), strict=True)
        )
        check_same(host(total), expected(trees, operation))
        check_same(host(mine), before)  # what was given is as it was
        at_last = pn.distributed.reduce(mine, operation, root=workers - 1)
        assert (at_last is None) == (rank != workers - 1)
    mine = device(every[rank])
    check_same(host(pn.distributed.broadcast(mine, root=1)), every[1])


def refusals() -> None:
    """What is refused is refused by all, before anything was sent."""
    cases = [
        (lambda: pn.distributed.allreduce({"a": np.ones(2 + (rank == 1))}), DistributedError),
        (lambda: pn.distributed.allreduce({"ab"[rank == 1]: np.ones(2)}), DistributedError),
        (lambda: pn.distributed.allreduce(np.ones(2, ["f4", "f8"][rank == 1])), DistributedError),
        (
            lambda: pn.distributed.allreduce(np.ones(2), ["sum", "mean"][rank == 1]),
            DistributedError,
        ),
        (lambda: pn.distributed.broadcast(np.ones(2), root=min(rank, 1)), DistributedError),
        (lambda: pn.distributed.synchronize({"a": rank, "b" * (1 + rank): 1}), DistributedError),
        (lambda: pn.distributed.allreduce(np.ones(2, bool)), pn.errors.DTypeError),
        (lambda: pn.distributed.allreduce(np.ones(2, int), "mean"), pn.errors.DTypeError),
        (lambda: pn.distributed.allreduce(np.ones(2, complex), "max"), pn.errors.DTypeError),
        (lambda: pn.distributed.allreduce({"a": 1.0}), pn.errors.DTypeError),
        (lambda: pn.distributed.allreduce(np.ones(2), "product"), pn.errors.ArgumentError),
        (lambda: pn.distributed.broadcast(np.ones(2), workers), pn.errors.HyperparameterError),
        (lambda: pn.distributed.DistributedLoader(loader(rank)), DistributedError),
    ]
    for call, kind in cases:
        with pytest.raises(kind, match="of worker 1" if kind is DistributedError else None):
            call()


def loader(seed: int) -> pn.data.DataLoader:
    return pn.data.DataLoader(np.arange(5), 2, shuffle=True, rng=min(seed, 1))


def synchronized() -> None:
    """A training state with all that changes: keys, counts and the numbers of rules."""
    model = pn.Chain(pn.Dense(2, 3), pn.BatchNorm(3), pn.Dropout(0.5))
    ts = pn.training.TrainState(model, *pn.setup(rank, model), pn.optimizers.Adam(0.1))
    x = np.full((4, 2), rank + 1.0, np.float32)
    for _ in range(rank + 1):
        _, _, ts = pn.training.train_step(pn.MSELoss(), (x, np.ones((4, 3), np.float32)), ts)
    state = pn.optimizers.adjust(ts.optimizer_state, lr=0.1 * (rank + 1))
    ts = ts.replaced(optimizer_state=state)
    same = pn.distributed.synchronize(ts, root=workers - 1)
    assert same.step == workers
    assert same.optimizer_state["layer_1"]["bias"].rule.lr == 0.1 * workers
    kept = same.to_state_dict()
    every = [pn.distributed.broadcast(numbers(kept), root) for root in range(workers)]
    for other in every:
        check_same(other, numbers(kept))
    if rank == workers - 1:
        check_same(numbers(kept), numbers(ts.to_state_dict()))


def numbers(tree) -> list[np.ndarray]:
    """Return the arrays, the words of the keys and the numbers of a training state."""
    found = []
    for name in ("parameters", "states", "optimizer_state"):
        for leaf in pn.trees.leaves(tree[name]):
            words = leaf.words if isinstance(leaf, pn.random.Key) else leaf
            found.append(np.asarray(words, np.uint64) if words is not leaf else np.asarray(leaf))
    return found


for library in sys.argv[3:]:
    check(library)
    if rank == 0:
        print(library)
refusals()
synchronized()
if rank == 0:
    print("refusals and states")
