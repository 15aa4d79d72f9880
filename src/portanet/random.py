"""Random numbers from explicit keys.

Initialisation takes a `numpy.random.Generator`. A layer that draws while it runs keeps a `Key` in
its states instead: a small immutable value on the host, never an array, so that splitting it is
pure, costs the same on every device, and is invisible to a derivative.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from portanet.errors import (
    ArgumentError,
    BackendMismatchError,
    DTypeError,
    HyperparameterError,
    shown,
)
from portanet.interface import backend_of
from portanet.listing import listing

__all__ = ["Key", "bernoulli", "key", "normal", "replicate", "uniform"]
__dir__ = listing(__all__)


@dataclass(frozen=True, slots=True)
class Key:
    """The seed of one draw, or the root of many others: an immutable value.

    Make one with `key`, or with `Key.from_generator` where a layer initialises its states. A key
    is a leaf of a tree, can be compared, hashed, pickled and copied, and gives the same numbers
    whenever it is used; use each key for one draw and split it for more.

    Parameters
    ----------
    words : tuple of two int
        128 bits in two words of 64.

    Notes
    -----
    New keys are BLAKE2 digests of the old one, so the keys of different splits are unrelated [1]_.
    The draws on the host come from the counter-based generator Philox [2]_.

    References
    ----------
    .. [1] Saarinen and Aumasson, "The BLAKE2 Cryptographic Hash and Message Authentication Code",
       RFC 7693, 2015.
    .. [2] Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.

    Examples
    --------
    >>> import portanet as pn
    >>> root = pn.random.key(0)
    >>> first, second = root.split()
    >>> first == second
    False
    >>> root.split() == (first, second)
    True
    """

    words: tuple[int, int]

    @classmethod
    def from_generator(cls, rng: np.random.Generator) -> Key:
        """Draw a key from `rng`, which moves on: two layers in a row get different keys."""
        high, low = rng.integers(0, 2**64, size=2, dtype=np.uint64).tolist()
        return cls((high, low))

    def split(self, n: int = 2) -> tuple[Key, ...]:
        """Return `n` new keys, independent of each other and of this one.

        Raises
        ------
        HyperparameterError
            If `n` is not a positive integer.
        """
        if not _is_integer(n) or n < 1:
            raise HyperparameterError(f"Key.split: n is an integer, at least 1: got {shown(n)}")
        return tuple(self._child(b"split %d" % i) for i in range(n))

    def fold_in(self, data: int) -> Key:
        """Return a new key that depends on this one and on an integer, such as a step's number.

        Raises
        ------
        HyperparameterError
            If `data` is not an integer.

        Examples
        --------
        >>> import portanet as pn
        >>> root = pn.random.key(0)
        >>> root.fold_in(3) == root.fold_in(3), root.fold_in(3) == root.fold_in(4)
        (True, False)
        """
        if not _is_integer(data):
            raise HyperparameterError(f"Key.fold_in: data is an integer: got {shown(data)}")
        return self._child(b"fold %d" % data)

    def draw(self, backend: Any, name: str, shape: tuple[int, ...], like: Any) -> Any:
        """Draw by the method `name` of a backend."""
        return getattr(backend, name)(self.words, shape, like)

    def _child(self, label: bytes) -> Key:
        high, low = self.words
        return _digest(label, (high << 64 | low).to_bytes(16, "little"))


def _digest(label: bytes, secret: bytes = b"") -> Key:
    from hashlib import blake2b

    number = int.from_bytes(blake2b(label, key=secret, digest_size=16).digest(), "little")
    return Key((number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF))


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


_SEED_BITS = 4096
"""Far beyond any use, and below what Python writes in decimal digits."""


def key(seed: int) -> Key:
    """Make a key from an integer seed of any size and sign.

    Raises
    ------
    HyperparameterError
        If `seed` is not an integer.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> key = pn.random.key(2024)
    >>> x = pn.random.uniform(key, (2, 3), like=np.zeros(1, np.float32))
    >>> x.shape, x.dtype
    ((2, 3), dtype('float32'))
    """
    if not _is_integer(seed):
        raise HyperparameterError(f"key: seed is an integer: got {shown(seed)}")
    if abs(int(seed)) >> _SEED_BITS:
        raise HyperparameterError(f"key: seed has at most {_SEED_BITS} bits: got {shown(seed)}")
    return _digest(b"seed %d" % seed)


def uniform(key: Key, shape: tuple[int, ...], *, like: Any) -> Any:
    """Draw from the uniform distribution on [0, 1).

    Parameters
    ----------
    key : Key
    shape : tuple of int
    like : array, real floating
        Gives the library, the device and the dtype of the result.

    Returns
    -------
    array
        The same numbers for the same key, shape and dtype on NumPy, array_api_strict and Torch's
        CPU; on an accelerator the library's own, repeatable there.
    """
    return _draw("uniform", key, shape, like)


def normal(key: Key, shape: tuple[int, ...], *, like: Any) -> Any:
    """Draw from the normal distribution with mean 0 and variance 1; see `uniform`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.random.normal(pn.random.key(1), (4,), like=np.zeros(())).dtype
    dtype('float64')
    """
    return _draw("normal", key, shape, like)


def bernoulli(key: Key, probability: float, shape: tuple[int, ...], *, like: Any) -> Any:
    """Draw booleans that are true with `probability`.

    Parameters
    ----------
    key : Key
    probability : float
        Between 0 and 1, both included.
    shape : tuple of int
    like : array
        Gives the library and the device. Its dtype does not matter: every dtype gets the same
        booleans.

    Returns
    -------
    array of bool

    Raises
    ------
    HyperparameterError
        If `probability` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> heads = pn.random.bernoulli(pn.random.key(0), 0.5, (1000,), like=np.zeros(()))
    >>> bool(450 < np.sum(heads) < 550)
    True
    """
    number = isinstance(probability, Real) and not isinstance(probability, bool)
    if not number or not 0 <= probability <= 1:
        raise HyperparameterError(f"bernoulli: 0 <= probability <= 1: got {shown(probability)}")
    backend = _backend_of("bernoulli", like)
    xp = backend.xp
    single = xp.empty(0, dtype=xp.float32, device=backend.device_of(like))
    return _draw("uniform", key, shape, single) < float(probability)


def _draw(name: str, key: Any, shape: Any, like: Any) -> Any:
    """Draw by the method `name` of the backend of `like`."""
    backend = _backend_of(name, like)
    if not hasattr(key, "draw"):
        raise ArgumentError(
            f"{name}: key is a portanet.random.Key: got {shown(key)}: make one with "
            "pn.random.key(seed)"
        )
    if not isinstance(shape, tuple | list) or not all(map(_is_size, shape)):
        raise ArgumentError(f"{name}: shape is a tuple of sizes >= 0: got {shown(shape)}")
    if not backend.is_real(like.dtype):
        raise DTypeError(f"{name}: like.dtype is real floating: {backend.dtype_name(like.dtype)}")
    return key.draw(backend, name, tuple(shape), like)


def _backend_of(name: str, like: Any) -> Any:
    backend = backend_of(like)
    if not hasattr(like, "dtype"):
        raise BackendMismatchError(f"{name}: like is an array: got {shown(like)}")
    return backend


def _is_size(value: Any) -> bool:
    return _is_integer(value) and 0 <= value < 2**63


def replicate(rng: np.random.Generator) -> np.random.Generator:
    """Copy a generator: drawing from the copy leaves the original where it was.

    Raises
    ------
    HyperparameterError
        If `rng` is not a `numpy.random.Generator`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> rng = np.random.default_rng(0)
    >>> bool(pn.random.replicate(rng).random() == rng.random())
    True
    """
    if not isinstance(rng, np.random.Generator):
        raise HyperparameterError(
            f"replicate: rng is a numpy.random.Generator: got {shown(rng)}: make one with "
            "np.random.default_rng(seed)"
        )
    return copy.deepcopy(rng)
