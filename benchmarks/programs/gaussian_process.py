"""The marginal likelihood of a Gaussian process with a Matérn 5/2 kernel, and its gradient."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
import torch

import portanet as pn
from benchmarks.programs._program import Program, gradients

POINTS, AXES = 200, 4
ROOT = 5.0**0.5


def gaussian_process() -> Program:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(POINTS, AXES))
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1] + 0.1 * rng.normal(size=POINTS)
    ps = {"lengths": 0.2 * rng.normal(size=AXES), "amplitude": np.zeros(()), "noise": -np.ones(())}
    return Program(
        f"Gaussian process of {POINTS} points in {AXES} dimensions, and its gradient",
        lambda: gradients(_ours, _torch, _jax, ps, x, y, np.eye(POINTS)),
        double=True,
    )


def _ours(ps: Any, x: Any, y: Any, unit: Any) -> Any:
    scaled = x / np.exp(ps["lengths"])
    squares = np.sum((scaled[:, None, :] - scaled[None, :, :]) ** 2, axis=-1)
    r = ROOT * np.sqrt(squares + 1e-12)
    kernel = np.exp(2.0 * ps["amplitude"]) * (1.0 + r + r * r / 3.0) * np.exp(-r)
    root = np.linalg.cholesky(kernel + np.exp(2.0 * ps["noise"]) * unit)
    white = pn.functional.solve_triangular(root, y, lower=True)
    return -0.5 * np.sum(white * white) - np.sum(np.log(np.diagonal(root)))


def _torch(ps: Any, x: Any, y: Any, unit: Any) -> Any:
    scaled = x / torch.exp(ps["lengths"])
    squares = torch.sum((scaled[:, None, :] - scaled[None, :, :]) ** 2, dim=-1)
    r = ROOT * torch.sqrt(squares + 1e-12)
    kernel = torch.exp(2.0 * ps["amplitude"]) * (1.0 + r + r * r / 3.0) * torch.exp(-r)
    root = torch.linalg.cholesky(kernel + torch.exp(2.0 * ps["noise"]) * unit)
    white = torch.linalg.solve_triangular(root, y[:, None], upper=False)
    return -0.5 * torch.sum(white * white) - torch.sum(torch.log(torch.diagonal(root)))


def _jax(ps: Any, x: Any, y: Any, unit: Any) -> Any:
    scaled = x / jnp.exp(ps["lengths"])
    squares = jnp.sum((scaled[:, None, :] - scaled[None, :, :]) ** 2, axis=-1)
    r = ROOT * jnp.sqrt(squares + 1e-12)
    kernel = jnp.exp(2.0 * ps["amplitude"]) * (1.0 + r + r * r / 3.0) * jnp.exp(-r)
    root = jnp.linalg.cholesky(kernel + jnp.exp(2.0 * ps["noise"]) * unit)
    white = jsp.linalg.solve_triangular(root, y, lower=True)
    return -0.5 * jnp.sum(white * white) - jnp.sum(jnp.log(jnp.diagonal(root)))
