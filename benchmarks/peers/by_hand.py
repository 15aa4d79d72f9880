"""NumPy as a careful programmer writes it: derivatives by hand, buffers reused by Adam."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.networks import Network, Weights

_SLOPE, _CUBIC = np.float32(0.7978845608028654), np.float32(0.044715)


def _activate(kind: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    if kind == "relu":
        return np.maximum(z, 0), None
    if kind == "tanh":
        return np.tanh(z), None
    t = np.tanh(_SLOPE * (z + _CUBIC * (z * z * z)))
    return 0.5 * z * (1 + t), t


def _slope(kind: str, z: np.ndarray, a: np.ndarray, t: np.ndarray | None) -> np.ndarray:
    if kind == "relu":
        return (z > 0).astype(z.dtype)
    if kind == "tanh":
        return 1 - a * a
    assert t is not None
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * (_SLOPE * (1 + 3 * _CUBIC * (z * z)))


def predict(kind: str, weights: Weights, x: np.ndarray) -> np.ndarray:
    for i in range(0, len(weights) - 2, 2):
        x = _activate(kind, x @ weights[i].T + weights[i + 1])[0]
    return x @ weights[-2].T + weights[-1]


def _value_and_gradient(
    network: Network, weights: Weights, x: np.ndarray, y: np.ndarray
) -> tuple[float, Weights]:
    kind, tape = network.activation, []
    for i in range(0, len(weights) - 2, 2):
        z = x @ weights[i].T
        z += weights[i + 1]
        a, t = _activate(kind, z)
        tape.append((x, z, a, t))
        x = a
    out = x @ weights[-2].T
    out += weights[-1]
    if network.loss == "mse":
        residual = out - y
        value = float(np.mean(residual * residual))
        g = residual * np.float32(2 / residual.size)
    else:
        out -= out.max(axis=-1, keepdims=True)
        powers = np.exp(out)
        total = powers.sum(axis=-1, keepdims=True)
        value = -float(np.sum(y * (out - np.log(total)))) / len(y)
        g = (powers / total - y) * np.float32(1 / len(y))
    gradients = [g.T @ x, g.sum(axis=0)]
    for i in range(len(tape) - 1, -1, -1):
        x, z, a, t = tape[i]
        g = g @ weights[2 * i + 2]
        g *= _slope(kind, z, a, t)
        gradients[:0] = [g.T @ x, g.sum(axis=0)]
    return value, gradients


class Adam:
    """Adam on a list of arrays, in place."""

    def __init__(self, weights: Weights, rate: float) -> None:
        self.weights, self.rate, self.steps = weights, rate, 0
        self.means = [np.zeros_like(w) for w in weights]
        self.squares = [np.zeros_like(w) for w in weights]
        self.buffers = [np.empty_like(w) for w in weights]

    def update(self, gradients: Weights) -> None:
        self.steps += 1
        rate = np.float32(self.rate / (1 - 0.9**self.steps))
        scale = np.float32((1 - 0.999**self.steps) ** -0.5)
        rows = zip(self.weights, gradients, self.means, self.squares, self.buffers, strict=True)
        for w, g, m, v, b in rows:
            m *= np.float32(0.9)
            np.multiply(g, np.float32(0.1), out=b)
            m += b
            v *= np.float32(0.999)
            np.multiply(g, g, out=b)
            b *= np.float32(0.001)
            v += b
            np.sqrt(v, out=b)
            b *= scale
            b += np.float32(1e-8)
            np.divide(m, b, out=b)
            b *= rate
            w -= b


class SGD:
    """Gradient descent on a list of arrays, in place."""

    def __init__(self, weights: Weights, rate: float) -> None:
        self.weights, self.rate = weights, np.float32(rate)

    def update(self, gradients: Weights) -> None:
        for w, g in zip(self.weights, gradients, strict=True):
            w -= self.rate * g


OPTIMIZERS = {"adam": Adam, "sgd": SGD}


def training_step(network: Network) -> Callable[[], float]:
    x, y = network.data()
    weights = network.weights()
    optimizer = OPTIMIZERS[network.optimizer](weights, network.rate)

    def step() -> float:
        value, gradients = _value_and_gradient(network, weights, x, y)
        optimizer.update(gradients)
        return value

    return step


def gradient(network: Network) -> Callable[[], Weights]:
    x, y = network.data()
    weights = network.weights()
    return lambda: _value_and_gradient(network, weights, x, y)[1]


def inference(network: Network, batch: int) -> Callable[[], np.ndarray]:
    x, _ = network.data(batch)
    weights = network.weights()
    return lambda: predict(network.activation, weights, x)
