"""What adds many numbers up, along each axis, at lengths from 10 to 100,000."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import portanet as pn
from fuzz.dtypes.cases import Case
from fuzz.dtypes.narrow import BLOCK

F = pn.functional
LENGTHS = (10, 300, 2050, 100_000)


def _along(rng: np.random.Generator, n: int, axis: int) -> np.ndarray:
    return rng.uniform(0.1, 1.0, size=(n, 3) if axis == 0 else (3, n))


def _images(rng: np.random.Generator, n: int, axis: int) -> np.ndarray:
    shape = [2, 3, 4, 2]
    shape[axis] = n
    return rng.uniform(0.1, 1.0, size=shape)


def _standard(name: str, axis: int) -> Callable[[Any], Any]:
    def reduced(given: Any) -> Any:
        (x,) = given
        xp = pn.array_namespace(x)
        function = xp.linalg.vector_norm if name == "vector_norm" else getattr(xp, name)
        return function(x, axis=axis)

    return reduced


_OF_ROWS: dict[str, Callable[[Any], Any]] = {
    "softmax": F.softmax,
    "log_softmax": F.log_softmax,
    "logsumexp": lambda x: F.logsumexp(x, axis=-1),
    "layer_norm": F.layer_norm,
    "rms_norm": F.rms_norm,
    "group_norm": lambda x: F.group_norm(x, groups=1),
    "batch_norm": lambda x: F.batch_norm(x)[0],
    "cosine_similarity": lambda x: F.cosine_similarity(x, x * 0.5 + 0.1),
    "softmax of columns": lambda x: F.softmax(x, axis=0),
    "logsumexp of columns": lambda x: F.logsumexp(x, axis=0),
    "weight_norm": lambda x: F.weight_norm(x, x[:, :1]),
    "bias": lambda x: F.linear(x * 0.01, x[:1, :] * 0.01, x[0, :1]),
    "MSELoss": lambda x: pn.MSELoss()(x, x * 0.5),
    "MAELoss": lambda x: pn.MAELoss()(x, x * 0.5),
    "DiceLoss": lambda x: pn.DiceLoss()(x, x * 0.5),
    "TverskyLoss": lambda x: pn.TverskyLoss()(x, x * 0.5),
    "KLDivergenceLoss": lambda x: pn.KLDivergenceLoss(logits=True)(x, x * 0.01),
    "CrossEntropyLoss": lambda x: pn.CrossEntropyLoss(logits=True)(x, x * 0.01),
    "BinaryCrossEntropyLoss": lambda x: pn.BinaryCrossEntropyLoss()(x * 0.5, x * 0.25),
}
_OF_IMAGES: dict[str, Callable[[Any], Any]] = {
    "instance_norm": lambda x: F.instance_norm(x)[0],
    "GlobalMeanPool": lambda x: pn.GlobalMeanPool()(x, {}, {})[0],
    "GlobalLPPool": lambda x: pn.GlobalLPPool()(x, {}, {})[0],
    "mean_pool": lambda x: F.mean_pool(x, x.shape[1:-1]),
    "lp_pool": lambda x: F.lp_pool(x, x.shape[1:-1]),
    "adaptive_mean_pool": lambda x: F.adaptive_mean_pool(x, (1, 2)),
    "images' group_norm": lambda x: F.group_norm(x, groups=2),
    "images' batch_norm": lambda x: F.batch_norm(x)[0],
}
_LANES = 8  # numbers that torch adds at a time along a row, in the derivative of its layer norm
_POOLS = ("lp_pool", "mean_pool", "adaptive_mean_pool")


def _spread(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda given: call(*given)


def long_cases(seed: int = 0, lengths: tuple[int, ...] = LENGTHS) -> Iterator[Case]:
    """Yield every reduction at every length along every axis."""
    for n in lengths:
        for axis in (0, 1):
            x = _along(np.random.default_rng(seed), n, axis)
            for name in ("sum", "mean", "std", "var", "vector_norm"):
                for over in (0, 1):
                    label = f"xp.{name} over {over} of {x.shape}"
                    yield Case(label, _standard(name, over), (x,))
            for name, call in _OF_ROWS.items():
                long = max(BLOCK, x.shape[1] // _LANES)
                terms = {"torch": long} if name == "layer_norm" else {}
                yield Case(f"{name} of {x.shape}", _spread(call), (x,), terms=terms)
        for axis in (0, 1, 2):
            x = _images(np.random.default_rng(seed), n, axis)
            for name, call in _OF_IMAGES.items():
                if name in _POOLS and n > 2050:
                    continue  # one addition an entry of the window
                yield Case(f"{name} of {x.shape}", _spread(call), (x,))
