"""A hierarchical model of counts: the log-density of its parameters, and its gradient.

Zero-inflated negative binomial counts in 12 groups, whose intercept and slope are correlated.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
import scipy.special
import torch

import portanet as pn
from benchmarks.programs._program import Program, gradients

GROUPS, COUNTS = 12, 240


def log_density() -> Program:
    rng = np.random.default_rng(0)
    shapes = {"beta": (2,), "scales": (2,), "raw": (), "z": (GROUPS, 2), "more": (3,)}
    ps = {name: np.asarray(0.3 * rng.normal(size=shape)) for name, shape in shapes.items()}
    group = rng.integers(GROUPS, size=COUNTS)
    x, exposure = rng.normal(size=(2, COUNTS))
    y = rng.poisson(2.0, size=COUNTS) * (rng.uniform(size=COUNTS) < 0.7).astype(float)
    data = group, x, exposure, y, scipy.special.gammaln(y + 1.0)
    return Program(
        f"log-density of {GROUPS} groups, {COUNTS} counts, and its gradient",
        lambda: gradients(_ours, _torch, _jax, ps, *data),
        double=True,
    )


def _ours(ps: Any, group: Any, x: Any, exposure: Any, y: Any, constant: Any) -> Any:
    first, second = np.exp(ps["scales"])
    between = first * second * np.tanh(ps["raw"])
    covariance = np.stack([np.stack([first**2, between]), np.stack([between, second**2])])
    root = np.linalg.cholesky(covariance)
    effects = ps["beta"] + ps["z"] @ root.T
    white = pn.functional.solve_triangular(root, (effects - ps["beta"]).T, lower=True)
    dispersion, zero, more = ps["more"]
    eta = effects[group, 0] + effects[group, 1] * x + more * exposure
    r, both = np.exp(dispersion), np.logaddexp(dispersion, eta)
    gammas = pn.functional.lgamma(y + r) - pn.functional.lgamma(r) - constant
    counts = gammas + r * (dispersion - both) + y * (eta - both) - np.logaddexp(0.0, zero)
    inflated = zero - np.logaddexp(0.0, zero)
    value = np.sum(np.where(y == 0, np.logaddexp(inflated, counts), counts))
    value = value - 0.5 * np.sum(white**2) - GROUPS * np.sum(np.log(np.diagonal(root)))
    return value - 0.5 * sum(np.sum(ps[name] ** 2) for name in ("beta", "scales", "raw", "more"))


def _torch(ps: Any, group: Any, x: Any, exposure: Any, y: Any, constant: Any) -> Any:
    first, second = torch.exp(ps["scales"])
    between = first * second * torch.tanh(ps["raw"])
    rows = [torch.stack([first**2, between]), torch.stack([between, second**2])]
    root = torch.linalg.cholesky(torch.stack(rows))
    effects = ps["beta"] + ps["z"] @ root.T
    white = torch.linalg.solve_triangular(root, (effects - ps["beta"]).T, upper=False)
    dispersion, zero, more = ps["more"]
    eta = effects[group, 0] + effects[group, 1] * x + more * exposure
    r, both = torch.exp(dispersion), torch.logaddexp(dispersion, eta)
    gammas = torch.lgamma(y + r) - torch.lgamma(r) - constant
    none = torch.nn.functional.softplus(zero)
    counts = gammas + r * (dispersion - both) + y * (eta - both) - none
    value = torch.sum(torch.where(y == 0, torch.logaddexp(zero - none, counts), counts))
    value = value - 0.5 * torch.sum(white**2) - GROUPS * torch.sum(torch.log(torch.diagonal(root)))
    return value - 0.5 * sum(torch.sum(ps[name] ** 2) for name in ("beta", "scales", "raw", "more"))


def _jax(ps: Any, group: Any, x: Any, exposure: Any, y: Any, constant: Any) -> Any:
    first, second = jnp.exp(ps["scales"])
    between = first * second * jnp.tanh(ps["raw"])
    covariance = jnp.stack([jnp.stack([first**2, between]), jnp.stack([between, second**2])])
    root = jnp.linalg.cholesky(covariance)
    effects = ps["beta"] + ps["z"] @ root.T
    white = jsp.linalg.solve_triangular(root, (effects - ps["beta"]).T, lower=True)
    dispersion, zero, more = ps["more"]
    eta = effects[group, 0] + effects[group, 1] * x + more * exposure
    r, both = jnp.exp(dispersion), jnp.logaddexp(dispersion, eta)
    gammas = jsp.special.gammaln(y + r) - jsp.special.gammaln(r) - constant
    counts = gammas + r * (dispersion - both) + y * (eta - both) - jnp.logaddexp(0.0, zero)
    inflated = zero - jnp.logaddexp(0.0, zero)
    value = jnp.sum(jnp.where(y == 0, jnp.logaddexp(inflated, counts), counts))
    value = value - 0.5 * jnp.sum(white**2) - GROUPS * jnp.sum(jnp.log(jnp.diagonal(root)))
    return value - 0.5 * sum(jnp.sum(ps[name] ** 2) for name in ("beta", "scales", "raw", "more"))
