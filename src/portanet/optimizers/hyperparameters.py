"""The hyperparameters of a rule as a tree, and a rule with those of a tree."""

from __future__ import annotations

import dataclasses
from typing import Any

from portanet.errors import HyperparameterError
from portanet.optimizers.base import with_fields
from portanet.trees import Tree

_CLASS = "class"  # no field can be called that


def hyperparameters(rule: Any) -> Tree:
    """Return the numbers and texts in the fields of a rule, of its members and its schedules.

    A dict for each dataclass, with the name of its class; what is none, such as a function, is an
    empty one.

    Examples
    --------
    >>> import portanet as pn
    >>> from portanet.optimizers.hyperparameters import hyperparameters
    >>> hyperparameters(pn.optimizers.Momentum(0.1))
    {'class': 'Momentum', 'lr': 0.1, 'momentum': 0.9}
    """
    if rule is None or isinstance(rule, bool | int | float | str):
        return rule
    if isinstance(rule, tuple | list):
        return tuple(map(hyperparameters, rule))
    if not dataclasses.is_dataclass(rule):
        return {}
    values = {field.name: _value(rule, field) for field in dataclasses.fields(rule)}
    return {_CLASS: type(rule).__name__, **values}


def _value(rule: Any, field: dataclasses.Field[Any]) -> Tree:
    value = getattr(rule, field.name)
    # A float that somebody wrote as an integer may be any float in another rule.
    return float(value) if field.type in ("float", float) else hyperparameters(value)


def with_hyperparameters(rule: Any, tree: Tree) -> Any:
    """Return a rule with what `hyperparameters` gave for another one of its kind.

    Raises
    ------
    HyperparameterError
        If that one was of another kind, or a number is out of range.
    """
    if isinstance(rule, str) and rule != tree:
        raise HyperparameterError(f"the same rules: {tree!r} != {rule!r}")
    if rule is None or isinstance(rule, bool | int | float | str):
        return tree
    if isinstance(rule, tuple | list):
        return type(rule)(map(with_hyperparameters, rule, tree))
    if not dataclasses.is_dataclass(rule):
        return rule
    with_hyperparameters(type(rule).__name__, tree[_CLASS])
    names = [field.name for field in dataclasses.fields(rule)]
    changed = with_fields(
        rule, {name: with_hyperparameters(getattr(rule, name), tree[name]) for name in names}
    )
    if hasattr(changed, "__post_init__"):  # the range of the numbers
        changed.__post_init__()
    return changed
