"""Replacing entries of a state tree: train mode, test mode, and whatever else a layer keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portanet.errors import ArgumentError, ParameterTreeError, shown
from portanet.trees import refuse_depth


def train_mode(st: Any) -> Any:
    """Return states in which every layer is in train mode: dropout drops, statistics move.

    States are in train mode after `setup`. `st` itself is not changed.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.train_mode({"layer_1": {}, "layer_2": {"training": False}})
    {'layer_1': {}, 'layer_2': {'training': True}}
    """
    return update_state(st, "training", True)


def test_mode(st: Any) -> Any:
    """Return states in which every layer is in test mode: nothing is dropped, statistics rest.

    `st` itself is not changed.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.test_mode({"layer_1": {}, "layer_2": {"training": True}})
    {'layer_1': {}, 'layer_2': {'training': False}}
    """
    return update_state(st, "training", False)


# Test runners take a function of this name for a test.
test_mode.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]


def update_state(
    st: Any, key: str, value: Any, exclude: Callable[[Any], bool] | None = None
) -> Any:
    """Return states in which every entry called `key`, at any depth, is `value`.

    States without such an entry come back as they are: what is generic over models need not know
    which of their layers keep it. `st` itself is not changed; its arrays are shared.

    Parameters
    ----------
    st : tree
        States, as `setup` made them.
    key : str
        The name of the entries to replace.
    value : object
        What they become.
    exclude : callable, optional
        Parts of the tree for which it returns true are left as they are.

    Raises
    ------
    ParameterTreeError
        If `st` is no tree, but for example the model.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.update_state({"cell": {"carry": 3.0}, "head": {}}, "carry", None)
    {'cell': {'carry': None}, 'head': {}}
    """
    if not isinstance(st, Mapping | list | tuple):
        raise ParameterTreeError(
            f"st is a tree of states, as in ps, st = pn.setup(rng, model): "
            f"got an object of type {type(st).__name__}"
        )
    if not isinstance(key, str):
        raise ArgumentError(f"update_state: key is the name of an entry: got {shown(key)}")
    if exclude is not None and not callable(exclude):
        raise ArgumentError(f"update_state: exclude is a function: got {shown(exclude)}")
    try:
        return _replaced(st, key, value, exclude)
    except RecursionError:
        refuse_depth()


def _replaced(st: Any, key: str, value: Any, exclude: Callable[[Any], bool] | None) -> Any:
    if exclude is not None and exclude(st):
        return st
    if isinstance(st, Mapping):
        return {
            name: value if name == key else _replaced(entry, key, value, exclude)
            for name, entry in st.items()
        }
    if isinstance(st, list | tuple):
        entries = [_replaced(entry, key, value, exclude) for entry in st]
        return type(st)(*entries) if hasattr(st, "_fields") else type(st)(entries)
    return st
