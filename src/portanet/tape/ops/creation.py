"""Cards of conversions, and of what makes arrays out of numbers, shapes and other arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.errors import ArgumentError
from portanet.tape.box import Box, at_hand, device_of
from portanet.tape.ops.batching import Batching, Finished, natural
from portanet.tape.ops.card import Card
from portanet.tape.ops.form import Form
from portanet.tape.ops.words import OfFirst
from portanet.tape.rule import Constant, Linear, cast, is_complex
from portanet.tape.signature import sequence


def _like(name: str) -> Batching:
    def rule(
        trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
    ) -> Finished:
        x = values[0]
        dtype, device = kwargs.get("dtype"), kwargs.get("device")
        return Finished(
            getattr(primitive.xp, name)(
                x.shape[1:],
                dtype=x.dtype if dtype is None else dtype,
                device=device_of(x) if device is None else device,
            )
        )

    return rule


def _convert_form(call: Any, x: Any, dtype: Any) -> Form:
    return Form("{out}[...] = {0}", "{0}.astype({1})", rows=True)


def _filled_like(name: str, words: OfFirst | None = None) -> Card:
    return Card(
        f"{name}_like", Constant("x", named="dtype device"), _like(name),
        words=words, fresh=True, of_shape=True,
    )  # fmt: skip


CARDS = [
    Card(
        "convert", Linear(lambda xp, g, x, dtype: cast(xp, g, x.dtype), arity=None), natural,
        numpy=_convert_form, words=OfFirst(), body=lambda raw, x, dtype: raw.astype(x, dtype),
        fresh=True, identity=True,
    ),
    Card("detach", Constant("x"), natural, body=lambda raw, x: x, rearranged=True),
    Card("astype", batching=natural, fresh=True),
    _filled_like("empty"),
    _filled_like("ones", OfFirst(text="1")),
    _filled_like("zeros", OfFirst(text="0")),
]  # fmt: skip


def _convert(xp: Any, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    if device is not None:
        x = x.to_device(device)
    dtype = _resolved(xp, dtype)
    if x.dtype == dtype and not copy:
        return x
    if xp.isdtype(dtype, ("real floating", "complex floating")):
        return xp.convert(x, dtype)
    return xp.constants.astype(x, dtype, copy=copy)


def _resolved(xp: Any, dtype: Any) -> Any:
    """Return the dtype that the library makes of what it was given for one, such as ``float``."""
    found = xp.dtypes.get(dtype)
    if found is None:
        found = xp.dtypes[dtype] = xp.raw.empty(0, dtype=dtype).dtype
    return found


def _asarray(
    xp: Any, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Any:
    if not isinstance(obj, Box):
        if copy is False:
            raise ArgumentError("asarray: copy=False, but a list of arrays needs a copy")
        obj = _joined(xp, obj, _first_box(obj))
    if device is not None:
        obj = obj.to_device(device)
    if copy is False:
        like = xp.raw.empty(1, dtype=obj.dtype)
        xp.raw.asarray(like, dtype=dtype, copy=False)  # which refuses where one is needed
    if dtype is None and not copy:
        return obj
    return xp.astype(obj, obj.dtype if dtype is None else dtype, copy=bool(copy))


def _first_box(obj: Any) -> Any:
    if isinstance(obj, list | tuple):
        return next((x for x in map(_first_box, obj) if x is not None), None)
    return obj if isinstance(obj, Box) else None


def _joined(xp: Any, obj: Any, like: Any) -> Any:
    """Stack a nested list of arrays and numbers; numbers take the dtype of `like`."""
    if isinstance(obj, list | tuple):
        return xp.stack([_joined(xp, x, like) for x in obj])
    if hasattr(obj, "shape"):
        return obj
    complex_number = isinstance(obj, complex) and not is_complex(xp, like.dtype)
    dtype = xp.result_type(like.dtype, obj) if complex_number else like.dtype
    return xp.asarray(obj, dtype=dtype, device=device_of(like))


def _full(xp: Any, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    fill_value = xp.asarray(fill_value, dtype=dtype, device=device)
    return _filled(xp, fill_value, sequence(shape))


def _filled(xp: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """Spread `x` over an array of `shape`, which may lack its leading axes of size 1."""
    surplus = max(x.ndim - len(shape), 0)
    if surplus and set(x.shape[:surplus]) == {1}:
        x = xp.reshape(x, x.shape[surplus:])
    return xp.broadcast_to(x, shape)


def _full_like(
    xp: Any, x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None
) -> Any:
    dtype = x.dtype if dtype is None else dtype
    if isinstance(fill_value, Box):
        return _filled(xp, xp.astype(fill_value, dtype), x.shape)
    return xp.full(
        x.shape, fill_value, dtype=dtype, device=device_of(x) if device is None else device
    )


def _no_points(xp: Any, start: Any, stop: Any, dtype: Any, device: Any, endpoint: bool) -> Any:
    """Return no points between two ends, with the shape and dtype that the library gives them."""
    traced = start if isinstance(start, Box) else stop
    ends: tuple[Any, Any] = at_hand(start), at_hand(stop)
    if not xp.operands.takes_lists:  # it takes numbers only, of which a traced one has a dtype
        ends, dtype = (0.0, 1.0), traced.dtype if dtype is None else dtype
    device = device_of(traced) if device is None else device
    return xp.raw.linspace(*ends, 0, dtype=dtype, device=device, endpoint=endpoint)


def _linspace(
    xp: Any, start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Any:  # fmt: skip
    none = _no_points(xp, start, stop, dtype, device, endpoint)
    real = none.dtype if xp.isdtype(none.dtype, "real floating") else None
    if is_complex(xp, none.dtype):
        real = xp.raw.real(none).dtype
    steps = xp.linspace(0.0, 1.0, num, dtype=real, device=device_of(none), endpoint=endpoint)
    steps = xp.reshape(steps, (-1, *(1,) * (none.ndim - 1)))
    points = start * (1 - steps) + stop * steps
    if xp.isdtype(none.dtype, "integral"):
        points = xp.floor(points)
    return xp.astype(points, none.dtype, copy=False)


COMPOSITES: dict[str, Callable[..., Any]] = {
    "asarray": _asarray,
    "astype": _convert,
    "full": _full,
    "full_like": _full_like,
    "linspace": _linspace,
}
