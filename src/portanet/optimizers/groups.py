"""Rules by parameter: another one for each group, or one for some parameters alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from portanet import checks
from portanet.errors import ParameterTreeError, shown
from portanet.optimizers.base import Array, Rule, RuleState, check_rule

Where: TypeAlias = str | Callable[[str, Array], bool]
"""A choice of parameters: the dotted path of one or of a part, or ``where(path, x)``."""


@dataclass(frozen=True, init=False, repr=False)
class Groups(Rule):
    """Another rule for each group of parameters.

    Parameters
    ----------
    groups : dict
        From the choice of a group to its rule. A choice is the dotted path of a parameter or of a
        part, such as ``"layer_1"``, or a function ``where(path, x)`` of the path and the array
        that returns True or False. A parameter belongs to the first group that chooses it.
    default : Rule
        The rule of the other parameters.

    Raises
    ------
    HyperparameterError
        If a group has no rule, or no choice.
    ParameterTreeError
        In `setup`, if nothing is at a path.

    Notes
    -----
    `setup` asks for the choices once; the state holds for each parameter the rule that it got,
    which `adjust` changes. In a chain, what stands in front of `Groups` sees all parameters.

    Examples
    --------
    Matrices by `Muon`, a head at a rate of its own, and the rest by `Adam`:

    >>> import numpy as np
    >>> import portanet as pn
    >>> opt = pn.optimizers
    >>> rule = opt.Groups(
    ...     {"head": opt.SGD(0.1), lambda path, x: x.ndim == 2: opt.Muon(0.02)},
    ...     default=opt.Adam(0.001),
    ... )
    >>> ps = {"body": {"weight": np.ones((2, 2)), "bias": np.ones(2)}, "head": np.ones(2)}
    >>> state = opt.setup(opt.chain(opt.ClipGlobalNorm(1.0), rule), ps)
    >>> for path, leaf in zip(state.paths(), pn.trees.leaves(state.rules)):
    ...     print(path, type(leaf.rules[1]).__name__)
    body.bias Adam
    body.weight Muon
    head SGD
    """

    groups: tuple[tuple[Where, Rule], ...]
    default: Rule

    def __init__(self, groups: Mapping[Where, Rule], default: Rule) -> None:
        if not isinstance(groups, Mapping):
            checks.refuse(self, "groups is a dict from a path or a function to a rule", groups)
        for where, rule in groups.items():
            _check_choice(self, where)
            check_rule(self, rule, f"the rule of {shown(where)}")
        check_rule(self, default, "default")
        object.__setattr__(self, "groups", tuple(groups.items()))
        object.__setattr__(self, "default", default)

    def __repr__(self) -> str:
        groups = ", ".join(f"{where!r}: {rule!r}" for where, rule in self.groups)
        return f"Groups({{{groups}}}, {self.default!r})"

    def by_parameter(self, paths: Sequence[str], xs: Sequence[Array]) -> list[Any]:
        rules: list[Any] = self.default.by_parameter(paths, xs)
        for where, rule in reversed(self.groups):
            own = rule.by_parameter(paths, xs)
            for place in chosen_places(where, paths, xs):
                rules[place] = own[place]
        return rules


@dataclass(frozen=True)
class Masked(Rule):
    """A member of a chain that acts on chosen parameters; the others' gradients pass it by.

    Parameters
    ----------
    rule : Rule
        A decay or a clipping. One with a learning rate is refused: its parameters belong into
        `Groups`, since the gradients of the others would be their steps.
    where : str or callable
        The choice: the dotted path of a parameter or of a part, or a function ``where(path, x)``
        of the path and the array that returns True or False.

    Raises
    ------
    HyperparameterError
        If an argument is of another kind; in `setup`, if a parameter is left without any rule.
    ParameterTreeError
        In `setup`, if nothing is at the path.

    Examples
    --------
    No decay of biases and scales:

    >>> import numpy as np
    >>> import portanet as pn
    >>> decay = pn.optimizers.Masked(pn.optimizers.WeightDecay(0.5), lambda path, x: x.ndim > 1)
    >>> rule = pn.optimizers.chain(decay, pn.optimizers.SGD(0.1))
    >>> ps = {"weight": np.ones((1, 2)), "bias": np.ones(2)}
    >>> state = pn.optimizers.setup(rule, ps)
    >>> zeros = {"weight": np.zeros((1, 2)), "bias": np.zeros(2)}
    >>> pn.optimizers.update(state, ps, zeros)[1]
    {'weight': array([[0.95, 0.95]]), 'bias': array([1., 1.])}
    """

    rule: Rule
    where: Where

    def __post_init__(self) -> None:
        check_rule(self, self.rule, "rule")
        _check_choice(self, self.where)
        if any(hasattr(rule, "lr") for rule in rules_in(self.rule)):
            checks.refuse(
                self, "rule has no learning rate: one that has belongs into Groups", self.rule
            )

    def by_parameter(self, paths: Sequence[str], xs: Sequence[Array]) -> list[Any]:
        chosen = set(chosen_places(self.where, paths, xs))
        passing = Passing()
        rules = self.rule.by_parameter(paths, xs)
        return [rule if place in chosen else passing for place, rule in enumerate(rules)]


def rules_in(value: Any) -> list[Rule]:
    """Return a rule, and those that it is made of."""
    if isinstance(value, tuple):
        return [rule for part in value for rule in rules_in(part)]
    if not isinstance(value, Rule):
        return []
    fields = vars(value).values()
    return [value, *(rule for part in fields for rule in rules_in(part))]


@dataclass(frozen=True)
class Passing(Rule):
    """What a parameter has in the place of a rule that is masked: its gradient stays as it is."""

    elementwise = True

    def init(self, x: Array) -> RuleState:
        return ()

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        return state, g


def chosen_places(where: Where, paths: Sequence[str], xs: Sequence[Array]) -> list[int]:
    """Return the places of the parameters that are chosen; a path that leads nowhere is refused."""
    if callable(where):
        return [place for place, row in enumerate(zip(paths, xs, strict=True)) if where(*row)]
    places = [i for i, path in enumerate(paths) if path == where or path.startswith(f"{where}.")]
    if not places:
        raise ParameterTreeError(f"no parameter at {shown(where)}: the paths are {list(paths)}")
    return places


def _check_choice(rule: Any, where: Any) -> None:
    if not (isinstance(where, str) or callable(where)):
        checks.refuse(rule, "a choice is a path or a function where(path, x)", where)
