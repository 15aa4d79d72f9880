"""Changing the course of training: adjust, freeze, thaw."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from portanet.errors import ArgumentError, HyperparameterError, ParameterTreeError, shown
from portanet.optimizers.base import with_fields
from portanet.optimizers.chains import OptimizerChain
from portanet.optimizers.scheduler import Scheduler
from portanet.optimizers.state import OptimizerState
from portanet.optimizers.wrappers import Wrapper

S = TypeVar("S")


def adjust(state: S, lr: float | None = None, /, *, path: str | None = None, **fields: Any) -> S:
    """Change hyperparameters in the middle of training; the means and counters stay.

    Parameters
    ----------
    state : OptimizerState or TrainState
        What to adjust.
    lr : float, optional
        The new learning rate, short for ``lr=...``.
    path : str, optional
        The dotted path of a parameter or a part, such as ``"layer_1"``. All by default.
    **fields
        New values of hyperparameters by name. Rules that lack the field, such as clipping in a
        chain, stay as they are; one that several rules of a chain have is refused.

    Returns
    -------
    OptimizerState or TrainState
        The adjusted copy.

    Raises
    ------
    HyperparameterError
        If no rule has a field of that name, several of one chain have it, or the value lies
        outside its range.
    ParameterTreeError
        If nothing is at `path`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> state = pn.optimizers.setup(pn.optimizers.SGD(0.1), {"weight": np.zeros(2)})
    >>> pn.optimizers.adjust(state, 0.01)
    OptimizerState
      weight  SGD(lr=0.01, momentum=0.0, nesterov=False, dampening=0.0)
    >>> pn.optimizers.adjust(state, momentum=0.9, nesterov=True)
    OptimizerState
      weight  SGD(lr=0.1, momentum=0.9, nesterov=True, dampening=0.0)
    """
    if lr is not None:
        if "lr" in fields:
            raise HyperparameterError(
                f"adjust: one learning rate: got {shown(lr)} and {shown(fields['lr'])}"
            )
        fields["lr"] = lr

    def changed(rules: list[Any]) -> list[Any]:
        different = list({id(rule): rule for rule in rules}.values())
        found = sorted({name for rule in different for name in _field_names(rule)})
        unknown = sorted(set(fields) - set(found))
        if unknown:
            raise HyperparameterError(f"adjust: no rule has {unknown}: the fields are {found}")
        for rule in different:
            _check_unambiguous(rule, fields)
        # Parameters that share a rule go on sharing one.
        new = {id(rule): _replaced(rule, fields) for rule in different}
        return [new[id(rule)] for rule in rules]

    def adjusted(inner: OptimizerState) -> OptimizerState:
        chosen, rules = _chosen(inner, path), list(inner.rules)
        for index, rule in zip(chosen, changed([rules[i] for i in chosen]), strict=True):
            rules[index] = rule
        return dataclasses.replace(inner, rules=tuple(rules))

    if path is None and not isinstance(state, OptimizerState):
        # A training state that is kept flat has one rule and need not be cut into arrays.
        flat = _with_optimizer(state).with_rule(lambda rule: changed([rule])[0])  # pyright: ignore
        if flat is not None:
            return flat
    return _on_optimizer_state(state, adjusted)


def _check_unambiguous(rule: Any, fields: dict[str, Any]) -> None:
    """One rule of a chain has each field: two learning rates mean different things."""
    if isinstance(rule, Wrapper):
        return _check_unambiguous(rule.rule, fields)
    for name in fields if isinstance(rule, OptimizerChain) else ():
        owners = [member for member in rule.rules if name in _field_names(member)]
        if len(owners) > 1:
            raise HyperparameterError(
                f"adjust: one rule of a chain has {name}: {len(owners)} have it, "
                f"{', '.join(map(repr, owners))}: set up an optimizer with the rules that you want"
            )


def _field_names(rule: Any) -> set[str]:
    if isinstance(rule, OptimizerChain):
        return {name for member in rule.rules for name in _field_names(member)}
    if isinstance(rule, Scheduler):
        return _field_names(rule.rule) - dict(rule.schedules).keys()
    if isinstance(rule, Wrapper):
        return _field_names(rule.rule) | (_names_of(type(rule)) - {"rule"})
    return _names_of(type(rule))


@cache
def _names_of(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _replaced(rule: Any, fields: dict[str, Any]) -> Any:
    if isinstance(rule, OptimizerChain):
        return OptimizerChain(*(_replaced(member, fields) for member in rule.rules))
    own = {name: value for name, value in fields.items() if name in _field_names(rule)}
    if isinstance(rule, Scheduler):
        return with_fields(rule, {"rule": _replaced(rule.rule, own)})
    if isinstance(rule, Wrapper):
        inner = {name: value for name, value in own.items() if name in _field_names(rule.rule)}
        own = {name: value for name, value in own.items() if name not in inner}
        own["rule"] = _replaced(rule.rule, inner)
    return dataclasses.replace(rule, **own) if own else rule


def freeze(state: S, path: str | None = None) -> S:
    """Let updates leave parameters, and the states of their rules, alone.

    Parameters
    ----------
    state : OptimizerState or TrainState
        What to freeze.
    path : str, optional
        The dotted path of a parameter or a part, such as ``"layer_1"``. All by default.

    Returns
    -------
    OptimizerState or TrainState
        The copy with frozen entries.

    Raises
    ------
    ParameterTreeError
        If nothing is at `path`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"layer_1": {"weight": np.zeros(2)}, "layer_2": {"weight": np.zeros(2)}}
    >>> state = pn.optimizers.setup(pn.optimizers.SGD(0.1), ps)
    >>> pn.optimizers.freeze(state, "layer_1")
    OptimizerState
      layer_1.weight  SGD(lr=0.1, momentum=0.0, nesterov=False, dampening=0.0)  (frozen)
      layer_2.weight  SGD(lr=0.1, momentum=0.0, nesterov=False, dampening=0.0)
    """
    return _on_optimizer_state(state, lambda inner: _with_flag(inner, path, True))


def thaw(state: S, path: str | None = None) -> S:
    """Let updates move frozen parameters again; the inverse of `freeze`.

    Parameters
    ----------
    state : OptimizerState or TrainState
        What to thaw.
    path : str, optional
        The dotted path of a parameter or a part. All by default.

    Returns
    -------
    OptimizerState or TrainState
        The copy with thawed entries.

    Raises
    ------
    ParameterTreeError
        If nothing is at `path`.
    """
    return _on_optimizer_state(state, lambda inner: _with_flag(inner, path, False))


def _with_flag(state: OptimizerState, path: str | None, flag: bool) -> OptimizerState:
    frozen = list(state.frozen)
    for index in _chosen(state, path):
        frozen[index] = flag
    return dataclasses.replace(state, frozen=tuple(frozen))


def _chosen(state: OptimizerState, path: str | None) -> list[int]:
    """Return the indices of the trained entries at or under `path`."""
    if path is not None and not isinstance(path, str):
        raise ParameterTreeError(f"path is a text such as 'layer_1.weight': got {shown(path)}")
    paths = state.paths()
    chosen = [
        index
        for index, name in enumerate(paths)
        if state.rules[index] is not None
        and (path is None or name == path or name.startswith(f"{path}."))
    ]
    if path is not None and not chosen:
        raise ParameterTreeError(f"no parameter at {shown(path)}: the paths are {paths}")
    return chosen


def _with_optimizer(state: Any) -> Any:
    """Return a training state; anything else is refused."""
    if isinstance(state, type) or not hasattr(state, "optimizer_state"):
        raise ArgumentError(f"state is an OptimizerState or a TrainState: got {shown(state)}")
    return state


def _on_optimizer_state(state: Any, change: Callable[[OptimizerState], OptimizerState]) -> Any:
    """Apply `change` to an optimizer state, or to that of a training state."""
    if isinstance(state, OptimizerState):
        return change(state)
    changed = change(_with_optimizer(state).optimizer_state)
    return dataclasses.replace(state, optimizer_state=changed)
