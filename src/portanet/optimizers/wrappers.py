"""Rules around a rule: gradients that accumulate, and parameters kept in more digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet import checks, trees
from portanet.interface import array_namespace
from portanet.optimizers.base import (
    Array,
    Rule,
    RuleState,
    apply_rules,
    bits,
    cast_like,
    check_rule,
    each_once,
    is_recorded,
    with_fields,
    zero_mean,
)
from portanet.tracing.record.host import Counter


@dataclass(frozen=True)
class Wrapper(Rule):
    """The base of a rule around another one, which decides how it is applied."""

    rule: Rule

    def __post_init__(self) -> None:
        check_rule(self, self.rule, "rule")

    @property
    def elementwise(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.rule.elementwise

    @property
    def joinable(self) -> bool:
        return self.rule.joinable

    @property
    def separable(self) -> bool:
        return self.rule.separable

    def numbers(self) -> tuple[float, ...]:
        return self.rule.numbers()

    def with_numbers(self, numbers: Sequence[Any]) -> Any:
        return with_fields(self, {"rule": self.rule.with_numbers(numbers)})

    def by_parameter(self, paths: Sequence[str], xs: Sequence[Array]) -> list[Any]:
        rules = self.rule.by_parameter(paths, xs)
        return each_once(lambda rule: with_fields(self, {"rule": rule}), rules)

    def check(self, x: Array) -> None:
        self.rule.check(x)

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        (state,), (dx,) = self.apply_all([self], [state], [x], [g])
        return state, dx


@dataclass(frozen=True)
class Accumulate(Wrapper):
    r"""Gather gradients, and step by their mean every so many updates.

    .. math:: \bar g = \frac{1}{n} \sum_{i=1}^{n} g_i

    In between neither the parameters nor the state of the inner rule move: `n` small batches train
    like one that is `n` times as large, if the loss is a mean.

    Parameters
    ----------
    rule : Rule
        What is done with the mean. What clips or decays belongs inside.
    every : int
        The number :math:`n` of gradients, at least 1.

    Raises
    ------
    HyperparameterError
        If `rule` is no rule, or `every` no integer above 0.

    Notes
    -----
    The sum is in float32 for parameters of less than 32 bits. Each parameter counts its own
    gradients. Where steps are recorded, the inner rule is worked out at each update and its result
    is left out in between.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> rule = pn.optimizers.Accumulate(pn.optimizers.SGD(1.0), every=2)
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(rule, ps)
    >>> for g in (0.25, 0.75):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([g])})
    ...     print(ps)
    {'weight': array([1.])}
    {'weight': array([0.5])}
    """

    every: int

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.integers(self, "every")

    def init(self, x: Array) -> RuleState:
        return Counter(0), zero_mean(x), self.rule.init(x)

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[RuleState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[RuleState], list[Array]]:
        sums = [s[1] + cast_like(g, s[1]) for s, g in zip(states, gs, strict=True)]
        new_states = [(s[0] + 1, total, s[2]) for s, total in zip(states, sums, strict=True)]
        steps = [array_namespace(x).zeros_like(x) for x in xs]
        due = [place for place in range(len(xs)) if rules[place]._may_step(states[place][0])]
        if not due:
            return new_states, steps
        means = [cast_like(sums[i] / rules[i].every, xs[i]) for i in due]
        inner = [[column[i] for i in due] for column in ([r.rule for r in rules], xs)]
        rows = apply_rules(inner[0], [states[i][2] for i in due], inner[1], means)
        for place, own, step in zip(due, *rows, strict=True):
            before = states[place][0], sums[place], states[place][2]
            new_states[place], steps[place] = rules[place]._stepped(before, own, step)
        return new_states, steps

    def _may_step(self, count: Any) -> bool:
        return is_recorded(count) or (count + 1) % self.every == 0

    def _stepped(self, before: Any, inner: RuleState, step: Array) -> tuple[RuleState, Array]:
        """Return the state and the step of an update at which the inner rule steps."""
        count, total, inner_before = before
        xp = array_namespace(step, total)
        nothing, empty = xp.zeros_like(step), xp.zeros_like(total)
        if not is_recorded(count):
            return (count + 1, empty, inner), step
        due = (count + 1) // self.every - count // self.every  # 1 at each `every`th, else 0
        return (
            (count + 1, selected(due, empty, total), selected(due, inner, inner_before)),
            selected(due, step, nothing),
        )


def selected(due: Any, new: Any, old: Any) -> Any:
    """Return the tree `new` where a recorded number is 1, and `old` where it is 0."""

    def leaf(new: Any, old: Any) -> Any:
        if isinstance(old, Counter) or is_recorded(old):
            return old + (new - old) * due
        xp = array_namespace(new, old)
        return xp.where(xp.zeros_like(new) + due > 0.5, new, old)

    return trees.map_leaves(leaf, new, old)


@dataclass(frozen=True)
class MasterWeights(Wrapper):
    """Train parameters of 16 bits in float32.

    A step of a thousandth of a weight is lost in bfloat16, which has three digits. The state holds
    the parameter in float32: the inner rule moves that one, by gradients in float32, and the
    parameter follows, rounded. Parameters of 32 bits and more are trained as by the inner rule.

    Parameters
    ----------
    rule : Rule
        What moves the parameter in float32.

    Raises
    ------
    HyperparameterError
        If `rule` is no rule.

    Notes
    -----
    The parameter is what `setup` was given and updates have made of it: one that is replaced in
    between by another keeps its old master. `portanet.training.mixed_precision` keeps parameters
    in float32 altogether.

    References
    ----------
    .. [1] P. Micikevicius et al., "Mixed precision training", ICLR 2018, arXiv:1710.03740.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.ones(1, np.float16)}
    >>> rule = pn.optimizers.MasterWeights(pn.optimizers.SGD(1e-4))
    >>> state = pn.optimizers.setup(rule, ps)
    >>> for _ in range(10):  # each step is less than half the distance to the next number
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.ones(1, np.float16)})
    >>> ps
    {'weight': array([0.999], dtype=float16)}
    """

    def init(self, x: Array) -> RuleState:
        xp = array_namespace(x)
        if bits(xp, x.dtype) >= 32:
            return (), self.rule.init(x)
        master = xp.astype(x, xp.float32)
        return (master,), self.rule.init(master)

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[RuleState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[RuleState], list[Array]]:
        masters = [s[0][0] if s[0] else x for s, x in zip(states, xs, strict=True)]
        wide = [cast_like(g, master) for g, master in zip(gs, masters, strict=True)]
        inner, steps = apply_rules([r.rule for r in rules], [s[1] for s in states], masters, wide)
        new_states: list[RuleState] = []
        for place, (x, master) in enumerate(zip(xs, masters, strict=True)):
            if not states[place][0]:
                new_states.append(((), inner[place]))
                continue
            master = master - steps[place]
            new_states.append(((master,), inner[place]))
            steps[place] = x - cast_like(master, x)
        return new_states, steps
