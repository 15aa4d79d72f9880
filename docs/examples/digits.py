"""Handwritten digits: a small network on real data, on any array library.

The 1797 digits of scikit-learn, 8 × 8 pixels each. A quarter of them is held out and never seen in
training. Run it with ``--backend torch`` or ``--backend array_api_strict`` to train the same model
from the same parameters elsewhere.
"""

import argparse
import sys
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import trange

import portanet as pn

BATCH = 64
EPOCHS = 25


def load():
    """Return training and test images, scaled to [0, 1], with one-hot labels."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    targets = np.eye(10, dtype=np.float32)[labels]
    return train_test_split(images, targets, test_size=0.25, random_state=0, stratify=labels)


def accuracy(model, ts, images, targets):
    """Return the share of digits that the model names rightly, in test mode."""
    scores, _ = model(images, ts.parameters, pn.test_mode(ts.states))
    xp = pn.array_namespace(scores)
    right = xp.argmax(scores, axis=-1) == xp.argmax(targets, axis=-1)
    return float(xp.mean(xp.astype(right, xp.float32)))


def main():
    """Train, and print the loss as it falls and the accuracy on the digits held out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    device = pn.device(parser.parse_args().backend)

    model = pn.Chain(
        pn.Dense(64, 128),
        pn.BatchNorm(128, pn.relu),
        pn.Dropout(0.2),
        pn.Dense(128, 10),
    )
    print(model)

    rng = np.random.default_rng(0)
    train_images, test_images, train_targets, test_targets = load()
    ps, st = pn.setup(rng, model)
    ts = device(pn.training.TrainState(model, ps, st, pn.optimizers.Adam(0.002)))
    loss = pn.CrossEntropyLoss(logits=True, label_smoothing=0.05)

    start = time.perf_counter()
    for epoch in trange(1, EPOCHS + 1, desc="epochs", file=sys.stderr):
        order = rng.permutation(len(train_images))
        total, batches = 0.0, len(order) // BATCH
        for batch in order[: batches * BATCH].reshape(batches, BATCH):
            data = device((train_images[batch], train_targets[batch]))
            value, _, ts = pn.training.train_step(loss, data, ts)
            total += float(value)
        if epoch in (1, 5, EPOCHS):
            print(f"epoch {epoch:2}: mean training loss {total / batches:.2f}")
    print(f"trained in {time.perf_counter() - start:.1f} s", file=sys.stderr)

    share = accuracy(model, ts, *device((test_images, test_targets)))
    print(f"accuracy on the {len(test_images)} digits held out: {100 * share:.0f} %")


if __name__ == "__main__":
    main()
