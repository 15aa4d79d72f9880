"""JAX: its own differentiation, on the CPU and on accelerators."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.errors import DeviceError, DTypeError, TracedValueError
from portanet.interface.backend import Array, Backend, Function
from portanet.random import Key
from portanet.tape.rule import Rule

_KEY = "PRNGKeyArray"
"""The class of its random keys, which are no arrays to calculate with."""


class JaxBackend(Backend):
    """Arrays of JAX, differentiated by JAX. Devices are called as there: ``cpu:0``, ``gpu:1``.

    Inside ``jax.jit`` an array has no device yet: `device_of` is None there, which places new
    arrays beside it.
    """

    name = "jax"
    modules = ("jax", "jaxlib")
    distribution = "jax"
    jit = "library"
    observes = "programs"

    @cached_property
    def xp(self) -> Any:
        from portanet.backends.jax import namespace

        return namespace.namespace()

    @cached_property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        from portanet.backends.jax.kernels import KERNELS

        return KERNELS

    def ruled(self, function: Callable[..., Any], rule: Rule) -> Callable[..., Any]:
        from portanet.backends.jax.namespace import Ruled

        return Ruled(function.__name__, function, rule, self.xp)

    @cached_property
    def _jax(self) -> Any:
        import jax

        return jax

    @cached_property
    def _autodiff(self) -> Any:
        from portanet.backends.jax import autodiff

        return autodiff

    def devices(self) -> list[Any]:
        found = list(self._jax.local_devices())
        if found[0].platform != "cpu":
            with contextlib.suppress(RuntimeError):  # switched off by the user
                found += self._jax.local_devices(backend="cpu")
        return found

    def accelerators(self) -> list[Any]:
        return [device for device in self.devices() if device.platform != "cpu"]

    def parse_device(self, text: str | None) -> Any:
        """Return a device by its platform and number; the platform alone is its first."""
        devices = self.devices()
        if text is None:
            return devices[0]
        for device in devices:
            if text in (self.device_name(device), device.platform):
                return device
        raise DeviceError(f"jax has no device {text!r}; it has {[*map(self.device_name, devices)]}")

    def device_name(self, device: Any) -> str:
        device = device or self.parse_device(None)
        return f"{device.platform}:{device.id}"

    def device_of(self, x: Array) -> Any:
        while isinstance(x, self._jax.core.Tracer):
            x = getattr(x, "primal", None)
        return None if x is None else x.device

    def holds(self, kind: type) -> bool:
        other = kind.__name__ in (_KEY, "ShapeDtypeStruct")
        return super().holds(kind) and not other

    def random_key_words(self, x: Any) -> tuple[str, np.ndarray] | None:
        if type(x).__name__ != _KEY or not super().holds(type(x)):
            return None
        return str(self._jax.random.key_impl(x)), np.asarray(self._jax.random.key_data(x))

    def random_key(self, algorithm: str, words: np.ndarray) -> Any:
        return self._jax.random.wrap_key_data(self._jax.numpy.asarray(words), impl=algorithm)

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Array:
        self._check_width(x.dtype)
        return self._jax.numpy.array(x, device=device)

    def to_numpy(self, x: Array) -> np.ndarray:
        """Return an array as one of NumPy; bfloat16, which NumPy lacks, as an exact float32."""
        if isinstance(x, self._jax.core.Tracer):
            raise TracedValueError(
                "an array that jax is tracing cannot become a NumPy array, which would lose its "
                "derivative: keep it on jax, or return it from the traced function first"
            )
        return np.array(x, np.float32 if x.dtype == self._jax.numpy.bfloat16 else None)

    def receive(self, x: Array, source: Backend, device: Any) -> Array:
        if device.platform == "gpu" and source.device_name(source.device_of(x)).startswith("cuda"):
            return self._jax.numpy.from_dlpack(x, device=device, copy=True)
        return super().receive(x, source, device)

    def transfer(self, x: Array, device: Any) -> Array:
        return x if self.device_of(x) == device else self._jax.device_put(x, device)

    def dtype(self, name: str) -> Any:
        dtype = np.dtype(super().dtype(name))
        self._check_width(dtype)
        return dtype

    def dtype_name(self, dtype: Any) -> str:
        return np.dtype(dtype).name

    def _check_width(self, dtype: np.dtype) -> None:
        """Refuse what JAX would narrow without a word: 64 bits while they are switched off."""
        if dtype.itemsize < 8 or dtype == np.complex64 or self._jax.config.jax_enable_x64:
            return
        if dtype.name in ("float64", "int64", "uint64", "complex128"):
            narrow = "complex64" if dtype.kind == "c" else dtype.name.replace("64", "32")
            raise DTypeError(
                f"jax has no {dtype.name} while its 64-bit numbers are off: switch them on with "
                'jax.config.update("jax_enable_x64", True) before the first array is made, or '
                f"convert to {narrow} first"
            )

    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        return self._autodiff.vjp(function, primals)

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        return self._autodiff.jvp(function, primals, tangents)

    def vmap(
        self, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
    ) -> list[Array | None]:
        return list(self._jax.vmap(function, tuple(axes))(*arrays))

    def scan(
        self,
        step: Callable[..., tuple[list[Array], list[Array]]],
        carry: Sequence[Array],
        xs: Sequence[Array],
        length: int,
        reverse: bool,
    ) -> tuple[list[Array], list[Array]] | None:
        """Run a compiled loop; one of Python where the carry holds a key, a value of the host."""
        if any(isinstance(x, Key) for x in carry):
            return None
        return self._jax.lax.scan(step, list(carry), list(xs), length, reverse)

    def observe(
        self, function: Function, arrays: Sequence[Array], observer: Callable[..., Any]
    ) -> Sequence[Array]:
        from portanet.backends.jax.observe import observe

        return observe(function, arrays, observer)

    def cond(
        self,
        predicate: Array,
        true_function: Callable[..., list[Array]],
        false_function: Callable[..., list[Array]],
        operands: Sequence[Array],
    ) -> list[Array]:
        """Choose by the value; of a traced condition, in the compiled program."""
        if not self.is_traced(predicate):
            return super().cond(predicate, true_function, false_function, operands)
        from portanet.backends.jax import control

        return control.cond(predicate, true_function, false_function, operands)

    def while_loop(
        self,
        condition: Callable[..., Array],
        step: Callable[..., list[Array]],
        carry: Sequence[Array],
        most: int | None,
    ) -> list[Array] | None:
        """Run a compiled loop; one of Python where the carry holds a key, a value of the host."""
        if any(isinstance(x, Key) for x in carry):
            return None
        from portanet.backends.jax import control

        return control.while_loop(condition, step, carry, most)

    def rehearse(self, function: Function, arrays: Sequence[Array]) -> None:
        from portanet.backends.jax.compile import rehearse

        rehearse(function, arrays)

    def untraced(self) -> Any:
        return self._jax.ensure_compile_time_eval()

    def compile(
        self, function: Function, donated: Sequence[int] = (), mode: str | None = None
    ) -> Function:
        from portanet.backends.jax.compile import compiled

        return compiled(function, donated)

    def is_traced(self, x: Array) -> bool:
        return isinstance(x, self._jax.core.Tracer) or super().is_traced(x)

    def custom(self, operation: tape.Operation, arrays: Sequence[Array]) -> list[Array]:
        from portanet.backends.jax import custom

        return custom.custom(operation, arrays)

    def checkpoint(self, function: Function, arrays: Sequence[Array]) -> Sequence[Array]:
        return self._jax.checkpoint(function)(*arrays)

    def uniform(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        """Draw as on NumPy on the CPU, and from JAX's own generator on an accelerator."""
        if self._place(like).platform == "cpu":
            return super().uniform(words, shape, like)
        return self._generate("uniform", words, shape, like)

    def normal(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        if self._place(like).platform == "cpu":
            return super().normal(words, shape, like)
        return self._generate("normal", words, shape, like)

    def _place(self, x: Array) -> Any:
        return self.device_of(x) or self.parse_device(None)

    def _generate(
        self, kind: str, words: tuple[int, int], shape: tuple[int, ...], like: Array
    ) -> Array:
        random = self._jax.random
        first, *others = (np.uint32(word >> s & 0xFFFFFFFF) for word in words for s in (0, 32))
        with self._jax.default_device(self._place(like)):
            key = random.wrap_key_data(np.stack([first, others[0]]), impl="threefry2x32")
            for part in others[1:]:
                key = random.fold_in(key, part)
            return getattr(random, kind)(key, shape, like.dtype)

    def fingerprint(self, x: Array) -> None:
        """Return None: nobody writes into an array of JAX."""

    def synchronize(self, device: Any = None) -> None:
        """Wait for the work of `device`, or of all: a new array there is computed last."""
        for place in self.devices() if device is None else [device]:
            (self._jax.device_put(0.0, place) + 0).block_until_ready()
