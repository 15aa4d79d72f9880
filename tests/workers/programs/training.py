"""Training by all workers, against one process on the whole batches.

In float64: what differs is the order of sums. On NumPy by MPI the bits are held too, against one
process that takes the same parts one after the other.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

import portanet as pn
from portanet.distributed import DistributedLoader, DistributedOptimizer, sync_batch_norm
from portanet.training import metrics as measures

engine = pn.distributed.initialize(sys.argv[1], timeout=120)
library, checks = sys.argv[2], sys.argv[3:]
device, host = pn.device(library), pn.cpu_device()
rank, workers = engine.rank, engine.workers

rng = np.random.default_rng(1)
X = rng.normal(size=(27, 5))
Y = rng.normal(size=(27, 3))
LABELS = rng.integers(0, 3, 27)
MLP = pn.Chain(pn.Dense(5, 8, pn.tanh), pn.Dense(8, 3))
NORMALIZED = pn.Chain(pn.Dense(5, 8), pn.BatchNorm(8, pn.tanh), pn.Dense(8, 3))


def loader(data=(X, Y), size=8, **options):
    """The last of four batches has 3 samples: of four workers one has none of them."""
    return pn.data.DataLoader(data, size, shuffle=True, rng=3, **options)


def state(rule, model=MLP, dtype="float64"):
    ps, st = pn.setup(0, model, dtype=dtype)
    return device(pn.training.TrainState(model, ps, pn.astype(st, dtype), rule))


def close(found, wanted, tolerance=1e-13):
    pairs = zip(*(pn.trees.leaves(host(tree)) for tree in (found, wanted)), strict=True)
    for x, y in pairs:
        if hasattr(x, "shape"):
            assert x.dtype == y.dtype
            error = np.max(np.abs(x - y), initial=0)
            assert error <= tolerance, (float(error), tolerance)


def same_on_all(tree):
    for x in pn.trees.leaves(tree):
        if hasattr(x, "shape"):
            low, high = (pn.distributed.allreduce(x, name) for name in ("min", "max"))
            assert np.array_equal(host(low), host(high))


def trained(ts, data, loss=None, **options):
    return pn.training.fit(ts, loss or pn.MSELoss(), data, epochs=3, progress=False, **options)


RULES = {
    "flat": pn.optimizers.Adam(0.01),
    "clipped": pn.optimizers.chain(pn.optimizers.ClipGlobalNorm(0.5), pn.optimizers.SGD(0.1)),
    "accumulated": pn.optimizers.Accumulate(pn.optimizers.SGD(0.1), every=2),
    "groups": pn.optimizers.Groups(
        {"layer_1": pn.optimizers.AdamW(0.01)}, pn.optimizers.Momentum(0.01)
    ),
}


def joined():
    """Each rule, recorded or not: the parameters and the loss of one process."""
    for name, rule in RULES.items():
        alone, history = trained(state(rule), loader())
        for jit in (None, False):
            ts, own = trained(
                state(DistributedOptimizer(rule)), DistributedLoader(loader()), jit=jit
            )
            assert ts.step == alone.step
            close(ts.parameters, alone.parameters)
            same_on_all(ts.parameters)
            assert np.allclose(own["loss"], history["loss"], rtol=1e-12, atol=0), name


def bits():
    """The parts of a batch one after the other, added up in their order, are the same bits."""
    rule, loss = pn.optimizers.Adam(0.01), pn.MSELoss()
    one = state(pn.optimizers.Accumulate(rule, every=workers), dtype="float32")
    many = state(DistributedOptimizer(rule), dtype="float32")
    batches = [
        (X[i : i + 4 * workers].astype("f4"), Y[i : i + 4 * workers].astype("f4")) for i in range(3)
    ]
    for batch in batches:
        for i in range(workers):
            part = tuple(x[4 * i : 4 * i + 4] for x in batch)
            _, _, one = pn.training.train_step(loss, part, one)
        _, _, many = pn.training.train_step(loss, next(iter(DistributedLoader([batch]))), many)
    close(many.parameters, one.parameters, 0.0)


def normalized():
    """Statistics over all workers, of uneven parts too, and their derivative."""
    alone, _ = trained(state(pn.optimizers.SGD(0.1), NORMALIZED), loader(size=5))
    for jit in (None, False):
        model = sync_batch_norm(NORMALIZED)
        ts = state(DistributedOptimizer(pn.optimizers.SGD(0.1)), model)
        ts, _ = trained(ts, DistributedLoader(loader(size=5)), jit=jit)
        close((ts.parameters, ts.states), (alone.parameters, alone.states), 1e-11)


def measured():
    """Losses of one's own, masks, metrics, validation, and callbacks that decide by them."""
    loss = pn.CrossEntropyLoss(logits=True)
    found = {
        "accuracy": measures.Accuracy(),
        "area": measures.ROCAUC(),
        "confusion": measures.ConfusionMatrix(),
    }
    data, held_out = (X, LABELS), (X[:11] + 0.1, LABELS[:11])

    def run(rule, wrap):
        stopping = pn.training.callbacks.EarlyStopping(1)
        return trained(
            state(rule), wrap(loader(data, pad=True)), loss, metrics=found,
            validation=wrap(pn.data.DataLoader(held_out, 4)), callbacks=[stopping],
        )  # fmt: skip

    alone, history = run(pn.optimizers.SGD(2.0), lambda x: x)
    ts, own = run(DistributedOptimizer(pn.optimizers.SGD(2.0)), DistributedLoader)
    close(ts.parameters, alone.parameters)
    assert own.epochs == history.epochs
    assert list(own) == list(history)
    for name in history:
        assert np.allclose(own[name], history[name], rtol=1e-12, atol=0), name
    scores = {"regression": measures.R2Score()}
    held = pn.data.DataLoader((X, Y), 4)
    wanted = pn.training.evaluate(alone, pn.MSELoss(), held, metrics=scores)
    got = pn.training.evaluate(alone, pn.MSELoss(), DistributedLoader(held), metrics=scores)
    assert np.isclose(got["regression"], wanted["regression"], rtol=1e-12)


