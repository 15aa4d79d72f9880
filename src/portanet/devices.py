"""Devices: where arrays live, and moving whole trees of them there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from portanet import tape, trees
from portanet.errors import (
    ArgumentError,
    BackendNotAvailableError,
    DeviceError,
    DTypeError,
    PortanetError,
    TracedValueError,
    shown,
)
from portanet.interface import (
    Backend,
    backend_of,
    dtype_name,
    every_backend,
    get_backend,
    is_array,
)


@dataclass(frozen=True, repr=False)
class Device:
    """An array library and one of its devices: a value, and a function that moves trees there.

    Make one with `device`. Calling it returns the tree with every array, plain and of any known
    library, moved; an array that is there already is returned as it is, others are copied, except
    between CuPy and Torch on one GPU, where they share memory. A `portanet.data.DataLoader` becomes
    one whose batches are moved. Whatever else is no array stays.

    Parameters
    ----------
    backend : str
        The name of the library.
    name : str
        The name of the device in that library.

    Raises
    ------
    DTypeError
        When called, if the device cannot hold the dtype of an array. No dtype is ever changed.
    TracedValueError
        When called, if an array that is being differentiated would leave its library.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> host = pn.device("numpy")
    >>> host
    device("numpy:cpu")
    >>> host({"weight": np.ones(2), "training": True})
    {'weight': array([1., 1.]), 'training': True}
    """

    backend: str
    name: str

    def __repr__(self) -> str:
        return f'device("{self}")'

    def __str__(self) -> str:
        return f"{self.backend}:{self.name}"

    def __call__(self, tree: Any) -> Any:
        target = get_backend(self.backend)
        place = target.parse_device(self.name)
        leaves, structure = trees.flatten(tree)
        for i, x in enumerate(leaves):
            if not is_array(x):
                if hasattr(type(x), "on_device"):
                    leaves[i] = x.on_device(self)
                continue
            try:
                leaves[i] = _moved(x, target, place)
            except PortanetError:
                raise
            except (TypeError, ValueError) as error:
                raise DTypeError(
                    f"{_path(tree, i)}: {self} cannot hold dtype {dtype_name(x)}: convert the "
                    'tree first, for example with pn.astype(tree, "float32")'
                ) from error
            if leaves[i] is not x and dtype_name(leaves[i]) != dtype_name(x):
                raise DTypeError(
                    f"{_path(tree, i)}: {target.name} has no dtype {dtype_name(x)}: convert the "
                    f'tree first with pn.astype(tree, "{dtype_name(leaves[i])}")'
                )
        return trees.unflatten(structure, leaves)


def _moved(x: Any, target: Backend, place: Any) -> Any:
    source = backend_of(x)
    if isinstance(x, tape.Box):
        if source is target and source.device_of(x) == place:
            return x
        raise TracedValueError(
            "an array that is being differentiated cannot change its device: move the inputs of "
            "the function instead"
        )
    return target.transfer(x, place) if source is target else target.receive(x, source, place)


def _path(tree: Any, position: int) -> str:
    path = trees.flatten_with_paths(tree)[position][0]
    return f"tree.{path}" if path else "array"


def device(text: str) -> Device:
    """Return the device called `text`.

    Parameters
    ----------
    text : str
        The name of a library, ``"numpy"``, ``"torch"``, ``"jax"``, ``"cupy"`` or
        ``"array_api_strict"``, alone for its default device or with one of its own:
        ``"torch:cuda:0"``, ``"torch:mps"``, ``"cupy:1"``, ``"array_api_strict:device1"``.

    Returns
    -------
    Device

    Raises
    ------
    BackendNotAvailableError
        If the library is unknown, not installed, or without its hardware.
    DeviceError
        If the library has no such device.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.device("numpy") == pn.cpu_device()
    True
    >>> pn.device("numpy:gpu")
    Traceback (most recent call last):
    portanet.errors.DeviceError: numpy has no device 'gpu'; it has ['cpu']
    """
    if not isinstance(text, str):
        raise DeviceError(
            f'a device is named by a text such as "numpy" or "torch:cuda:0", not {shown(text)}'
        )
    name, _, place = text.partition(":")
    backend = get_backend(name)
    return Device(name, backend.device_name(backend.parse_device(place or None)))


def cpu_device() -> Device:
    """Return the device of NumPy, on the host.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.cpu_device()
    device("numpy:cpu")
    """
    return Device("numpy", "cpu")


def gpu_device(force: bool = False, backend: str | None = None) -> Device:
    """Return the best GPU that can be used here, or the host if there is none.

    Libraries are asked in this order: CuPy, Torch (CUDA before MPS), then the others.

    Parameters
    ----------
    force : bool, default False
        Raise an error instead of falling back to the host.
    backend : str, optional
        Ask only this library.

    Returns
    -------
    Device
        With one warning a process if it is that of the host.

    Raises
    ------
    BackendNotAvailableError
        With `force`, if there is no GPU: the reason of each library. Always, if `backend` is
        unknown.

    Examples
    --------
    >>> import warnings
    >>> import portanet as pn
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     device = pn.gpu_device()
    >>> x = device([1.0, 2.0])
    """
    if not isinstance(force, bool):
        raise ArgumentError(f"gpu_device: force is True or False: got {shown(force)}")
    if not isinstance(backend, str | None):
        raise ArgumentError(f"gpu_device: backend is the name of a library: got {shown(backend)}")
    known = every_backend()
    if backend is not None and backend not in known:
        get_backend(backend)
    with_gpus = [adapter for adapter in known.values() if adapter.gpu_order is not None]
    with_gpus.sort(key=attrgetter("gpu_order"))
    reasons = {}
    for adapter in [known[backend]] if backend else with_gpus:
        reason = adapter.unavailable_reason()
        if reason is None:
            found = adapter.accelerators()
            if found:
                return Device(adapter.name, adapter.device_name(found[0]))
            reason = "installed but sees no GPU"
        reasons[adapter.name] = reason
    summary = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    if force:
        raise BackendNotAvailableError(f"no GPU can be used here ({summary})")
    _warn_once(f"no GPU can be used here, computing on the host with NumPy ({summary})")
    return cpu_device()


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)


def get_device(tree: Any) -> Device | None:
    """Return the device of all arrays in a tree, plain or traced, or None if it has no arrays.

    Raises
    ------
    DeviceError
        If two arrays live on different devices, with the paths of both.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.get_device({"weight": np.ones((3, 2)), "training": True})
    device("numpy:cpu")
    """
    found: tuple[Device, int] | None = None
    for i, x in enumerate(trees.leaves(tree)):
        if not is_array(x):
            continue
        backend = backend_of(x)
        here = Device(backend.name, backend.device_name(backend.device_of(x)))
        if found is None:
            found = here, i
        elif here != found[0]:
            raise DeviceError(
                f"one device for the whole tree: {_path(tree, found[1])} on {found[0]} != "
                f"{_path(tree, i)} on {here}: move all of it with pn.device(...)(tree)"
            )
    return None if found is None else found[0]
