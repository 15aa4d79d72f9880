"""The errors of portanet: one family, the same class on every backend.

Each error is also a subclass of the builtin that a user would catch. The place that fails states
the relation that does not hold; every container on the way out adds its child's name, so that
the message begins with the path of the layer: ``model.layer_3.query: ...``.
"""

from __future__ import annotations

from portanet.listing import listing

__all__ = [
    "ArgumentError",
    "BackendMismatchError",
    "BackendNotAvailableError",
    "CallbackError",
    "CheckpointError",
    "ChildNameError",
    "DTypeError",
    "DeviceError",
    "DistributedError",
    "ExportError",
    "HyperparameterError",
    "IndexRangeError",
    "NoDerivativeError",
    "NonFiniteError",
    "ParameterTreeError",
    "PortanetError",
    "ShapeError",
    "StorageError",
    "TracedValueError",
]
__dir__ = listing(__all__)


class PortanetError(Exception):
    """The base of every error that portanet raises.

    Parameters
    ----------
    message : str
        The relation that failed, with names, shapes, dtypes or devices, and what to do instead.

    Attributes
    ----------
    path : tuple of str
        The names of the layers from the outermost container to the one that failed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.path:
            return self.message
        return f"{'.'.join(('model', *self.path))}: {self.message}"


class ShapeError(PortanetError, ValueError):
    """Shapes, ranks or sizes that do not fit together."""


class IndexRangeError(ShapeError, IndexError):
    """An index, a label or the number of a segment that an array has no place for."""


class DTypeError(PortanetError, TypeError):
    """Data types that do not fit together, or integers where floats are needed."""


class DeviceError(PortanetError, ValueError):
    """Arrays that live on different devices, or a device that does not exist."""


class BackendMismatchError(PortanetError, TypeError):
    """Arrays of two libraries in one operation, or an object that is no array."""


class BackendNotAvailableError(PortanetError, ImportError):
    """A backend that is unknown, not installed, or without its hardware."""


class DistributedError(PortanetError, RuntimeError):
    """Workers that disagree, one that is gone, or a group that has not been started."""


class ExportError(PortanetError, RuntimeError):
    """What is exported computes other numbers than the function that it was made of."""


class HyperparameterError(PortanetError, ValueError):
    """A hyperparameter outside its domain."""


class ArgumentError(PortanetError, ValueError, TypeError):
    """An argument of a verb that is of the wrong kind or out of range."""


class ParameterTreeError(PortanetError, KeyError):
    """A parameter or state tree that lacks an entry or has the wrong structure."""


class ChildNameError(PortanetError, AttributeError, KeyError):
    """A child name or index that a container does not have."""


class NoDerivativeError(PortanetError, NotImplementedError):
    """An operation that has no derivative rule, or not the one that was asked for."""


class NonFiniteError(PortanetError, FloatingPointError):
    """A NaN, or an infinity, where `portanet.debug` looks for one."""


class CallbackError(PortanetError, RuntimeError):
    """A callback of training that failed; what it raised is the cause."""


class CheckpointError(PortanetError, ValueError):
    """A checkpoint that is not there, is damaged, or of a version that is not known here."""


class StorageError(PortanetError, OSError):
    """A checkpoint that the system did not write or read, such as on a full disk.

    The attribute `errno` is that of its cause.
    """


class TracedValueError(PortanetError, TypeError):
    """A traced array used where only a concrete one can be."""


def shown(value: object) -> str:
    """Return an argument as text for a message: short, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # too deep, too many digits, or a fault of its own
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_LONGEST = 300
"""Characters of a value in a message: a whole array of three rows, not one of a thousand."""


def located(error: Exception, name: str) -> Exception:
    """Put `name` in front of the path of an error on its way out of a container.

    An error of another family cannot carry a path: it gets a note for each container it passes.
    """
    if isinstance(error, PortanetError):
        error.path = (name, *error.path)
    else:
        error.add_note(f"in layer {name!r}")
    return error
