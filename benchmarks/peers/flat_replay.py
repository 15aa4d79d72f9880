"""The least that NumPy can take: a whole step as one flat list of calls, written out once.

Every buffer is allocated before, and passed by position where NumPy allows it; views and transposes
are made once, and batches lie along the axis that suits the network; weights, gradients and moments
lie in one vector each, so that the optimizer is a dozen calls on whole vectors, in place. Nothing
is checked, and nothing but the loss is returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.networks import Network

_SLOPE, _CUBIC = 0.7978845608028654, 0.044715
_FUNCTIONS = "add divide dot exp greater log maximum multiply sqrt subtract tanh"


class _Replay:
    """The lines of a replay, and the arrays that their names stand for.

    Layer ``i`` has the input ``a{i}``, the sum ``z{i}`` and, of the loss, the gradient ``g{i}``.
    """

    def __init__(self, network: Network, batch: int | None = None) -> None:
        self.network = network
        self.lines: list[str] = []
        self.names: dict[str, Any] = {name: getattr(np, name) for name in _FUNCTIONS.split()}
        self.names |= {"total": np.add.reduce, "largest": np.maximum.reduce}
        x, y = network.data(batch)
        self.batch = len(x)
        # Few rows of features, or few features of rows: NumPy starts anew for each.
        self.turned = network.sizes[1] < self.batch > 32 or network.activation == "gelu"
        self.names |= {"a0": x.T, "y": y.T} if self.turned else {"a0": x, "y": y}
        weights = network.weights()
        self.shapes = [w.shape for w in weights]
        self.names["w"] = np.concatenate([w.reshape(-1) for w in weights])
        self.name("w", "b", self.names["w"])
        self.last = len(weights) // 2 - 1
        for i in range(self.last + 1):
            bias = self.names[f"b{i}"]
            self.names[f"b{i}"] = bias.reshape(() if bias.size == 1 else (-1, 1)[: 1 + self.turned])
            self.names[f"w{i}_t"] = self.names[f"w{i}"].T

    def name(self, weight: str, bias: str, vector: np.ndarray) -> None:
        """Name the parts of a vector of all weights and biases."""
        start = 0
        for i, shape in enumerate(self.shapes):
            end = start + math.prod(shape)
            self.names[f"{(weight, bias)[i % 2]}{i // 2}"] = vector[start:end].reshape(shape)
            start = end

    def new(self, name: str, features: int) -> str:
        """Allocate an array of some features of each row, and return its name."""
        shape = (features, self.batch) if self.turned else (self.batch, features)
        self.names[name] = np.empty(shape, np.float32)
        self.names[f"{name}_t"] = self.names[name].T
        return name

    def number(self, x: float) -> str:
        """Return the name of a number: an array without axes costs less than a float."""
        name = f"n{len(self.names)}"
        self.names[name] = np.asarray(x, np.float32)
        return name

    def add(self, *lines: str) -> None:
        self.lines += lines

    def product(self, x: str, w: str, out: str) -> None:
        """Write the product of a batch and a matrix."""
        if self.turned:
            x, w = w.removesuffix("_t") if w.endswith("_t") else f"{w}_t", x
        self.add(f"dot({x}, {w}, {out})")

    def function(self, parameters: str = "") -> Callable[..., Any]:
        body = "\n        ".join(self.lines)
        text = (
            f"def make({', '.join(self.names)}):\n"
            f"    def replay({parameters}):\n        {body}\n    return replay\n"
        )
        made: dict[str, Any] = {}
        exec(compile(text, "<flat replay>", "exec"), made)
        return made["make"](**self.names)


def _predict(replay: _Replay) -> str:
    replay.names["a0_t"] = replay.names["a0"].T
    for i in range(replay.last + 1):
        z = replay.new(f"z{i}", replay.network.sizes[i + 1])
        replay.product(f"a{i}", f"w{i}_t", z)
        replay.add(f"add({z}, b{i}, {z})")
        if i < replay.last:
            _activate(replay, i, replay.network.sizes[i + 1])
    return f"z{replay.last}"


def _activate(replay: _Replay, i: int, features: int) -> None:
    z, a = f"z{i}", replay.new(f"a{i + 1}", features)
    if replay.network.activation == "relu":
        replay.add(f"maximum({z}, {replay.number(0.0)}, out={a})")
    elif replay.network.activation == "tanh":
        replay.add(f"tanh({z}, {a})")
    else:  # h + h t, where h = z / 2 and t = tanh(z (c + c d z²))
        s, t, h = (replay.new(f"{name}{i}", features) for name in "sth")
        replay.add(
            f"multiply({z}, {z}, {s})",
            f"multiply({s}, {replay.number(_SLOPE * _CUBIC)}, {t})",
            f"add({t}, {replay.number(_SLOPE)}, {t})",
            f"multiply({t}, {z}, {t})",
            f"tanh({t}, {t})",
            f"multiply({z}, {replay.number(0.5)}, {h})",
            f"multiply({h}, {t}, {a})",
            f"add({a}, {h}, {a})",
        )


def _pass_back(replay: _Replay, i: int) -> None:
    """Write the gradient times the slope of the activation, which takes the place of the sum."""
    g, z, a, s, t, h = (f"{name}{i}" for name in "gzasth")
    one = replay.number(1.0)
    if replay.network.activation == "relu":
        replay.names[f"mask{i}"] = np.empty(replay.names[z].shape, np.bool_)
        replay.add(f"greater({z}, {replay.number(0.0)}, mask{i})", f"{z}[...] = mask{i}")
    elif replay.network.activation == "tanh":
        a = f"a{i + 1}"
        replay.add(f"multiply({a}, {a}, {z})", f"subtract({one}, {z}, {z})")
    else:  # (1 + t) / 2 + h (1 - t²) (c + 3 c d z²)
        half = replay.number(0.5)
        replay.add(
            f"multiply({s}, {replay.number(3 * _SLOPE * _CUBIC)}, {s})",
            f"add({s}, {replay.number(_SLOPE)}, {s})",
            f"multiply({s}, {h}, {s})",
            f"multiply({t}, {t}, {z})",
            f"subtract({one}, {z}, {z})",
            f"multiply({s}, {z}, {z})",
            f"multiply({t}, {half}, {t})",
            f"add({t}, {half}, {t})",
            f"add({z}, {t}, {z})",
        )
    replay.add(f"multiply({g}, {z}, {g})")


def _compare(replay: _Replay, z: str) -> str:
    """Write the loss and its gradient in the prediction; return the name of that."""
    out = replay.names[z]
    g = replay.new(f"g{replay.last}", replay.network.sizes[-1])
    if replay.network.loss == "mse":
        replay.names["flat"] = out.reshape(-1)
        replay.add(
            f"subtract({z}, y, {z})",
            f"value = dot(flat, flat) / {float(out.size)}",
            f"multiply({z}, {replay.number(2 / out.size)}, {g})",
        )
        return g
    axis = 0 if replay.turned else -1
    row = replay.new("row", 1)
    replay.add(
        f"largest({z}, {axis}, None, {row}, True)",
        f"subtract({z}, {row}, {z})",
        f"exp({z}, {g})",
        f"total({g}, {axis}, None, {row}, True)",
        f"divide({g}, {row}, {g})",
        f"log({row}, {row})",
        f"subtract({z}, {row}, {z})",
        f"multiply({z}, y, {z})",
        f"value = total({z}, None) / {-float(replay.batch)}",
        f"subtract({g}, y, {g})",
        f"multiply({g}, {replay.number(1 / replay.batch)}, {g})",
    )
    return g


def _gradient(replay: _Replay) -> None:
    replay.names["ones"] = np.ones(replay.batch, np.float32)
    replay.names["d"] = np.empty_like(replay.names["w"])
    replay.name("dw", "db", replay.names["d"])
    for i in range(replay.last, -1, -1):
        g = f"g{i}"
        rows = f"{g}, a{i}_t" if replay.turned else f"{g}_t, a{i}"
        total = f"{g}, ones" if replay.turned else f"ones, {g}"
        replay.add(f"dot({rows}, dw{i})", f"dot({total}, db{i})")
        if i:
            replay.product(g, f"w{i}", replay.new(f"g{i - 1}", replay.network.sizes[i]))
            _pass_back(replay, i - 1)


def _update(replay: _Replay) -> None:
    rate, d = replay.network.rate, replay.names["d"]
    if replay.network.optimizer == "sgd":
        replay.add(f"multiply(d, {replay.number(rate)}, d)", "subtract(w, d, w)")
        return
    replay.names |= {"m": np.zeros_like(d), "v": np.zeros_like(d), "u": np.empty_like(d)}
    replay.add(
        "scale = (1.0 - 0.999**step) ** 0.5",
        f"{(epsilon := replay.number(0.0))}[()] = 1e-8 * scale",
        f"{(corrected := replay.number(0.0))}[()] = {rate} * scale / (1.0 - 0.9**step)",
        f"multiply(m, {replay.number(0.9)}, m)",
        f"multiply(d, {replay.number(0.1)}, u)",
        "add(m, u, m)",
        f"multiply(v, {replay.number(0.999)}, v)",
        "multiply(d, d, d)",
        f"multiply(d, {replay.number(0.001)}, d)",
        "add(v, d, v)",
        "sqrt(v, u)",
        f"add(u, {epsilon}, u)",
        "divide(m, u, u)",
        f"multiply(u, {corrected}, u)",
        "subtract(w, u, w)",
    )


def training_step(network: Network) -> Callable[[], float]:
    replay = _Replay(network)
    _compare(replay, _predict(replay))
    _gradient(replay)
    _update(replay)
    replay.add("return value")
    run, steps = replay.function("step"), 0

    def step() -> float:
        nonlocal steps
        steps += 1
        return run(steps)

    return step


def inference(network: Network, batch: int) -> Callable[[], np.ndarray]:
    replay = _Replay(network, batch)
    z = _predict(replay)
    replay.add(f"return {z}_t" if replay.turned else f"return {z}")
    return replay.function()
