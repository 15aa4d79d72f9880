"""Generators of random numbers as JSON: NumPy's with the state they are in."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.errors import ArgumentError, shown

_KINDS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
"""The bit generators of NumPy."""


def state_of(name: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return what a generator draws from, and what it spawns from, for `generator_of`."""
    bits: Any = rng.bit_generator
    seed: Any = bits.seed_seq
    if kind_of(rng) not in _KINDS or type(seed) is not np.random.SeedSequence:
        raise ArgumentError(
            f"{name!r}: a generator is one of {', '.join(_KINDS)}, made of a seed: got {shown(rng)}"
        )
    entropy: Any = seed.entropy
    return {
        "bits": _plain(bits.state),
        "seed": {
            "entropy": [*map(int, entropy)] if np.ndim(entropy) else int(entropy),
            "spawn_key": [*map(int, seed.spawn_key)],
            "pool_size": seed.pool_size,
            "n_children_spawned": seed.n_children_spawned,
        },
    }


def generator_of(state: dict[str, Any]) -> np.random.Generator:
    """Return a new generator in the state that `state_of` gave."""
    bits = _arrays(state["bits"])
    kind = bits["bit_generator"]
    if kind not in _KINDS:
        raise ValueError(f"unknown bit generator {kind!r}")
    made = getattr(np.random, kind)(np.random.SeedSequence(**state["seed"]))
    made.state = bits
    return np.random.Generator(made)


def kind_of(rng: np.random.Generator) -> str:
    """Return the name of the algorithm that a generator draws by."""
    return type(rng.bit_generator).__name__


def _plain(state: Any) -> Any:
    """Return what JSON can say of the state of a bit generator."""
    if isinstance(state, dict):
        return {name: _plain(part) for name, part in state.items()}
    return [state.dtype.name, state.tolist()] if isinstance(state, np.ndarray) else state


def _arrays(state: Any) -> Any:
    """Return the state of a bit generator of what `_plain` made of it: each list was an array."""
    if isinstance(state, dict):
        return {name: _arrays(part) for name, part in state.items()}
    return np.asarray(state[1], state[0]) if isinstance(state, list) else state
