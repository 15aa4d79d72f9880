"""A rule whose gradients are the means of those of all workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet.distributed.agreement import check_same
from portanet.distributed.collectives import check_plain
from portanet.distributed.group import current
from portanet.distributed.messages import allreduced, packed, unpacked
from portanet.interface import dtype_name
from portanet.optimizers.base import Array, RuleState, apply_rules
from portanet.optimizers.wrappers import Wrapper


@dataclass(frozen=True)
class DistributedOptimizer(Wrapper):
    r"""Step by the mean of the gradients of all workers.

    .. math:: \bar g = \frac{1}{n} \sum_{i=0}^{n-1} g_i

    It stands around all other rules: what clips or accumulates belongs inside. A training state
    with it is trained together: `portanet.training.train_step` and `portanet.training.fit` see to
    the rest.

    Parameters
    ----------
    rule : Rule
        What is done with the mean.

    Raises
    ------
    HyperparameterError
        If `rule` is no rule.
    DistributedError
        When a state is set up for parameters, on all workers, if those of two differ in their
        paths, shapes or dtypes, or have other rules; and if `initialize` was not called.
    TracedValueError
        In an update inside a recorded function, as it is inside another rule there.

    Notes
    -----
    All gradients of one dtype are one message. Those of 16 bits are added up in float32.

    A layer that draws does so on each worker on its own, from keys that are the same on all: worker
    i folds i into them for a step.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> rule = pn.distributed.DistributedOptimizer(pn.optimizers.SGD(0.5))
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(rule, ps)
    >>> pn.optimizers.update(state, ps, {"weight": np.asarray([1.0])})[1]
    {'weight': array([0.5])}
    """

    def by_parameter(self, paths: Sequence[str], xs: Sequence[Array]) -> list[Any]:
        lines = [
            f"{path} {dtype_name(x)} {tuple(x.shape)}" for path, x in zip(paths, xs, strict=True)
        ]
        check_same(current(), "the parameters", lines, "build the same model on all workers")
        check_same(current(), "the optimizer", [repr(self.rule)], "give all workers the same rule")
        return super().by_parameter(paths, xs)

    def init(self, x: Array) -> RuleState:
        return self.rule.init(x)

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[RuleState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[RuleState], list[Array]]:
        for g in gs:
            check_plain("a gradient for DistributedOptimizer, which stands around other rules,", g)
        means = allreduced(current(), packed(gs), "mean")
        return apply_rules([rule.rule for rule in rules], states, xs, unpacked(means, gs))
