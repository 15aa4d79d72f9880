"""Fit a polynomial with a small network.

The data are 128 noisy points of y = x² − 2x. Nobody needs a network for them, which makes them a
good first example of training. Run it with ``--backend torch`` or another library to train the same
model from the same parameters there, and with ``--plot fit.png`` to see the result.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import portanet as pn

EPOCHS = 250


def polynomial(x):
    """Return the truth behind the data."""
    return x**2 - 2 * x


def generate_data(rng):
    """Return 128 points from -2 to 2, one a row, and the polynomial there with some noise."""
    x = np.linspace(-2, 2, 128, dtype=np.float32)[:, None]
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    return x, polynomial(x) + np.float32(0.1) * noise


def mean_squared_error(model, ps, st, data):
    """Return the loss, the new states and statistics, as every objective of a training does."""
    x, y = data
    prediction, st = model(x, ps, st)
    xp = pn.array_namespace(prediction)
    return xp.mean((prediction - y) ** 2), st, {}


def plot(file, x, y, prediction):
    """Save two plots: the data, and the data with the fit, under `file` with ``-fit`` added."""
    import matplotlib.pyplot as plt

    def draw(target, **points):
        figure, axes = plt.subplots()
        axes.plot(x, polynomial(x), linewidth=3, label="true polynomial")
        for (label, values), colour in zip(points.items(), ("orange", "green"), strict=False):
            axes.scatter(x, values, s=20, c=colour, edgecolors="black", label=label)
        axes.set(xlabel="x", ylabel="y")
        axes.legend()
        figure.savefig(target)
        plt.close(figure)
        print(f"saved {target}", file=sys.stderr)

    draw(file, data=y)
    draw(file.with_stem(f"{file.stem}-fit"), data=y, prediction=prediction)


def main():
    """Train, and print the loss as it falls."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save two plots (matplotlib)")
    args = parser.parse_args()
    device = pn.device(args.backend)

    rng = np.random.default_rng(12345)
    x, y = generate_data(rng)

    model = pn.Chain(pn.Dense(1, 16, pn.relu), pn.Dense(16, 1))
    print(model)

    # Parameters are drawn on the host, so every library starts from the same ones. The training
    # state keeps them together with the states of the model and of the optimizer.
    ps, st = pn.setup(rng, model)
    ts = device(pn.training.TrainState(model, ps, st, pn.optimizers.Adam(0.03)))
    data = device((x, y))

    # The whole data are one batch, so that an epoch is a step.
    start = time.perf_counter()
    ts, history = pn.training.fit(ts, mean_squared_error, data, epochs=EPOCHS)
    for epoch in (1, *range(50, EPOCHS + 1, 50)):
        print(f"epoch {epoch:3}: loss {history['loss'][epoch - 1]:.4f}")
    print(f"trained in {time.perf_counter() - start:.1f} s", file=sys.stderr)

    # The fit at a few of the points, next to the truth.
    prediction = pn.cpu_device()(pn.training.predict(ts, data[0]))
    for i in range(0, 128, 25):
        print(f"x = {x[i, 0]:5.2f}: fit {prediction[i, 0]:5.2f}, true {polynomial(x[i, 0]):5.2f}")

    if args.plot:
        plot(args.plot, x, y, prediction)


if __name__ == "__main__":
    main()
