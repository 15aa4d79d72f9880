"""Layers side by side, and what becomes of their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portanet.core import Argument, Layer
from portanet.core.named import NamedLayers
from portanet.errors import HyperparameterError, ShapeError, shown


@dataclass(frozen=True, init=False)
class Branches(NamedLayers):
    """The base of layers side by side."""

    def _run_all(
        self, inputs: Iterable[Any], ps: Any, st: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        outputs, states = [], {}
        for name, x in zip(self.names, inputs, strict=True):
            y, states[name] = self.run(name, x, ps, st)
            outputs.append(y)
        return tuple(outputs), states

    def _join(
        self, name: str, outputs: tuple[Any, ...], ps: Any, st: Any, states: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Join `outputs` by the field `name`: a function gets them one by one, a layer as one."""
        join = getattr(self, name)
        if join is None:
            return outputs, states
        if not isinstance(join, Layer):
            return join(*outputs), states
        y, state = self.run(name, outputs, ps, st)
        return y, {**states, name: state}

    def _with_layer(self, name: str) -> Mapping[str, Layer]:
        layers = NamedLayers.children(self)
        join = getattr(self, name)
        return {**layers, name: join} if isinstance(join, Layer) else layers

    def _refuse_count(self, given: int, wanted: int) -> None:
        if given != wanted:
            raise ShapeError(
                f"len(x) == {wanted} for the {len(self)} layers of {self.display_name}: "
                f"{given} != {wanted}"
            )

    def _check_join(self, name: str, join: Any) -> None:
        if isinstance(join, type) or not (join is None or callable(join)):
            raise HyperparameterError(
                f"{type(self).__name__}: {name} is a function, a layer or None: got {shown(join)}"
            )


@dataclass(frozen=True, init=False)
class Parallel(Branches):
    r"""Layers side by side, each with its own input: :math:`y = c(f_1(x_1), \dots, f_n(x_n))`.

    Parameters
    ----------
    connection : callable, Layer or None
        What joins the outputs: a function that gets them one by one, a layer that gets their
        tuple, or None to return the tuple.
    *layers : Layer or callable
        The layers, as in `Chain`.
    **named : Layer or callable
        Layers with names of the user's choice.

    Raises
    ------
    ShapeError
        If the input is a tuple that is not as long as there are layers. An input that is no tuple
        goes to every layer.

    Notes
    -----
    Parameters and states: one entry for each layer, and ``connection`` if that is a layer.

    Examples
    --------
    >>> import operator
    >>> import portanet as pn
    >>> model = pn.Parallel(operator.add, lambda x: 2 * x, lambda x: x * x)
    >>> ps, st = pn.setup(0, model)
    >>> model((1.0, 3.0), ps, st)[0], model(3.0, ps, st)[0]
    (11.0, 15.0)
    """

    connection: Any

    def __init__(self, connection: Any, *layers: Any, **named: Any) -> None:
        self._check_join("connection", connection)
        self._set(layers, named, connection=connection)

    def children(self) -> Mapping[str, Layer]:
        return self._with_layer("connection")

    def arguments(self) -> list[Argument]:
        return [Argument("connection", self.connection, False), *super().arguments()]

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if isinstance(x, tuple | list):
            self._refuse_count(len(x), len(self))
        else:
            x = (x,) * len(self)
        outputs, states = self._run_all(x, ps, st)
        return self._join("connection", outputs, ps, st, states)


@dataclass(frozen=True, init=False)
class BranchLayer(Branches):
    r"""Layers side by side on one input: :math:`y = c(f_1(x), \dots, f_n(x))`.

    Unlike in `Parallel`, an input that is a tuple goes to every layer whole.

    Parameters
    ----------
    *layers : Layer or callable
        The layers, as in `Chain`.
    fusion : callable, Layer or None
        What joins the outputs: a function that gets them one by one, a layer that gets their
        tuple, or None to return the tuple.
    **named : Layer or callable
        Layers with names of the user's choice.

    Notes
    -----
    Parameters and states: one entry for each layer, and ``fusion`` if that is a layer.

    Examples
    --------
    >>> import portanet as pn
    >>> model = pn.BranchLayer(double=lambda x: 2 * x, square=lambda x: x * x)
    >>> model(3.0, *pn.setup(0, model))[0]
    (6.0, 9.0)
    """

    fusion: Any = None

    def __init__(self, *layers: Any, fusion: Any = None, **named: Any) -> None:
        self._check_join("fusion", fusion)
        self._set(layers, named, fusion=fusion)

    def children(self) -> Mapping[str, Layer]:
        return self._with_layer("fusion")

    def arguments(self) -> list[Argument]:
        given = [] if self.fusion is None else [Argument("fusion", self.fusion, True)]
        return [*super().arguments(), *given]

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        outputs, states = self._run_all((x,) * len(self), ps, st)
        return self._join("fusion", outputs, ps, st, states)


@dataclass(frozen=True, init=False)
class PairwiseFusion(Branches):
    r"""Layers in sequence, each joined with one more input.

    :math:`y_0 = x_1`, :math:`y_i = c(f_i(y_{i-1}), x_{i+1})` for :math:`i = 1, \dots, n`. The
    output is :math:`y_n`.

    Parameters
    ----------
    connection : callable or Layer
        What joins an output with the next input: a function of two arguments, or a layer that
        gets them as one tuple.
    *layers : Layer or callable
        The layers, as in `Chain`.
    **named : Layer or callable
        Layers with names of the user's choice.

    Raises
    ------
    ShapeError
        If the input is a tuple without one entry more than there are layers. An input that is no
        tuple is used in every place.

    Notes
    -----
    Parameters and states: one entry for each layer, and ``connection`` if that is a layer, whose
    states pass from one use to the next.

    Examples
    --------
    >>> import operator
    >>> import portanet as pn
    >>> model = pn.PairwiseFusion(operator.sub, lambda x: 2 * x, lambda x: x * x)
    >>> model((3.0, 1.0, 4.0), *pn.setup(0, model))[0]  # (2 * 3 - 1)**2 - 4
    21.0
    """

    connection: Any

    def __init__(self, connection: Any, *layers: Any, **named: Any) -> None:
        if connection is None:
            raise HyperparameterError(
                "PairwiseFusion: connection is a function or a layer: got None"
            )
        self._check_join("connection", connection)
        self._set(layers, named, connection=connection)

    def children(self) -> Mapping[str, Layer]:
        return self._with_layer("connection")

    def arguments(self) -> list[Argument]:
        return [Argument("connection", self.connection, False), *super().arguments()]

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if isinstance(x, tuple | list):
            self._refuse_count(len(x), len(self) + 1)
        else:
            x = (x,) * (len(self) + 1)
        y, states = x[0], {}
        for name, other in zip(self.names, x[1:], strict=True):
            y, states[name] = self.run(name, y, ps, st)
            y, states = self._join("connection", (y, other), ps, {**st, **states}, states)
        return y, states
