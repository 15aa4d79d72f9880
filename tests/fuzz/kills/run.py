"""The training that is killed: batches in random order, normalisation, dropout, Adam, recorded."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

import portanet as pn
from portanet import trees
from portanet.training import callbacks, metrics

STEPS = 6
"""Batches an epoch."""

KEEP = 2
"""Of the last checkpoints, besides the best one."""


def checkpointer(folder: str) -> pn.io.Checkpointer:
    """Return what keeps the checkpoints of the training."""
    return pn.io.Checkpointer(folder, keep=KEEP, best="validation_loss", mode="min")


def train(folder: str | None, epochs: int) -> str:
    """Train, from a checkpoint if there is one, and return the digest of all that came out."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8 * STEPS - 3, 5)).astype(np.float32)
    labels = (x[:, 0] * x[:, 1] > 0).astype(np.int32)
    model = pn.Chain(pn.Dense(5, 16), pn.BatchNorm(16, pn.relu), pn.Dropout(0.2), pn.Dense(16, 2))
    ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam(0.01))
    loader = pn.data.DataLoader((x, labels), 8, shuffle=True, rng=0, pad=True, prefetch=2)
    walk = _Walk(rng)
    added: list[callbacks.Callback] = [callbacks.EarlyStopping(1000), walk]
    if folder is not None:
        saving = callbacks.Checkpoint(checkpointer(folder), every_steps=2, resume=True)
        added += [_Ready(), saving]
    ts, history = pn.training.fit(
        ts,
        pn.CrossEntropyLoss(logits=True),
        loader,
        epochs=epochs,
        validation=pn.data.DataLoader((x, labels), 16),
        metrics=[metrics.Accuracy(), metrics.ROCAUC()],
        callbacks=added,
        progress=False,
    )
    numbers = {name: history[name].tolist() for name in history}
    beside = loader.state(), walk.place.tolist(), walk.rng.bit_generator.state
    digest = hashlib.sha256(repr((numbers, beside)).encode())
    for leaf in trees.leaves(ts.to_state_dict()):
        digest.update(leaf.tobytes() if isinstance(leaf, np.ndarray) else repr(leaf).encode())
    return digest.hexdigest()


class _Walk(callbacks.Callback):
    """A random walk, whose generator and place are kept."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.place = np.zeros(3)

    def on_step(self, run: pn.training.Run) -> None:
        self.place = self.place + self.rng.normal(size=3)

    def state(self) -> dict[str, Any]:
        return {"rng": self.rng, "place": self.place}

    def restore(self, run: pn.training.Run, state: Mapping[str, Any]) -> None:
        self.rng, self.place = state["rng"], state["place"]


class _Ready(callbacks.Callback):
    """Says when the training begins, before which nothing is read or written."""

    def on_start(self, run: pn.training.Run) -> None:
        print("ready", flush=True)


if __name__ == "__main__":
    print(train(sys.argv[1], int(sys.argv[2])))
