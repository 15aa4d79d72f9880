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

import portanet as pn

BATCH = 64
EPOCHS = 25


def load():
    """Return digits to train on and digits to test: images, scaled to [0, 1], and labels."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    labels = labels.astype(np.int32)  # JAX has no integers of 64 bits unless told to
    return pn.data.split((images, labels), 0.75, rng=0)


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
    train, test = load()
    ps, st = pn.setup(rng, model)
    ts = device(pn.training.TrainState(model, ps, st, pn.optimizers.Adam(0.002)))
    loss = pn.CrossEntropyLoss(logits=True, label_smoothing=0.05)

    start = time.perf_counter()
    batches = pn.data.DataLoader(train, BATCH, shuffle=True, rng=rng, drop_last=True)
    ts, history = pn.training.fit(ts, loss, batches, epochs=EPOCHS)
    for epoch in (1, 5, EPOCHS):
        print(f"epoch {epoch:2}: mean training loss {history['loss'][epoch - 1]:.2f}")
    print(f"trained in {time.perf_counter() - start:.1f} s", file=sys.stderr)

    found = pn.training.evaluate(ts, loss, test, metrics=[pn.training.metrics.Accuracy()])
    print(f"accuracy on the {len(test[1])} digits held out: {100 * found['accuracy']:.0f} %")


if __name__ == "__main__":
    main()
