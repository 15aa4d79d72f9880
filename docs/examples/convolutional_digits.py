"""Handwritten digits again, by a convolutional network: one error in a hundred.

The data are those of ``digits.py``, and a quarter is held out again. What makes the difference are
windows that see which pixels are neighbours, and digits that are moved a little each time they are
shown. Run it with ``--backend torch`` or another library to train the same model there.
"""

import argparse
import sys
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import portanet as pn

BATCH = 64
EPOCHS = 20


def load():
    """Return training and test images of one channel from 0 to 1, and their labels."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    labels = labels.astype(np.int32)  # JAX has no integers of 64 bits unless told to
    return train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)


def shifted(rng, images):
    """Return the images, each moved by at most one pixel up or down and to a side."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moves = rng.integers(0, 3, (len(images), 2))
    return np.stack([x[i : i + 8, j : j + 8] for x, (i, j) in zip(padded, moves, strict=True)])


def main():
    """Train, and print the loss as it falls and the accuracy on the digits held out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    device, host = pn.device(parser.parse_args().backend), pn.cpu_device()

    rng = np.random.default_rng(0)
    train_images, test_images, train_labels, test_labels = load()

    # Batch normalisation brings a bias of its own. The size that `Flatten` leaves is found out by
    # `setup`, which is shown an image.
    model = pn.Chain(
        pn.Conv((3, 3), 1, 16, padding="same", use_bias=False),
        pn.BatchNorm(16, pn.relu),
        pn.Conv((3, 3), 16, 32, padding="same", use_bias=False),
        pn.BatchNorm(32, pn.relu),
        pn.MaxPool(2),
        pn.Conv((3, 3), 32, 64, padding="same", use_bias=False),
        pn.BatchNorm(64, pn.relu),
        pn.MaxPool(2),
        pn.Flatten(),
        pn.Dropout(0.3),
        pn.Dense(None, 10),
    )
    print(pn.summary(model, train_images[:1]))
    ps, st = pn.setup(rng, model, train_images[:1])

    # The learning rate rises for a quarter of the steps, and falls to almost nothing by the last.
    batches = len(train_images) // BATCH
    rate = pn.optimizers.schedules.OneCycle(0.01, EPOCHS * batches)
    rule = pn.optimizers.Scheduler(pn.optimizers.AdamW(weight_decay=0.01), lr=rate)
    ts = device(pn.training.TrainState(model, ps, st, rule))
    loss = pn.CrossEntropyLoss(logits=True, label_smoothing=0.05)

    # Each batch is moved by a generator of its own, in a thread beside the training.
    loader = pn.data.DataLoader(
        (train_images, train_labels),
        BATCH,
        shuffle=True,
        rng=rng,
        drop_last=True,
        transform=lambda rng, batch: (shifted(rng, batch[0]), batch[1]),
        prefetch=2,
    )
    start = time.perf_counter()
    ts, history = pn.training.fit(ts, loss, loader, epochs=EPOCHS)
    for epoch in (1, 5, EPOCHS):
        print(f"epoch {epoch:2}: mean training loss {history['loss'][epoch - 1]:.2f}")
    print(f"trained in {time.perf_counter() - start:.1f} s", file=sys.stderr)

    scores = pn.training.predict(ts, test_images)
    guesses = np.argmax(host(scores), axis=-1)
    share = np.mean(guesses == test_labels)
    print(f"{len(test_labels)} digits were held out, of which it names rightly {100 * share:.1f} %")
    for i in np.flatnonzero(guesses != test_labels):
        print(f"a {test_labels[i]} is taken for a {guesses[i]}")


if __name__ == "__main__":
    main()
