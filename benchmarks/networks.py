"""The networks that are trained, with their weights and data as plain NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Weights = list[np.ndarray]


@dataclass(frozen=True)
class Network:
    """A chain of dense layers with one activation between them.

    Parameters
    ----------
    name : str
    sizes : tuple of int
        Features in, of each hidden layer, and out.
    batch : int
        Rows of a batch.
    activation : {"relu", "gelu", "tanh"}
        ``gelu`` is the tanh form.
    loss : {"mse", "cross_entropy"}
        ``cross_entropy`` takes logits and a one-hot target.
    rate : float
        The learning rate.
    optimizer : {"adam", "sgd"}
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    activation: str
    loss: str
    rate: float
    optimizer: str = "adam"

    def weights(self) -> Weights:
        """Return a weight (out, in) and a bias (out,) for each layer, in turn."""
        rng = np.random.default_rng(0)
        found: Weights = []
        for fan_in, fan_out in pairwise(self.sizes):
            bound = fan_in**-0.5
            found.append(rng.uniform(-bound, bound, (fan_out, fan_in)).astype(np.float32))
            found.append(rng.uniform(-bound, bound, fan_out).astype(np.float32))
        return found

    def data(self, batch: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch of inputs and targets."""
        rng = np.random.default_rng(1)
        rows = batch or self.batch
        if self.loss == "mse" and self.sizes[0] > 1:
            x = rng.normal(size=(rows, self.sizes[0]))
            y = x @ rng.normal(size=(self.sizes[0], self.sizes[-1]))
            return x.astype(np.float32), y.astype(np.float32)
        if self.loss == "mse":
            x = np.linspace(-2, 2, rows, dtype=np.float32)[:, None]
            return x, (x**2 - 2 * x + 0.1 * rng.normal(size=x.shape)).astype(np.float32)
        x = rng.normal(size=(rows, self.sizes[0])).astype(np.float32)
        labels = rng.integers(self.sizes[-1], size=rows)
        return x, np.eye(self.sizes[-1], dtype=np.float32)[labels]


POLYNOMIAL = Network("1→16→1 relu, 128 points", (1, 16, 1), 128, "relu", "mse", 0.03)
SMALL = Network(
    "64→128→128→10 gelu, batch 32", (64, 128, 128, 10), 32, "gelu", "cross_entropy", 1e-3
)
LARGE = Network(
    "784→1024→1024→10 relu, batch 256", (784, 1024, 1024, 10), 256, "relu", "cross_entropy", 1e-3
)
REGRESSION = Network("10→5, 20 samples, SGD", (10, 5), 20, "relu", "mse", 0.01, "sgd")
DEEP = tuple(
    Network(f"{n} layers 32→32 tanh, batch 16", (32,) * (n + 1), 16, "tanh", "cross_entropy", 1e-3)
    for n in (8, 32, 128)
)
TANH = Network("64→64→64→64→64 tanh, batch 32", (64,) * 5, 32, "tanh", "cross_entropy", 1e-3)
