"""PyTorch: its own differentiation and native kernels, on the CPU, CUDA and MPS."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.errors import DTypeError, TracedValueError
from portanet.interface import loops
from portanet.interface.backend import Array, Backend, Function

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATING = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


class TorchBackend(Backend):
    """Tensors of PyTorch, differentiated by PyTorch.

    A transfer to or from NumPy copies: a later write to one side never shows on the other.
    As everywhere in torch, ``float(x)`` and ``x.item()`` of a tensor that is being differentiated
    give a constant (torch warns of the first); on the other libraries they raise.
    """

    name = "torch"
    modules = ("torch",)
    distribution = "torch"
    jit = "library"
    compile_modes = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
    compiles_slowly = True
    gpu_order = 1
    hides_traces = True
    wide_kernels = frozenset(
        {
            "attention", "convolution", "group_norm", "layer_norm", "rms_norm", "softmax",
            "transposed_convolution",
        }
    )  # fmt: skip

    @cached_property
    def xp(self) -> Any:
        return _namespace()

    @cached_property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        from portanet.backends.torch.kernels import KERNELS

        return KERNELS

    @cached_property
    def _torch(self) -> Any:
        import torch

        return torch

    @cached_property
    def _autodiff(self) -> Any:
        from portanet.backends.torch import autodiff

        return autodiff

    @cached_property
    def _custom(self) -> Any:
        from portanet.backends.torch import custom

        return custom

    @cached_property
    def _control(self) -> Any:
        from portanet.backends.torch import control

        return control

    @cached_property
    def _compile(self) -> Any:
        from portanet.backends.torch import compile

        return compile

    @cached_property
    def _checkpoint(self) -> Any:
        from portanet.backends.torch import checkpoint

        return checkpoint

    @cached_property
    def _vectors(self) -> Any:
        from portanet.backends.torch import vectors

        return vectors

    def devices(self) -> list[Any]:
        return [self._torch.device("cpu"), *self.accelerators()]

    def accelerators(self) -> list[Any]:
        torch = self._torch
        found = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
        if torch.backends.mps.is_available():
            found.append(torch.device("mps", 0))
        return found

    def parse_device(self, text: str | None) -> Any:
        return super().parse_device(f"{text}:0" if text in ("cuda", "mps") else text)

    def device_of(self, x: Array) -> Any:
        return x.device

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Array:
        return self._torch.from_numpy(np.array(x, order="C")).to(device)

    def to_numpy(self, x: Array) -> np.ndarray:
        """Return a tensor as a NumPy array; bfloat16, which NumPy lacks, as an exact float32."""
        torch = self._torch
        if x.requires_grad or torch._C._functorch.is_functorch_wrapped_tensor(x):
            raise TracedValueError(
                "a tensor that is being differentiated cannot become a NumPy array, which would "
                "lose its derivative: keep it on torch, or call x.detach() first"
            )
        x = x.to("cpu", torch.float32 if x.dtype == torch.bfloat16 else x.dtype)
        return np.array(x.resolve_conj().resolve_neg().numpy(force=True))

    def receive(self, x: Array, source: Backend, device: Any) -> Array:
        shared = source.cuda_export(x) if device.type == "cuda" else None
        if shared is not None:
            return self._torch.from_dlpack(shared).to(device)
        return super().receive(x, source, device)

    def cuda_export(self, x: Array) -> Any:
        if x.device.type != "cuda" or x.requires_grad:
            return None
        return x.resolve_conj().resolve_neg()

    def transfer(self, x: Array, device: Any) -> Array:
        return x.to(device)

    def dtype(self, name: str) -> Any:
        if name not in ("bool", *_INTEGERS, *_FLOATING):
            raise DTypeError(f"torch has no dtype {name!r}")
        return getattr(self._torch, name)

    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        return self._autodiff.vjp(function, primals)

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        return self._autodiff.jvp(function, primals, tangents)

    def value_and_grad(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        return self._autodiff.value_and_grad(function, primals)

    def vmap(
        self, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
    ) -> list[Array | None]:
        return self._autodiff.vmap(function, arrays, axes)

    def cond(
        self,
        predicate: Array,
        true_function: Callable[..., list[Array]],
        false_function: Callable[..., list[Array]],
        operands: Sequence[Array],
    ) -> list[Array]:
        """Choose by the value; in a batch, for each entry; in the compiler, in each call."""
        if self._control.is_batched(predicate):
            return self._control.batched_cond(
                predicate, true_function, false_function, operands, self.cond
            )
        if self._compile.is_recording():
            return self._control.compiled_cond(
                predicate, true_function, false_function, operands, self
            )
        return super().cond(predicate, true_function, false_function, operands)

    def while_loop(
        self,
        condition: Callable[..., Array],
        step: Callable[..., list[Array]],
        carry: Sequence[Array],
        most: int | None,
    ) -> list[Array]:
        """Loop in Python, also for all entries of a batch together."""
        control = self._control
        return loops.while_loop(
            condition, step, carry, most, control.is_reversed, control.is_batched,
            control.batched_while,
        )  # fmt: skip

    def observe(
        self, function: Function, arrays: Sequence[Array], observer: Callable[..., Any]
    ) -> Sequence[Array]:
        from portanet.backends.torch.observe import Observing

        with Observing(observer):
            return function(*arrays)

    def custom(self, operation: tape.Operation, arrays: Sequence[Array]) -> list[Array]:
        return self._custom.custom(operation, arrays)

    def checkpoint(self, function: Function, arrays: Sequence[Array]) -> Sequence[Array]:
        return self._checkpoint.checkpoint(function, arrays, self)

    def compile(
        self, function: Function, donated: Sequence[int] = (), mode: str | None = None
    ) -> Function:
        return self._compile.Compiled(function, mode)

    def is_traced(self, x: Array) -> bool:
        torch = self._torch
        wrapped = torch._C._functorch.is_functorch_wrapped_tensor
        return isinstance(x, torch.Tensor) and (wrapped(x) or self._custom.is_traced(x))

    def fingerprint(self, x: Array) -> Any:
        """Return the number of writes into a tensor, as torch counts them; see `Backend`."""
        return super().fingerprint(x) if x.is_inference() else x._version

    def joins(self, parameters: Sequence[Array], others: Sequence[Array] = ()) -> bool:
        return self._vectors.joins(parameters, others)

    def join(self, arrays: Sequence[Array]) -> Array:
        return self._vectors.join(arrays)

    def cut(self, vector: Array, shapes: Sequence[tuple[int, ...]]) -> Sequence[Array]:
        return self._vectors.cut(vector, shapes) or super().cut(vector, shapes)

    def synchronize(self, device: Any = None) -> None:
        torch = self._torch
        if device is not None and device.type == "mps":
            torch.mps.synchronize()
        elif torch.cuda.is_available() and (device is None or device.type == "cuda"):
            torch.cuda.synchronize(device)


def _namespace() -> Any:
    """Return array_api_compat's namespace with an ``asarray`` that keeps derivatives.

    Torch's own detaches a tensor, or the tensors in a list, without a word.
    """
    import array_api_compat.torch as compat
    import torch

    from portanet.backends.torch.namespace import REPLACEMENTS
    from portanet.backends.torch.ruled import add_rules

    def asarray(
        obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Any:
        obj = _joined(torch, obj)
        if not isinstance(obj, torch.Tensor):
            return compat.asarray(obj, dtype=dtype, device=device, copy=copy)
        result = obj.to(device or obj.device, dtype or obj.dtype, copy=bool(copy))
        if copy is False and result is not obj:
            raise ValueError("copy=False, but another dtype or device needs a copy")
        return result

    asarray.__doc__ = compat.asarray.__doc__
    namespace: Any = types.ModuleType(compat.__name__, compat.__doc__)
    namespace.__dict__.update({**vars(compat), **REPLACEMENTS, "asarray": asarray})
    add_rules(namespace)
    return namespace


def _joined(torch: Any, obj: Any) -> Any:
    """Stack the tensors in a nested list; other lists and anything else return unchanged."""
    if not isinstance(obj, list | tuple):
        return obj
    parts = [_joined(torch, part) for part in obj]
    like = next((part for part in parts if isinstance(part, torch.Tensor)), None)
    if like is None:
        return obj
    dtype = like.dtype if like.dtype.is_floating_point or like.dtype.is_complex else None
    return torch.stack(
        [
            part
            if isinstance(part, torch.Tensor)
            else torch.asarray(part, dtype=dtype, device=like.device)
            for part in parts
        ]
    )
