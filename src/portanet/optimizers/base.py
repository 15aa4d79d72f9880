"""The protocol of an optimization rule: what becomes of one gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from portanet import checks
from portanet.interface import array_namespace
from portanet.tracing.record.host import RecordedNumber

Array = Any
RuleState = Any


class Rule:
    """The base of every rule: a frozen dataclass of hyperparameters with two methods.

    A rule holds no arrays. `init` makes the state of one parameter array: a tuple or dict of
    arrays and Python numbers, or ``()``. `apply` turns a gradient into a step. The parameter then
    moves against that step, ``x - dx``, so a rule that returns its gradient is plain descent with
    a learning rate of one. Both are pure: they change none of their arguments.

    Examples
    --------
    A rule of one's own takes these few lines:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import portanet as pn
    >>> @dataclass(frozen=True)
    ... class SignDescent(pn.optimizers.Rule):
    ...     lr: float = 0.01
    ...     def init(self, x):
    ...         return ()
    ...     def apply(self, state, x, g):
    ...         xp = pn.array_namespace(g)
    ...         return state, self.lr * xp.sign(g)
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(SignDescent(0.5), ps)
    >>> pn.optimizers.update(state, ps, {"weight": np.asarray([3.0, -4.0])})[1]
    {'weight': array([0.5, 2.5])}
    """

    elementwise: ClassVar[bool] = False
    """Whether each element of a step depends only on the same element of the other arrays."""

    varying: ClassVar[tuple[str, ...]] = ()
    """The hyperparameters that `portanet.training.train_step` takes as inputs of its program.

    Others are constants there: a step with another value is recorded anew. `apply` calculates
    with a varying one by ``+``, ``-``, ``*``, ``/`` and ``**``, and branches on none.
    """

    def by_parameter(self, paths: Sequence[str], xs: Sequence[Array]) -> list[Any]:
        """Return the rule of each array of a tree: this one, unless it is made of several.

        `setup` asks once, with the dotted paths of the arrays and the arrays themselves.
        """
        return [self] * len(paths)

    def check(self, x: Array) -> None:
        """Raise an error of the family if this rule cannot train the array `x`.

        A complex array is otherwise stepped as one of its real and imaginary parts, which have a
        last axis of their own.
        """

    def init(self, x: Array) -> RuleState:
        """Return the state of the parameter array `x` before its first step."""
        raise NotImplementedError(f"{type(self).__name__} has no init(self, x)")

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        """Return the next state and the step for the parameter `x` with the gradient `g`.

        The step has the shape and dtype of `x`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no apply(self, state, x, g)")

    @property
    def joinable(self) -> bool:
        """Whether `apply` may step all arrays of a tree as one vector.

        True of what is elementwise, and of a rule that looks at all arrays in any case.
        """
        return self.elementwise

    @property
    def separable(self) -> bool:
        """Whether the steps of some arrays, as one vector, do not depend on the other arrays."""
        return self.elementwise

    def numbers(self) -> tuple[float, ...]:
        """Return the values of the varying hyperparameters."""
        return tuple(getattr(self, name) for name in self.varying)

    def with_numbers(self, numbers: Sequence[Any]) -> Any:
        """Return this rule with other varying hyperparameters, which are not checked."""
        return with_fields(self, dict(zip(self.varying, numbers, strict=True)))

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[RuleState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[RuleState], list[Array]]:
        """Apply one rule of this class to each array of a tree.

        The rules may differ in their hyperparameters. A rule whose steps depend on the gradients
        of the other arrays, such as `ClipGlobalNorm`, overrides this.
        """
        new_states: list[RuleState] = []
        steps: list[Array] = []
        for rule, state, x, g in zip(rules, states, xs, gs, strict=True):
            state, step = rule.apply(state, x, g)
            new_states.append(state)
            steps.append(step)
        return new_states, steps


def check_rule(owner: Any, rule: Any, name: str) -> None:
    """Raise `HyperparameterError` unless `rule`, which `owner` calls `name`, is a rule."""
    if not isinstance(rule, Rule):
        checks.refuse(owner, f"{name} is a rule such as pn.optimizers.Adam(0.001)", rule)


def apply_rules(
    rules: Sequence[Any], states: Sequence[RuleState], xs: Sequence[Array], gs: Sequence[Array]
) -> tuple[list[RuleState], list[Array]]:
    """Apply each rule to its array; those of one class see each other."""
    kinds = dict.fromkeys(map(type, rules))
    if len(kinds) == 1:
        return type(rules[0]).apply_all(rules, states, xs, gs)
    new_states, steps = list(states), list(gs)
    for kind in kinds:
        places = [place for place, rule in enumerate(rules) if type(rule) is kind]
        columns = [[column[place] for place in places] for column in (rules, states, xs, gs)]
        for place, state, step in zip(places, *kind.apply_all(*columns), strict=True):
            new_states[place], steps[place] = state, step
    return new_states, steps


def each_once(make: Callable[[Any], Any], rules: Sequence[Any]) -> list[Any]:
    """Return what `make` makes of each rule; parameters that share a rule go on sharing one."""
    known = {id(rule): make(rule) for rule in {id(rule): rule for rule in rules}.values()}
    return [known[id(rule)] for rule in rules]


def number_at(step: Any, function: Callable[[int], float]) -> Any:
    """Return a number that depends on the step, such as one that needs a branch on it.

    `function` can be hashed. A recorded step calls it at each replay.
    """
    return step.given_to(function) if is_recorded(step) else float(function(int(step)))


def is_recorded(step: Any) -> bool:
    """Whether a count has another value in each call, so that nothing can branch on it."""
    return isinstance(step, RecordedNumber)


def with_fields(rule: Any, fields: Mapping[str, Any]) -> Any:
    """Return a copy of `rule` with fields that are taken as they are."""
    if not fields:
        return rule
    other = copy.copy(rule)
    for name, value in fields.items():
        object.__setattr__(other, name, value)
    return other


@cache
def bits(xp: Any, dtype: Any) -> int:
    """Return the width of a floating dtype."""
    return xp.finfo(dtype).bits


def cast(xp: Any, x: Array, dtype: Any) -> Array:
    """Return `x` in `dtype`, itself if it has it."""
    return x if x.dtype == dtype else xp.astype(x, dtype)


def cast_like(x: Array, like: Array) -> Array:
    """Return `x` in the dtype of `like`, an array of the same library."""
    return cast(array_namespace(x, like), x, like.dtype)


def zero_mean(x: Array) -> Array:
    """Zeros like `x`, in float32 where the dtype of `x` is too narrow for squared gradients."""
    xp = array_namespace(x)
    if bits(xp, x.dtype) < 32:
        return xp.zeros_like(x, dtype=xp.float32)
    return xp.zeros_like(x)
