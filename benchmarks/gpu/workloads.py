"""What is trained or run on the device, in portanet and in torch; the same work, other weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import portanet as pn

Loss = Callable[..., Any]


@dataclass(frozen=True)
class Workload:
    """One model with its data.

    Parameters
    ----------
    name : str
    model : Layer
    loss : callable or None
        What a training step minimizes; None for inference.
    data : tuple of arrays
    peer : callable
        Takes the module ``torch`` and returns a module and ``objective(module, *data)``.
    compiles : bool
        Whether ``torch.compile`` takes it: it has no second derivatives.
    """

    name: str
    model: pn.Layer
    loss: Loss | None
    data: tuple[np.ndarray, ...]
    peer: Callable[[Any], tuple[Any, Callable[..., Any]]]
    compiles: bool = True


def _normal(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    return tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)


def _one_hot(rows: int, classes: int) -> np.ndarray:
    labels = np.random.default_rng(2).integers(classes, size=rows)
    return np.eye(classes, dtype=np.float32)[labels]


def tutorial() -> Workload:
    x = np.linspace(-2, 2, 128, dtype=np.float32)[:, None]
    model = pn.Chain(pn.Dense(1, 16, pn.relu), pn.Dense(16, 1))

    def peer(torch: Any) -> Any:
        nn = torch.nn
        module = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))
        return module, lambda m, x, y: nn.functional.mse_loss(m(x), y)

    return Workload("tutorial", model, pn.MSELoss(), (x, x**2 - 2 * x), peer)


def mlp(width: int, batch: int = 256) -> Workload:
    """Three layers of `width`, then 10 classes."""
    sizes = [width] * 4
    hidden = [pn.Dense(width, width, pn.gelu) for _ in sizes[1:]]
    model = pn.Chain(*hidden, pn.Dense(width, 10))

    def peer(torch: Any) -> Any:
        nn = torch.nn
        layers = [part for _ in sizes[1:] for part in (nn.Linear(width, width), nn.GELU("tanh"))]
        module = nn.Sequential(*layers, nn.Linear(width, 10))
        return module, lambda m, x, y: nn.functional.cross_entropy(m(x), y)

    data = (*_normal((batch, width)), _one_hot(batch, 10))
    return Workload(f"MLP {width}", model, pn.CrossEntropyLoss(logits=True), data, peer)


def lenet(batch: int = 64) -> Workload:
    model = pn.Chain(
        pn.Conv((5, 5), 1, 6, pn.relu), pn.MaxPool((2, 2)),
        pn.Conv((5, 5), 6, 16, pn.relu), pn.MaxPool((2, 2)), pn.Flatten(),
        pn.Dense(256, 120, pn.relu), pn.Dense(120, 84, pn.relu), pn.Dense(84, 10),
    )  # fmt: skip

    def peer(torch: Any) -> Any:
        nn = torch.nn
        module = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip
        return module, lambda m, x, y: nn.functional.cross_entropy(m(x.permute(0, 3, 1, 2)), y)

    data = (*_normal((batch, 28, 28, 1)), _one_hot(batch, 10))
    return Workload("LeNet", model, pn.CrossEntropyLoss(logits=True), data, peer)


def lstm() -> Workload:
    features, hidden, length, batch = 16, 64, 32, 16
    model = pn.Recurrence(pn.LSTMCell(features, hidden))

    def peer(torch: Any) -> Any:
        module = torch.nn.LSTM(features, hidden, batch_first=True)
        return module, lambda m, x, y: torch.nn.functional.mse_loss(m(x)[0][:, -1], y)

    data = _normal((batch, length, features), (batch, hidden))
    return Workload("LSTM", model, pn.MSELoss(), data, peer)


def transformer() -> Workload:
    features, heads, length, batch = 128, 4, 64, 8
    model = pn.TransformerEncoderLayer(features, heads, 4 * features)

    def peer(torch: Any) -> Any:
        nn = torch.nn
        module = nn.TransformerEncoderLayer(
            features, heads, 4 * features, dropout=0.0, batch_first=True, norm_first=True,
            activation=partial(nn.functional.gelu, approximate="tanh"),
        )  # fmt: skip
        return module, lambda m, x, y: nn.functional.mse_loss(m(x), y)

    shape = batch, length, features
    return Workload("transformer block", model, pn.MSELoss(), _normal(shape, shape), peer)


def physics() -> Workload:
    """The loss of u'' = -sin x on 256 points: two derivatives in x below one in the weights."""
    model = pn.Chain(pn.Dense(1, 32, pn.tanh), pn.Dense(32, 32, pn.tanh), pn.Dense(32, 1))
    x = np.linspace(-2, 2, 256, dtype=np.float32)[:, None]

    def loss(model: Any, ps: Any, st: Any, data: Any) -> Any:
        x, wanted = data
        xp = pn.array_namespace(x)
        along = xp.ones_like(x)

        def first(x: Any) -> Any:
            return pn.jvp(lambda x: model(x, ps, st)[0], (x,), (along,))[1]

        second = pn.jvp(first, (x,), (along,))[1]
        return xp.mean((second - wanted) ** 2), st, {}

    def peer(torch: Any) -> Any:
        nn = torch.nn
        module = nn.Sequential(
            nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
        )

        def objective(m: Any, x: Any, wanted: Any) -> Any:
            x = x.detach().requires_grad_()
            (first,) = torch.autograd.grad(m(x).sum(), x, create_graph=True)
            (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
            return ((second - wanted) ** 2).mean()

        return module, objective

    return Workload("physics", model, loss, (x, -np.sin(x)), peer, compiles=False)


def minilm(sentences: int = 32, tokens: int = 32) -> Workload:
    """The body of MiniLM, six layers of 384 features: inference."""
    features, heads, hidden, layers = 384, 12, 1536, 6
    layer = pn.TransformerEncoderLayer(features, heads, hidden, pn.gelu_erf, norm_first=False)

    def peer(torch: Any) -> Any:
        nn = torch.nn
        one = nn.TransformerEncoderLayer(features, heads, hidden, 0.0, "gelu", batch_first=True)
        module = nn.TransformerEncoder(one, layers, enable_nested_tensor=False).eval()
        return module, lambda m, x: m(x)

    model = pn.TransformerStack(layer, layers)
    return Workload("MiniLM", model, None, _normal((sentences, tokens, features)), peer)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "tutorial": tutorial,
    "MLP 1024": partial(mlp, 1024),
    "transformer block": transformer,
    "LeNet": lenet,
    "physics": physics,
    "LSTM": lstm,
    "MLP 128": partial(mlp, 128),
    "MLP 4096": partial(mlp, 4096),
    "MiniLM": minilm,
    "MLP 256": partial(mlp, 256),
    "MLP 512": partial(mlp, 512),
    "MLP 2048": partial(mlp, 2048),
}
"""In the order of their worth."""