def by_hand():
    """The two halves of a step, many steps in a call, and what is refused."""

    def loss(model, ps, st, data):
        x, y = data
        out, st = model(x, ps, st)
        xp = pn.array_namespace(out)
        return pn.MSELoss()(out, y), st, {"largest": xp.max(xp.abs(out))}

    rule = pn.optimizers.Adam(0.01)
    alone, together = state(rule), state(DistributedOptimizer(rule))
    whole = [device(batch) for batch in loader()]
    parts = [part._replace(data=device(part.data)) for part in DistributedLoader(whole)]
    for batch, part in zip(whole, parts, strict=True):
        _, _, alone = pn.training.train_step(loss, batch, alone)
        grads, _, stats, together = pn.training.compute_gradients(loss, part, together)
        assert set(stats) == {"largest"}
        together = pn.training.apply_gradients(together, grads)
    close(together.parameters, alone.parameters)
    _, many = pn.training.train_steps(loss, parts, state(DistributedOptimizer(rule)), donate=True)
    close(many.parameters, alone.parameters)
    for call in (pn.training.train_step, pn.training.compute_gradients):
        with pytest.raises(pn.errors.ArgumentError, match="DistributedOptimizer"):
            call(loss, parts[0], alone)


def overflowing():
    """Where the gradients of one worker overflow, all leave the step out."""
    ts = state(DistributedOptimizer(pn.optimizers.SGD(0.1)), dtype="float32")
    ts = pn.training.mixed_precision(ts, "float16", initial_scale=64.0)
    x, y = X.astype("f4"), Y.astype("f4")
    bad = np.where(np.arange(27)[:, None] < 27 - 27 // workers, x, np.float32(1e5))
    for jit in (None, False):
        for data, steps in (((x, y), 1), ((bad, y), 0)):
            part = next(iter(DistributedLoader([data])))
            before = ts
            _, _, ts = pn.training.train_step(pn.MSELoss(), device(part), ts, jit=jit)
            assert ts.step == before.step + steps
            scale = float(before.states["loss_scale"]["scale"]) * (1.0 if steps else 0.5)
            assert float(ts.states["loss_scale"]["scale"]) == scale
            same_on_all((ts.parameters, ts.states["loss_scale"]["scale"]))


def dropped():
    """Each worker draws on its own; the keys that go on, and are saved, are those of all."""
    model = pn.Chain(pn.Dense(5, 64), pn.Dropout(0.5), pn.Dense(64, 3))
    rule = DistributedOptimizer(pn.optimizers.Adam(0.01))
    row = np.ones((workers, 5)), np.ones((workers, 3))  # the same sample on all

    def loss(model, ps, st, data):
        out, st = model(data[0], ps, st)
        return pn.MSELoss()(out, data[1]), st, {"out": out}

    def run(ts, steps, jit):
        for _ in range(steps):
            part = next(iter(DistributedLoader([row])))
            part = part._replace(data=device(part.data))
            _, stats, ts = pn.training.train_step(loss, part, ts, jit=jit)
        return ts, host(stats["out"])

    found = []
    for jit in (None, False):
        ts, out = run(state(rule, model), 2, jit)
        low, high = (pn.distributed.allreduce(out, name) for name in ("min", "max"))
        assert np.max(np.abs(high - low)) > 1e-3
        keys = repr(ts.states["layer_2"]["key"]).encode()
        assert set(engine.gather(keys)) == {keys}
        # What all read of the first worker's file goes on as it would have without.
        resumed = ts.replaced(states=pn.distributed.synchronize(ts.states))
        whole, _ = run(ts, 2, jit)
        again, _ = run(resumed, 2, jit)
        close(again.parameters, whole.parameters, 0.0)
        found.append(whole.parameters)
    close(*found)


for name in checks:
    globals()[name]()
    if rank == 0:
        print(name, flush=True)
