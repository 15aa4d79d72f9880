"""A training in which the second worker does something else: ``failing.py ENGINE LIBRARY HOW``."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np

import portanet as pn

engine = pn.distributed.initialize(sys.argv[1], timeout=60)
library, how = sys.argv[2:]
odd = engine.rank == 1
width = 5 if how == "model" and odd else 4
x, y = np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)
model = pn.Chain(pn.Dense(3, width), pn.Dense(width, 1))
seed = 1 if how == "seed" and odd else 0
rule = pn.optimizers.Adam(0.02 if how == "rule" and odd else 0.01)
ts = pn.training.TrainState(
    model, *pn.setup(seed, model), pn.distributed.DistributedOptimizer(rule)
)


def hook(run):
    if run.epoch == 2 and odd and how == "raise":
        raise ZeroDivisionError("one over none")
    if run.epoch == 2 and odd and how == "exit":
        sys.exit()
    if run.epoch == 2 and odd and how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if run.epoch == 2 and odd and how == "stop":
        run.stop("the second worker says so")


loader = pn.distributed.DistributedLoader(pn.data.DataLoader((x, y), 4))
options = {"epochs": 5, "callbacks": [hook], "progress": how == "stop"}
ts, history = pn.training.fit(pn.device(library)(ts), pn.MSELoss(), loader, **options)
print(f"worker {engine.rank} after {history.epochs} epochs: {history.stopped}")
