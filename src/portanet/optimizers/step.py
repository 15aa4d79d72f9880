"""Making the state of an optimizer, and taking a step with it."""

from __future__ import annotations

from typing import Any

from portanet import trees
from portanet.errors import (
    ArgumentError,
    DTypeError,
    HyperparameterError,
    ParameterTreeError,
    PortanetError,
    ShapeError,
    shown,
)
from portanet.interface import array_namespace, backend_of, beside, dtype_name, same_dtype
from portanet.optimizers.base import Rule, RuleState, apply_rules
from portanet.optimizers.chains import OptimizerChain
from portanet.optimizers.complex_parts import as_given, as_real, is_complex
from portanet.optimizers.groups import Passing, rules_in
from portanet.optimizers.state import (
    OptimizerState,
    array_like,
    check_structure,
    dotted_paths,
    flatten_entries,
    name_of,
)
from portanet.optimizers.wrappers import Wrapper
from portanet.trees import Tree


def setup(rule: Rule, ps: Tree) -> OptimizerState:
    """Make the state of `rule` for every array of the parameters.

    Integer arrays, numbers, strings and None are carried along and never trained.

    Parameters
    ----------
    rule : Rule
        What is done with each gradient.
    ps : tree
        The parameters: a tree whose leaves are arrays.

    Returns
    -------
    OptimizerState
        A tree that mirrors `ps`.

    Raises
    ------
    HyperparameterError
        If `rule` is not a rule.
    ShapeError, DTypeError
        If `rule` cannot train one of the arrays, as `Muon` what is no matrix.
    ParameterTreeError
        If a path in `Groups` or `Masked` leads nowhere.

    Notes
    -----
    A complex parameter is stepped by its real and imaginary parts, as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.optimizers.setup(pn.optimizers.Adam(0.03), {"weight": np.zeros((2, 3))})
    OptimizerState
      weight  Adam(lr=0.03, betas=(0.9, 0.999), epsilon=1e-08)
    """
    if not isinstance(rule, Rule):
        raise HyperparameterError(
            f"setup(rule, ps): the rule is a portanet.optimizers.Rule: got {shown(rule)}: pass a "
            f"rule such as pn.optimizers.Adam(0.001) first, then the parameters"
        )
    xs, structure = flatten_entries(ps)
    paths = dotted_paths(structure)
    places = [place for place, x in enumerate(xs) if _is_trained(x)]
    names, arrays = [paths[place] for place in places], [xs[place] for place in places]
    rules: list[Rule | None] = [None] * len(xs)
    states: list[RuleState] = [()] * len(xs)
    for place, own in zip(places, rule.by_parameter(names, arrays), strict=True):
        _check_rule(own, paths[place], xs[place])
        rules[place], states[place] = own, own.init(as_real(xs[place]))
    return OptimizerState(structure, tuple(rules), tuple(states), (False,) * len(xs))


def _is_trained(x: Any) -> bool:
    return array_like(x) and backend_of(x).is_floating(x.dtype)


def _check_rule(rule: Rule, path: str, x: Any) -> None:
    """Raise unless `rule`, which a parameter got, moves it and can train it."""
    alone = [own for own in rules_in(rule) if not isinstance(own, OptimizerChain | Wrapper)]
    if all(isinstance(own, Passing) for own in alone):
        raise HyperparameterError(
            f"{name_of(path)} has a rule: there is only a Masked one that leaves it out: chain it "
            f"with a rule for all, or use pn.optimizers.Groups"
        )
    try:
        rule.check(x)
    except PortanetError as error:
        raise type(error)(f"{name_of(path)}: {error.message}") from None


