"""One layer again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Container, as_layer


@dataclass(frozen=True)
class RepeatedLayer(Container):
    r"""One layer applied again and again, with the same parameters.

    :math:`y_0 = x`, :math:`y_i = f(y_{i-1})` for :math:`i = 1, \dots, n`; with input injection
    :math:`y_i = f((y_{i-1}, x))`. The output is :math:`y_n`.

    Parameters
    ----------
    model : Layer or callable
        The layer :math:`f`.
    repeats : int
        How often it is applied, at least once.
    input_injection : bool
        Whether each application gets the tuple of the last output and the input.

    Notes
    -----
    Parameters and states: ``model``. The states pass from one application to the next.

    Raises
    ------
    HyperparameterError
        If `repeats` is below 1 or not an integer.

    References
    ----------
    .. [1] Bai, Kolter and Koltun, "Deep Equilibrium Models", NeurIPS 2019.

    Examples
    --------
    >>> import portanet as pn
    >>> model = pn.RepeatedLayer(lambda x: 2 * x, repeats=3)
    >>> model(1.0, *pn.setup(0, model))[0]
    8.0
    """

    model: Any
    repeats: int = 10
    input_injection: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", as_layer(self.model, "RepeatedLayer"))
        checks.integers(self, "repeats")
        checks.flags(self, "input_injection")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        y = x
        for _ in range(self.repeats):
            y, state = self.run("model", (y, x) if self.input_injection else y, ps, st)
            st = {"model": state}
        return y, st
