"""The contract between portanet and an array library."""

from __future__ import annotations

import functools
import importlib.util
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, TypeVar

import numpy as np

from portanet import tape
from portanet.errors import ArgumentError, BackendNotAvailableError, DeviceError
from portanet.interface import host_random
from portanet.interface.functions import Functions
from portanet.once import once
from portanet.tape.ops.card import Card
from portanet.tape.rule import Rule

Array = Any
Function = Callable[..., Sequence[Array]]
F = TypeVar("F", bound=Callable[..., Any])


class Backend(Functions):
    """One array library: its namespace, devices, transfer, derivatives and random draws.

    A subclass names the library and supplies what is abstract here. A library without
    differentiation of its own derives from `TapeBackend` and needs little more than transfer.

    Attributes
    ----------
    name : str
        The name under which users ask for it.
    modules : tuple of str
        Top-level modules of its array types: how an array is recognised without an import.
    distribution : str
        What pip installs.
    jit : str
        How `portanet.jit` speeds a function up: ``"source"`` by NumPy's calls on memory that is
        kept, ``"calls"`` by the recorded calls of the library, ``"library"`` by the library's own
        compiler, `compile`; ``"none"`` runs it as it is.
    wide_kernels : frozenset of str
        The native kernels that work numbers of 16 bits out in float32 themselves, where their
        arrays are not traced by the tape.
    fuses : bool
        Whether ``"calls"`` does chains of elementwise operations by single kernels, which
        ``elementwise_kernel`` makes of a `portanet.tracing.plan.fused_text.Text`, and those with
        reductions by what ``row_kernel`` makes of a `portanet.tracing.plan.fused_rows.RowText`
        for a shape.
    compile_modes : tuple of str
        What users can ask of `compile` as its `mode`.
    compiles_slowly : bool
        Whether that takes so long that only functions given to `portanet.jit` are worth it.
    differentiates_itself : bool
        Whether `vjp` and `jvp` are the library's own, and not those of the tape.
    hides_traces : bool
        Whether arrays that are being differentiated are of the same class as others.
    own_draws : bool
        Whether the random numbers of a key are others than NumPy's.
    gpu_order : int or None
        When `portanet.gpu_device` asks for its accelerators: small numbers first. None for a
        library of the host alone.
    plain : Backend or None
        The adapter of the same arrays whose place this one takes at times, if it is not its own.
    observes : str
        What `observe` shows operations of: ``"calls"`` as they run, or ``"programs"`` made of a
        function first, during which there are no values.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the cached properties of an adapter such that all threads get the same object."""
        super().__init_subclass__(**options)
        for name, value in list(vars(cls).items()):
            if type(value) is functools.cached_property:
                shared = once(value.func)
                shared.__set_name__(cls, name)
                setattr(cls, name, shared)

    jit: ClassVar[str] = "none"
    wide_kernels: ClassVar[frozenset[str]] = frozenset()
    fuses: ClassVar[bool] = False
    compile_modes: ClassVar[tuple[str, ...]] = ()
    compiles_slowly: ClassVar[bool] = False
    differentiates_itself: ClassVar[bool] = True
    hides_traces: ClassVar[bool] = False
    own_draws: ClassVar[bool] = False
    observes: ClassVar[str] = "calls"
    gpu_order: ClassVar[int | None] = 10
    plain: Backend | None = None
    modules: ClassVar[tuple[str, ...]]
    distribution: ClassVar[str]

    @property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        """Native bodies for functions of `portanet.functional`, by name."""
        return {}

    def native(self, card: Card) -> Callable[..., Any] | None:
        """Return the library's own body of a function of `portanet.functional`, None without one.

        That is one of `kernels`, or the library's function of NumPy's name that the card gives.
        """
        own = self.kernels.get(card.name)
        if own is None and isinstance(card.numpy, str):
            own = getattr(getattr(self.xp, "raw", self.xp), card.numpy, None)
        return own

    def ruled(self, function: Callable[..., Any], rule: Rule) -> Callable[..., Any]:
        """Return a generic body with `rule` as its derivative, where the library's own may differ.

        By default it is `function` itself, differentiated through its operations.
        """
        return function

    def holds(self, kind: type) -> bool:
        """Whether objects of class `kind` are arrays of this library, plain or traced."""
        modules = {base.__module__.partition(".")[0] for base in kind.__mro__}
        ours = not modules.isdisjoint(self.modules)
        return ours and hasattr(kind, "shape") and hasattr(kind, "dtype")

    def unavailable_reason(self) -> str | None:
        """Return why the library cannot be used here, or None if it can."""
        if importlib.util.find_spec(self.modules[0]) is None:
            return f'not installed: pip install "{self.distribution}"'
        return None

    def require(self) -> None:
        """Raise `BackendNotAvailableError` if the library cannot be used here."""
        reason = self.unavailable_reason()
        if reason is not None:
            raise BackendNotAvailableError(f"backend {self.name!r} is {reason}")

    def version(self) -> str | None:
        """Return the installed version without importing the library, None without one."""
        from importlib import metadata

        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None

    def devices(self) -> list[Any]:
        """Return the devices that arrays can live on, the default one first."""
        return ["cpu"]

    def parse_device(self, text: str | None) -> Any:
        """Return the library's device for a text such as ``"cuda:0"``; None is the default."""
        devices = self.devices()
        if text is None:
            return devices[0]
        for device in devices:
            if self.device_name(device) == text:
                return device
        raise DeviceError(
            f"{self.name} has no device {text!r}; it has {list(map(self.device_name, devices))}"
        )

    def device_name(self, device: Any) -> str:
        """Return the text of a device; `parse_device` reads it."""
        return str(device)

    def accelerators(self) -> list[Any]:
        """Return those of `devices` that are faster than the host, the best one first."""
        return []

    def device_of(self, x: Array) -> Any:
        """Return the device of a plain or traced array."""
        return tape.strip(x).device

    @abstractmethod
    def from_numpy(self, x: np.ndarray, device: Any = None) -> Array:
        """Return a NumPy array as one of this library, with its dtype, on `device`."""

    @abstractmethod
    def to_numpy(self, x: Array) -> np.ndarray:
        """Return an array of this library as a NumPy array, with its dtype."""

    def on(self, device: Any) -> AbstractContextManager[Any]:
        """Return a context in which `device` is the current one, if the library has such."""
        return nullcontext()

    def following(self, function: F) -> F:
        """Return a function of arrays that works on their device, if the library has a current one.

        Here that is the function itself.
        """
        return function

    def receive(self, x: Array, source: Backend, device: Any) -> Array:
        """Return an array of the backend `source` as one of this library, on `device`."""
        moved = self.from_numpy(source.to_numpy(x), device)
        if source.dtype_name(x.dtype) == "bfloat16" and hasattr(self.xp, "bfloat16"):
            return self.xp.astype(moved, self.dtype("bfloat16"))  # NumPy lacks it: it was float32
        return moved

    def cuda_export(self, x: Array) -> Any:
        """Return what another library takes over by DLPack where `x` lies on a CUDA device.

        None if it lies elsewhere, or cannot be had without a copy on the host.
        """
        return None

    def transfer(self, x: Array, device: Any) -> Array:
        """Move an array between two devices of this library."""
        return x if self.device_of(x) == device else x.to_device(device)

    def is_traced(self, x: Array) -> bool:
        """Whether an array is inside a derivative, a batch or a compilation."""
        return isinstance(x, tape.Box)

    def uniform(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        """Draw uniform numbers in [0, 1) with the dtype and on the device of `like`."""
        return self._draw(host_random.uniform, words, shape, like)

    def normal(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        """Draw standard normal numbers with the dtype and on the device of `like`."""
        return self._draw(host_random.normal, words, shape, like)

    def random_key_words(self, x: Any) -> tuple[str, np.ndarray] | None:
        """Return the algorithm and the words of a random key of the library's own, None of others.

        Here there are none.
        """
        return None

    def random_key(self, algorithm: str, words: np.ndarray) -> Any:
        """Return the library's random key of which `random_key_words` told."""
        raise ArgumentError(f"backend {self.name!r} has no random keys of its own")

    def _draw(
        self,
        draw: Callable[..., np.ndarray],
        words: tuple[int, int],
        shape: tuple[int, ...],
        like: Array,
    ) -> Array:
        name = self.dtype_name(like.dtype)
        wide = name in ("float64", "float32", "longdouble", "float128")
        host = draw(words, shape, np.dtype(name) if wide else name)
        array = self.from_numpy(host, self.device_of(like))
        return array if wide else self.xp.astype(array, like.dtype)

    def fingerprint(self, x: Array) -> Any:
        """Return what differs when something was written into a plain array, None if nothing can.

        It is compared by ``==``. Here it is a copy of the content.
        """
        return self.to_numpy(x).tobytes()

    def may_share_memory(self, x: Array, y: Array) -> bool:
        """Whether what is written into one plain array may be read from another."""
        return x is y

    def joins(self, parameters: Sequence[Array], others: Sequence[Array] = ()) -> bool:
        """Whether a step of training that runs as it is does better on vectors.

        That is so of a few small parameters, where a call of the library costs more than what it
        computes. They and `others`, which belong to the optimizer, are then plain arrays of one
        device, and no derivative or batch is under way.
        """
        return False

    def join(self, arrays: Sequence[Array]) -> Array:
        """Return the numbers of arrays, plain or traced, as one vector."""
        xp = self.xp
        return xp.concat([xp.reshape(x, (-1,)) for x in arrays])

    def cut(self, vector: Array, shapes: Sequence[tuple[int, ...]]) -> Sequence[Array]:
        """Return the arrays of these shapes that `join` made a vector of."""
        xp, start, parts = self.xp, 0, []
        for shape in shapes:
            end = start + math.prod(shape)
            parts.append(xp.reshape(vector[start:end], shape))
            start = end
        return parts

    def synchronize(self, device: Any = None) -> None:
        """Wait until `device` has finished its work, if the library has queues."""
