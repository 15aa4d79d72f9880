"""What the recurrent cells share: their weights, their initial carry and the call of one step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from portanet import checks
from portanet.control import scan
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.errors import HyperparameterError, ShapeError, shown
from portanet.functional import linear
from portanet.initializers import zeros
from portanet.interface import array_namespace, device_of
from portanet.layers._weights import symmetric
from portanet.layers.recurrent._input import parts_of_carry

Init = Callable[..., np.ndarray]


@sized_by_input(in_features=lambda x: last_size(x[0] if isinstance(x, tuple) else x))
class RecurrentCell(Layer):
    """The base of cells with a product of the input and one of the hidden state.

    A subclass is a dataclass with the fields `in_features`, `out_features`, `use_bias`,
    `init_weight`, `init_recurrent_weight` and `init_bias`; it names its carry and writes `step`.
    The products of all inputs of a sequence need no carry: `project` takes them together.

    Attributes
    ----------
    gates : int
        How many vectors of `out_features` the products give.
    carried : dict
        For each array of the carry, first the output, the field that says whether it is trained
        and the one with its initializer.
    """

    gates: ClassVar[int]
    carried: ClassVar[dict[str, tuple[str, str]]]
    in_features: checks.Size
    out_features: int
    use_bias: bool
    init_weight: Init | tuple[Init, ...] | None
    init_recurrent_weight: Init | tuple[Init, ...] | None
    init_bias: Init | tuple[Init, ...] | None

    @abstractmethod
    def step(self, projected: Any, carry: tuple[Any, ...], ps: Any) -> tuple[Any, ...]:
        """Return the next carry; `projected` is what `project` gave for the input."""

    def __post_init__(self) -> None:
        checks.optional_integers(self, "in_features")
        checks.integers(self, "out_features")
        checks.flags(self, "use_bias")
        for name in ("init_weight", "init_recurrent_weight", "init_bias"):
            self._check_initializer(name)
        for trained, initializer in self.carried.values():
            checks.flags(self, trained)
            checks.optional_functions(self, initializer)

    def _check_initializer(self, name: str) -> None:
        given = getattr(self, name)
        if not isinstance(given, tuple | list):
            checks.optional_functions(self, name)
        elif self.gates == 1 or len(given) != self.gates or not all(map(callable, given)):
            raise HyperparameterError(
                f"{type(self).__name__}: {name} is an initializer"
                + (f" or a tuple of {self.gates}, one a gate" if self.gates > 1 else "")
                + f": got {shown(given)}"
            )
        else:
            object.__setattr__(self, name, tuple(given))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        n = self.out_features
        recurrent = self.init_recurrent_weight or self.init_weight
        parameters = {
            "weight_ih": self._draw(rng, self.init_weight, (n, self.in_features)),
            "weight_hh": self._draw(rng, recurrent, (n, n)),
        }
        if self.use_bias:
            parameters["bias_ih"] = self._draw(rng, self.init_bias, (n,))
            parameters["bias_hh"] = self._draw(rng, self.init_bias, (n,))
        return {**parameters, **self._initial_carry(rng, trained=True)}

    def _draw(self, rng: np.random.Generator, init: Any, shape: tuple[int, ...]) -> np.ndarray:
        init = init or symmetric(self.out_features)
        each = init if isinstance(init, tuple) else (init,) * self.gates
        return np.concatenate([draw(rng, shape) for draw in each])

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return self._initial_carry(rng, trained=False)

    def _initial_carry(self, rng: np.random.Generator, trained: bool) -> dict[str, Any]:
        """Draw what the carry starts from, unless it is zero once and for all."""
        return {
            name: (getattr(self, init) or zeros())(rng, (self.out_features,))
            for name, (train, init) in self.carried.items()
            if getattr(self, train) == trained and (trained or getattr(self, init) is not None)
        }

    def initial_carry(self, batch: tuple[int, ...], x: Any, ps: Any, st: Any) -> tuple[Any, ...]:
        """Return the carry before the first step: arrays like `x`, (*batch, out_features)."""
        xp = array_namespace(x)
        shape = *batch, self.out_features
        if None in shape:
            raise ShapeError(
                f"the batch, for which the carry begins, is known: it is {batch}: give the library "
                f"the sizes, or a carry with the input"
            )
        carry = []
        for name, (train, init) in self.carried.items():
            if getattr(self, train) or getattr(self, init) is not None:
                tree, what = (ps, "ps") if getattr(self, train) else (st, "st")
                start = checks.member(tree, name, shape[-1:], "(out_features,)", what)
                checks.same_kind("x", x, f'{what}["{name}"]', start)
                carry.append(xp.broadcast_to(start, shape))
            else:
                carry.append(xp.zeros(shape, dtype=x.dtype, device=device_of(x)))
        return tuple(carry)

    def project(self, x: Any, ps: Any) -> Any:
        """Return the input's part of the gates: (..., in_features) to (..., gates · out)."""
        return linear(x, ps["weight_ih"], ps["bias_ih"] if self.use_bias else None)

    def recur(self, hidden: Any, ps: Any) -> Any:
        """Return the hidden state's part of the gates."""
        return linear(hidden, ps["weight_hh"], ps["bias_hh"] if self.use_bias else None)

    def weights(self, ps: Any) -> tuple[Any, ...]:
        """Return the weights and the biases, None where there are none."""
        biases = (ps["bias_ih"], ps["bias_hh"]) if self.use_bias else (None, None)
        return ps["weight_ih"], ps["weight_hh"], *biases

    def along(
        self, x: Any, carry: tuple[Any, ...], ps: Any, reverse: bool
    ) -> tuple[Any, tuple[Any, ...]]:
        """Return the outputs and the last carry for a sequence along the first axis of `x`."""

        def step(carry: Any, projected: Any) -> tuple[Any, Any]:
            carry = self.step(projected, carry, ps)
            return carry, carry[0]

        carry, outputs = scan(step, carry, self.project(x, ps), reverse=reverse)
        return outputs, carry

    def check(self, x: Any, ps: Any) -> None:
        """Refuse an input or parameters of other shapes, dtypes or devices."""
        n, size, relation = self.out_features, self.gates * self.out_features, "out_features"
        relation = relation if self.gates == 1 else f"{self.gates} · {relation}"
        shape = size, self.in_features
        weight = checks.member(ps, "weight_ih", shape, f"({relation}, in_features)")
        others = {"weight_hh": ((size, n), f"({relation}, out_features)")}
        if self.use_bias:
            others |= {name: ((size,), f"({relation},)") for name in ("bias_ih", "bias_hh")}
        for name, (shape, text) in others.items():
            checks.alike("ps", name, checks.member(ps, name, shape, text), "weight_ih", weight)
        checks.last_axis("x", x, self.in_features, "in_features")
        checks.same_kind("x", x, "weight_ih", weight)

    def check_carry(self, carry: Any, batch: tuple[int, ...], x: Any) -> tuple[Any, ...]:
        """Return the carry that was handed in: arrays like `x`, (*batch, out_features)."""
        carry = parts_of_carry(carry, len(self.carried), f" ({', '.join(self.carried)})")
        shape = *batch, self.out_features
        for name, part in zip(self.carried, carry, strict=True):
            checks.shape_of(name, part, shape, "(*batch, out_features)")
            checks.same_kind(name, part, "x", x)
        return carry

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.in_features is None:
            return call_resolved(self, x, ps, st)
        x, carry = checks.one_or_pair(x, "carry")
        self.check(x, ps)
        if carry is None:
            carry = self.initial_carry(x.shape[:-1], x, ps, st)
        else:
            carry = self.check_carry(carry, x.shape[:-1], x)
        carry = self.step(self.project(x, ps), carry, ps)
        return (carry[0], carry), st