def update(state: OptimizerState, ps: Tree, grads: Tree) -> tuple[OptimizerState, Tree]:
    """Move every parameter by one step against its gradient.

    Everything is checked before anything is computed, and no argument is changed. A gradient of
    None skips its parameter entirely: neither the parameter nor the state of its rule moves, and
    no step is counted. That differs from a gradient of zeros, by which means decay and momentum
    carries on. A frozen parameter is skipped in the same way.

    Parameters
    ----------
    state : OptimizerState
        From `setup` or the last update.
    ps : tree
        The parameters.
    grads : tree
        Their gradients, or None in the place of one.

    Returns
    -------
    state : OptimizerState
        The next state.
    ps : tree
        The next parameters, with the shapes and dtypes of `ps`.

    Raises
    ------
    ParameterTreeError
        If `ps` or `grads` is built otherwise than the parameters given to `setup`.
    ShapeError, DTypeError, BackendMismatchError
        If a gradient differs from its parameter in shape, dtype or library.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0]), "bias": np.asarray([3.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.SGD(0.5), ps)
    >>> grads = {"weight": np.asarray([1.0, -1.0]), "bias": None}
    >>> state, ps = pn.optimizers.update(state, ps, grads)
    >>> ps
    {'weight': array([0.5, 2.5]), 'bias': array([3.])}
    """
    if not isinstance(state, OptimizerState):
        raise ArgumentError(
            f"update: state is what pn.optimizers.setup(rule, ps) returned: got {shown(state)}"
        )
    xs, structure = flatten_entries(ps)
    gs, grads_structure = flatten_entries(grads)
    if structure != state.structure:
        check_structure(state.structure, structure, "parameters")
    if grads_structure != structure:
        check_structure(structure, grads_structure, "gradients")
    active = []
    for index, g in enumerate(gs):
        if g is None or state.rules[index] is None:
            continue
        x = xs[index]
        if type(x) is not type(g) or x.shape != g.shape or x.dtype != g.dtype:
            _check_gradient(structure, index, x, g)
        if not state.frozen[index]:
            active.append(index)
    if not active:
        return state, ps
    return beside(xs[active[0]], _moved)(state, xs, gs, active)


def _moved(
    state: OptimizerState, xs: list[Any], gs: list[Any], active: list[int]
) -> tuple[OptimizerState, Tree]:
    """Take a step with the arrays at some places."""
    structure = state.structure
    split = _has_complex([xs[index] for index in active])
    new_states, steps = apply_rules(
        [state.rules[index] for index in active],
        [state.states[index] for index in active],
        [as_real(xs[index]) if split else xs[index] for index in active],
        [as_real(gs[index]) if split else gs[index] for index in active],
    )
    states = list(state.states)
    for index, rule_state, dx in zip(active, new_states, steps, strict=True):
        moved = xs[index] - (as_given(dx, xs[index]) if split else dx)
        # NumPy makes scalars of results without axes: what was an array stays one.
        if not moved.shape:
            moved, rule_state = trees.map_leaves(_as_array, (moved, rule_state))
        xs[index], states[index] = moved, rule_state
    state = OptimizerState(structure, state.rules, tuple(states), state.frozen)
    return state, trees.unflatten(structure, xs)


def _has_complex(xs: list[Any]) -> bool:
    """Whether one of the arrays is complex; as a rule they are all of one dtype."""
    first = xs[0].dtype
    for x in xs:
        if x.dtype is not first:
            return any(map(is_complex, xs))
    return is_complex(xs[0])


def _as_array(x: Any) -> Any:
    return array_namespace(x).asarray(x) if array_like(x) else x


def _check_gradient(structure: trees.TreeStructure, index: int, x: Any, g: Any) -> None:
    name = name_of(dotted_paths(structure)[index])
    if not (array_like(x) and array_like(g)):
        raise ParameterTreeError(
            f"{name}: parameter and gradient are arrays: got {type(x).__name__} and "
            f"{type(g).__name__}"
        )
    array_namespace(x, g)
    if x.shape != g.shape:
        raise ShapeError(
            f"{name}: gradient.shape == parameter.shape: {tuple(g.shape)} != {tuple(x.shape)}"
        )
    if not same_dtype(x, g):
        raise DTypeError(
            f"{name}: gradient.dtype == parameter.dtype: {dtype_name(g)} != {dtype_name(x)}: "
            f'convert it with pn.astype(grads, "{dtype_name(x)}")'
        )
