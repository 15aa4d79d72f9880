"""The catalogue of the contract tests, for `portanet.functional`: inputs and independent oracles.

An oracle gets the module torch and tensors in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from contract.activations import ELEMENTWISE
from contract.catalogue import functions_attention, functions_convolution, functions_losses
from contract.catalogue.builders import Builder, FunctionCase, floats, indices, several

import portanet as pn


def _off_seams(name: str) -> Builder:
    """Draw numbers of both signs, none of them near a seam."""
    seams = np.asarray([at for at, _ in ELEMENTWISE[name].seams])

    def build(rng: np.random.Generator, n: int) -> np.ndarray:
        x = rng.uniform(-4, 4, size=(n, 2))
        near = np.min(np.abs(x[..., None] - seams), axis=-1) < 0.05
        return np.where(near, x + 0.11, x)

    return build


KEY = pn.random.key(3)
F = pn.functional


def _batch_norm(torch: Any, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    """Return the output and the new statistics, which carry no derivative of the batch."""
    y = torch.nn.functional.batch_norm(x, None, None, scale, bias, training=True)
    moved = 0.9 * mean + 0.1 * x.mean(0).detach(), 0.9 * variance + 0.1 * x.var(0).detach()
    return y, *moved


def _conv(torch: Any, x: Any, w: Any) -> Any:
    y = torch.nn.functional.conv1d(x.mT, w.permute(2, 1, 0), stride=2, padding=1)
    return y.mT


def _conv_transpose(torch: Any, x: Any, w: Any) -> Any:
    return torch.nn.functional.conv_transpose1d(x.mT, w.permute(2, 1, 0), stride=2).mT


def _like(x, number):
    return F.stop_gradient(x) * 0.0 + number


def _spectra(x):
    y = F.stft(x, 4, hop=2)
    xp = pn.array_namespace(x)
    return tuple(xp.astype(part, x.dtype) for part in (xp.real(y), xp.imag(y)))


def _there_and_back(x):
    y = F.istft(F.stft(x, 4, hop=1), 4, hop=1, length=9)
    return pn.array_namespace(x).astype(y, x.dtype)  # complex numbers have no 16 bits


def _systems(rng, n):
    return rng.normal(size=(n, 3, 3)) + 3.0 * np.eye(3), rng.normal(size=(n, 3, 2))


def _own_segments(name: str) -> Any:
    """Return a reduction in which each row is a segment."""

    def function(x: Any) -> Any:
        n, device = x.shape[0], pn.backends.device_of(x)
        reduce = getattr(F, f"segment_{name}")
        return reduce(x, pn.array_namespace(x).arange(n, device=device), n)

    return function


FUNCTIONS = {
    case.name if not remark else f"{case.name}, {remark}": case
    for remark, case in [
        *functions_attention.CASES,
        *functions_convolution.CASES,
        *functions_losses.CASES,
        ("", FunctionCase("alpha_dropout", lambda x: F.alpha_dropout(x, 0.4, KEY), floats(3))),
        ("", FunctionCase(
            "at", lambda x, y: F.at(x)[:, 1].add(y), several(floats(3), floats())
        )),
        ("", FunctionCase(
            "batch_norm",
            lambda *xs: F.batch_norm(*xs),
            lambda rng, n: (
                *(rng.normal(size=s) for s in ((n, 3), (3,), (3,), (3,))), rng.uniform(size=3)
            ),
            _batch_norm,
            smooth=False,
            per_sample=False,
        )),
        ("output", FunctionCase(
            "batch_norm",
            lambda *xs: F.batch_norm(*xs)[0],
            lambda rng, n: tuple(rng.normal(size=s) for s in ((n, 2, 3), (3,), (3,))),
            per_sample=False,
        )),
        ("", FunctionCase(
            "bilinear", F.bilinear,
            lambda rng, n: tuple(rng.normal(size=s) for s in ((n, 2), (n, 3), (4, 2, 3), (4,))),
            lambda t, *xs: t.nn.functional.bilinear(*xs),
        )),
        ("", FunctionCase(
            "conv", lambda x, w: F.conv(x, w, stride=2, padding=1),
            lambda rng, n: (rng.normal(size=(n, 5, 2)), rng.normal(size=(3, 2, 4))),
            _conv,
        )),
        ("", FunctionCase(
            "conv_transpose", lambda x, w: F.conv_transpose(x, w, stride=2),
            lambda rng, n: (rng.normal(size=(n, 3, 2)), rng.normal(size=(3, 4, 2))),
            _conv_transpose,
        )),
        ("", FunctionCase("dropout", lambda x: F.dropout(x, 0.4, KEY), floats(3))),
        ("", FunctionCase(
            "einsum", lambda x, y: F.einsum("ni,nj->nij", x, y), several(floats(2), floats(3)),
            lambda t, x, y: t.einsum("ni,nj->nij", x, y),
        )),
        ("", FunctionCase(
            "embedding", F.embedding,
            several(indices(5, 2), lambda rng, n: rng.normal(size=(5, 3))),
            lambda t, i, w: t.nn.functional.embedding(i, w),
        )),
        ("", FunctionCase("glu", F.glu, floats(4), lambda t, x: t.nn.functional.glu(x))),
        ("", FunctionCase(
            "group_norm", lambda *xs: F.group_norm(*xs, groups=2),
            lambda rng, n: (rng.normal(size=(n, 3, 4)), rng.normal(size=4), rng.normal(size=4)),
            lambda t, x, w, b: t.nn.functional.group_norm(x.mT, 2, w, b).mT,
        )),
        ("", FunctionCase(
            "instance_norm", lambda *xs: F.instance_norm(*xs)[0],
            lambda rng, n: (rng.normal(size=(n, 3, 2)), rng.normal(size=2), rng.normal(size=2)),
            lambda t, x, w, b: t.nn.functional.instance_norm(x.mT, weight=w, bias=b).mT,
        )),
        ("", FunctionCase(
            "grid_sample", F.grid_sample,
            lambda rng, n: (rng.normal(size=(n, 4, 3, 2)), rng.uniform(-0.9, 0.9, (n, 2, 3, 2))),
            lambda t, x, g: t.nn.functional.grid_sample(
                x.permute(0, 3, 1, 2), g, align_corners=True
            ).permute(0, 2, 3, 1),
        )),
        ("", FunctionCase(
            "inner_product", F.inner_product, several(floats(3), floats(3)),
            lambda t, x, y: (x * y).sum(),
            per_sample=False,
        )),
        ("", FunctionCase(
            "layer_norm", F.layer_norm,
            lambda rng, n: (rng.normal(size=(n, 4)), rng.normal(size=4), rng.normal(size=4)),
            lambda t, x, w, b: t.nn.functional.layer_norm(x, (4,), w, b),
        )),
        ("", FunctionCase(
            "linear", F.linear,
            lambda rng, n: tuple(rng.normal(size=s) for s in ((n, 3), (2, 3), (2,))),
            lambda t, *xs: t.nn.functional.linear(*xs),
        )),
        ("three axes, no bias", FunctionCase(
            "linear", F.linear,
            lambda rng, n: (rng.normal(size=(n, 2, 3)), rng.normal(size=(2, 3))),
            lambda t, *xs: t.nn.functional.linear(*xs),
        )),
        ("", FunctionCase("log_softmax", F.log_softmax, floats(3), lambda t, x: x.log_softmax(-1))),
        ("", FunctionCase(
            "logsumexp", lambda x: F.logsumexp(x, axis=-1), floats(3), lambda t, x: x.logsumexp(-1)
        )),
        ("", FunctionCase(
            "mean_squared_error", F.mean_squared_error, several(floats(3), floats(3)),
            lambda t, x, y: t.nn.functional.mse_loss(x, y),
            per_sample=False,
        )),
        ("", FunctionCase(
            "max_pool", lambda x: F.max_pool(x, 2), floats(4, 2),
            lambda t, x: t.nn.functional.max_pool1d(x.mT, 2).mT,
        )),
        ("", FunctionCase(
            "mean_pool", lambda x: F.mean_pool(x, 2), floats(4, 2),
            lambda t, x: t.nn.functional.avg_pool1d(x.mT, 2).mT,
        )),
        ("", FunctionCase(
            "pad", lambda x: F.pad(x, [(0, 0), (1, 2)]), floats(3),
            lambda t, x: t.nn.functional.pad(x, (1, 2)),
        )),
        ("", FunctionCase(
            "cbrt", F.cbrt, lambda rng, n: rng.uniform(0.5, 5.0, size=(n, 2)),
            lambda t, x: x ** (1 / 3),
        )),
        ("", FunctionCase("exp2", F.exp2, floats(2), lambda t, x: t.exp2(x))),
        ("", FunctionCase(
            "betainc", lambda x: F.betainc(_like(x, 2.5), _like(x, 1.5), x),
            lambda rng, n: rng.uniform(0.1, 0.9, size=(n, 2)),
            slack=1e-9,
        )),
        ("", FunctionCase(
            "cho_solve", F.cho_solve, _systems, lambda t, a, b: t.cholesky_solve(b, a.tril()),
            of_lapack=True,
        )),
        ("", FunctionCase(
            "digamma", F.digamma, lambda rng, n: rng.uniform(0.5, 5.0, size=(n, 2)),
            lambda t, x: x.digamma(),
            slack=1e-9,
        )),
        ("", FunctionCase(
            "gammainc", lambda x: F.gammainc(_like(x, 2.5), x),
            lambda rng, n: rng.uniform(0.5, 5.0, size=(n, 2)),
            slack=1e-9,
        )),
        ("", FunctionCase(
            "lgamma", F.lgamma, lambda rng, n: rng.uniform(0.5, 5.0, size=(n, 2)),
            lambda t, x: x.lgamma(),
            slack=1e-9,
        )),
        ("", FunctionCase(
            "polygamma", lambda x: F.polygamma(2, x),
            lambda rng, n: rng.uniform(0.5, 5.0, size=(n, 2)),
            lambda t, x: t.polygamma(2, x),
        )),
        ("", FunctionCase(
            "rms_norm", F.rms_norm,
            lambda rng, n: (rng.normal(size=(n, 4)), rng.normal(size=4)),
            lambda t, x, w: t.nn.functional.rms_norm(x, (4,), w, 1e-5),
        )),
        ("", FunctionCase(
            "solve_triangular", F.solve_triangular, _systems,
            lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True),
            of_lapack=True,
        )),
        ("", FunctionCase(
            "spectral_norm", lambda *xs: F.spectral_norm(*xs, iterations=0)[0],
            lambda rng, n: tuple(rng.uniform(0.5, 1.0, size=s) for s in ((4, 3), 4, 3)),
            lambda t, w, u, v: w / (u @ w @ v),
            per_sample=False,
        )),
        ("", FunctionCase(
            "prelu", F.prelu, lambda rng, n: (rng.normal(size=(n, 3)), rng.uniform(size=3)),
            lambda t, x, a: t.nn.functional.prelu(x, a),
        )),
        ("", FunctionCase(
            "stft", _spectra, floats(9),
            lambda t, x: t.view_as_real(t.stft(
                x, 4, 2, window=t.hann_window(4, dtype=x.dtype), return_complex=True
            ).mT).unbind(-1),
        )),
        ("", FunctionCase(
            "istft", _there_and_back, floats(9),
            lambda t, x: x,
        )),
        ("", FunctionCase("rrelu", lambda x: F.rrelu(x, KEY), floats(3))),
        *(
            ("", FunctionCase(f"segment_{name}", _own_segments(name), floats(3), lambda t, x: x))
            for name in ("max", "mean", "min", "prod", "sum")
        ),
        ("", FunctionCase("softmax", F.softmax, floats(3), lambda t, x: x.softmax(-1))),
        ("first axis", FunctionCase(
            "softmax", lambda x: F.softmax(x, axis=0), floats(3), lambda t, x: x.softmax(0),
            per_sample=False,
        )),
        ("", FunctionCase(
            "stop_gradient", lambda x: F.stop_gradient(x) * x, floats(3),
            lambda t, x: x.detach() * x, smooth=False,
        )),
        ("", FunctionCase(
            "weight_norm", F.weight_norm,
            lambda rng, n: (rng.normal(size=(n, 2, 3)), rng.normal(size=(n, 1, 1))),
            lambda t, v, g: t._weight_norm(v, g, 0),
        )),
    ]
}  # fmt: skip

ALL = FUNCTIONS | {
    name: FunctionCase(name, getattr(F, name), _off_seams(name)) for name in ELEMENTWISE
}
