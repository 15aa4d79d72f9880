"""A run with a checkpoint that begins where its file says: ``resume.py STEPS FILE RESULT``.

It stops after so many steps, in the midst of an epoch; 0 is never.
"""

from __future__ import annotations

import sys

import numpy as np

import portanet as pn

engine = pn.distributed.initialize(timeout=120)
steps, path, result = int(sys.argv[1]), sys.argv[2], sys.argv[3]
rng = np.random.default_rng(1)
x, y = rng.normal(size=(29, 5)), rng.integers(0, 3, 29)
model = pn.Chain(pn.Dense(5, 8, use_bias=False), pn.BatchNorm(8, pn.tanh), pn.Dense(8, 3))
ps, st = pn.setup(0, model, dtype="float64")
rule = pn.distributed.DistributedOptimizer(pn.optimizers.Adam(0.01))
model = pn.distributed.sync_batch_norm(model)
ts = pn.training.TrainState(model, ps, pn.astype(st, "float64"), rule)
loader = pn.data.DataLoader((x, y), 6, shuffle=True, rng=3)


class Stop(pn.training.callbacks.Callback):
    def on_step(self, run):
        if run.ts.step == steps:
            run.stop("here")


ts, history = pn.training.fit(
    ts,
    pn.CrossEntropyLoss(logits=True),
    pn.distributed.DistributedLoader(loader),
    epochs=4,
    metrics=[pn.training.metrics.Accuracy(), pn.training.metrics.ROCAUC()],
    callbacks=[Stop(), pn.training.callbacks.Checkpoint(path, resume=True)],
    progress=False,
)
if engine.rank == 0:
    arrays = {path: a for path, a in pn.trees.flatten_with_paths((ts.parameters, ts.states))}
    rows = {f"history {name}": history[name] for name in history}
    np.savez(result, step=ts.step, **arrays, **rows)
