"""Proving a layer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

import portanet as pn
from portanet import trees
from portanet.core import test_mode, train_mode
from portanet.errors import PortanetError
from portanet.interface import available, backend_of, is_array
from portanet.testing import arguments
from portanet.testing.compare import Snapshot, assert_close, assert_same_kind, move, require
from portanet.testing.rules import check_rule, is_floating

_MODES = {"train": train_mode, "test": test_mode}


def check_layer(
    layer: pn.Layer,
    *inputs: Any,
    backends: Iterable[str] | None = None,
    order: int = 2,
    names: Mapping[str, Any] | None = None,
    rtol: float = 1e-7,
    atol: float = 1e-8,
) -> None:
    """Check that a layer keeps the contract, in train and in test mode.

    - It is a value: equal to its copies and to what its printed form constructs, and hashable.
    - One seed gives the same parameters, in float32; a batch without samples is computed or
      refused by an error of `portanet.errors`.
    - It is pure: no argument is changed, a second call returns the same, and the states keep
      their structure, shapes and dtypes.
    - dtype and device are kept, in float32 and float64.
    - Every library computes the same numbers in float64.
    - Its derivatives in both modes and the second one are those of finite differences.

    Parameters
    ----------
    layer : Layer
    *inputs : tree
        NumPy arrays, batch first, away from kinks of the layer; several are given to the layer as
        one tuple.
    backends : iterable of str, optional
        The libraries to check on; by default all that can be used here.
    order : int
        1 leaves the second derivative out.
    names : mapping, optional
        What the printed form of the layer mentions beyond the names of portanet and the classes
        of its layers: your own functions by their names.
    rtol, atol : float
        How closely derivatives agree with finite differences.

    Raises
    ------
    AssertionError
        With the part of the contract that does not hold.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.random.default_rng(0).normal(size=(4, 3))
    >>> pn.testing.check_layer(pn.Dense(3, 2, pn.tanh), x, backends=["numpy"])
    """
    if not isinstance(layer, pn.Layer):
        arguments.refuse("layer is a portanet.Layer", layer)
    if not (names is None or isinstance(names, Mapping)):
        arguments.refuse("names is a dict of objects by their names", names)
    arguments.check_order(order)
    arguments.check_numbers(rtol=rtol, atol=atol)
    chosen = arguments.names_of(backends, _usable())
    _check_value(layer, names or {})
    x = inputs[0] if len(inputs) == 1 else inputs
    ps, st = pn.setup(7, layer)
    assert_close(pn.setup(7, layer), (ps, st), 0.0, 0.0, "two setups with one seed")
    for mode, switch in _MODES.items():
        expected = layer(*_double((x, ps, switch(st)), "numpy"))
        for backend in chosen:
            adapter = pn.backends.get_backend(backend)
            where = f"{layer!r} on {backend}, {mode} mode"
            for device in _devices(backend):
                with adapter.on(device):
                    for dtype in ("float32", "float64"):
                        given = pn.astype(move((x, ps, switch(st)), backend, device), dtype)
                        _check_call(f"{where}, {dtype}", layer, *given)
            given = _double((x, ps, switch(st)), backend)
            if not (mode == "train" and _draws(st) and adapter.own_draws):
                assert_close(
                    layer(*given), expected, 1e-10, 1e-12, f"{where}: result, beside NumPy's"
                )
            _check_empty(where, layer, *given)
            if any(map(is_floating, trees.leaves(given[:2]))):
                _check_slopes(where, layer, *given, order=order, rtol=rtol, atol=atol)


def _usable() -> list[str]:
    return [name for name, reason in available().items() if reason is None]


def _devices(backend: str) -> list[Any]:
    """Return the devices that hold float64, the default one first."""
    adapter = pn.backends.get_backend(backend)
    usable = []
    for device in adapter.devices():
        try:
            adapter.from_numpy(np.ones(1), device)
        except (TypeError, ValueError):
            continue
        usable.append(device)
    return usable


def _draws(st: Any) -> bool:
    """Whether states hold the key of random numbers."""
    return any(isinstance(leaf, pn.random.Key) for leaf in trees.leaves(st))


def _double(tree: Any, backend: str) -> Any:
    return pn.astype(move(tree, backend), "float64")


def _check_value(layer: Any, names: Mapping[str, Any]) -> None:
    known = {**vars(pn), **{type(part).__name__: type(part) for part in _parts(layer)}, **names}
    text = repr(layer)
    try:
        again = eval(text, known)
    except Exception as error:
        raise AssertionError(f"{text} constructs no layer ({error}): give names=") from error
    require(again == layer, f"the layer that {text} constructs is not equal to it")
    require(copy.deepcopy(layer) == layer, f"{text}: a copy is not equal to it")
    try:
        same = hash(layer) == hash(again)
    except TypeError as error:
        raise AssertionError(f"{text}: a layer is hashable: {error}") from error
    require(same, f"{text}: equal layers have different hashes")


def _parts(layer: Any) -> Iterator[Any]:
    yield layer
    if isinstance(layer, pn.Container):
        for child in layer.children().values():
            yield from _parts(child)


def _check_call(where: str, layer: Any, x: Any, ps: Any, st: Any) -> None:
    before = Snapshot(x=x, ps=ps, st=st)
    try:
        y, new = layer(x, ps, st)
    except (TypeError, ValueError) as error:
        before.check()
        raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
    _checked(where, before)
    given = [a for a in trees.leaves((x, ps)) if is_array(a)]
    home = _home(given[0]) if given else None
    dtypes = {a.dtype for a in given if is_floating(a)}
    for a in (a for a in trees.leaves((y, new)) if is_array(a)):
        require(home in (None, _home(a)), f"{where}: {home} goes in, {_home(a)} comes out")
        fits = not dtypes or not is_floating(a) or a.dtype in dtypes
        require(fits, f"{where}: {dtypes} goes in, {a.dtype} comes out")
    assert_same_kind(new, st, f"{where}: new state")
    assert_close(layer(x, ps, st), (y, new), 0.0, 0.0, f"{where}: a second call")
    _checked(where, before)


def _checked(where: str, before: Snapshot) -> None:
    try:
        before.check()
    except AssertionError as error:
        raise AssertionError(f"{where}: {error} by the call") from None


def _home(x: Any) -> str:
    backend = backend_of(x)
    return f"{backend.name}:{backend.device_name(backend.device_of(x))}"


def _check_empty(where: str, layer: Any, x: Any, ps: Any, st: Any) -> None:
    full = layer(x, ps, st)[0]
    try:
        empty = layer(trees.map_leaves(lambda a: a[:0, ...] if is_array(a) else a, x), ps, st)[0]
    except PortanetError:
        return
    except Exception as error:
        message = f"{where}, a batch without samples: {type(error).__name__}: {error}"
        raise AssertionError(message) from error
    expected = trees.map_leaves(lambda a: a[:0, ...] if is_array(a) else a, full)
    assert_same_kind(empty, expected, f"{where}: result of a batch without samples")


def _check_slopes(where: str, layer: Any, x: Any, ps: Any, st: Any, **options: Any) -> None:
    def output(x: Any, ps: Any) -> Any:
        like = next(filter(is_floating, trees.leaves((x, ps))))
        states = pn.astype(st, backend_of(like).dtype_name(like.dtype))
        return layer(x, ps, states)[0]

    output.__name__ = where
    check_rule(output, x, ps, **options)
