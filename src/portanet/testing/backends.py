"""Proving an adapter."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import portanet as pn
from portanet.errors import BackendMismatchError, DeviceError, DTypeError
from portanet.interface import Backend, array_namespace, backend_of, get_backend
from portanet.testing import arguments
from portanet.testing.compare import assert_close, assert_same_kind, move, require, to_numpy
from portanet.testing.layers import check_layer
from portanet.testing.rules import check_rule

_X = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
_VALUES = {"float64": (1e-13, 1e-14), "float32": (1e-5, 1e-6)}
"""How closely values agree: a hundred roundings."""
_SLOPES = (1e-4, 1e-5)
"""How closely derivatives in float32 agree with those in float64: a thousand roundings."""

_ATTRIBUTES = ("dtype", "mT", "ndim", "shape", "size")
"""What every array shows; its device is asked of the adapter."""
_OPERATORS = {
    "+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod",
    "**": "pow", "@": "matmul",
}  # fmt: skip

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arithmetic": lambda xp, x: (x + 1.5) * x / (x * x + 2.0) - x**3,
    "broadcasting": lambda xp, x: x * x[0, :] + x[:, :1],
    "concat and stack": lambda xp, x: xp.stack([xp.concat([x, x * x], axis=1)], axis=0),
    "elementwise": lambda xp, x: xp.exp(xp.sin(x)) + xp.tanh(x) * xp.sqrt(xp.abs(x)),
    "indexing": lambda xp, x: x[1, :] * x[0, 1:2] + x[..., None][0, :, 0],
    "matmul": lambda xp, x: x @ xp.matrix_transpose(x * x),
    "reductions": lambda xp, x: xp.sum(x * x, axis=0) * xp.mean(x) + xp.max(x, axis=1)[0],
    "reshape and permute": lambda xp, x: xp.permute_dims(xp.reshape(x * x, (3, 2)), (1, 0)),
    "where": lambda xp, x: xp.where(x > 0, x * x, xp.exp(x)),
}


def check_backend(backend: str | type[Backend]) -> None:
    """Check that an adapter keeps the contract of `portanet.backends.Backend`.

    - It is registered, its library can be used, and its arrays are recognised.
    - Arrays go there from NumPy and come back with their numbers, dtype and shape, on every
      device; devices and dtypes are found by their names, unknown ones are refused.
    - The main functions of its namespace compute what NumPy does; their derivatives in both
      modes and to second order are those of finite differences, and float32 stays float32.
    - What a result does not depend on has a zero derivative; complex gradients descend.
    - The operators of its arrays leave traced ones of the tape on their right to these.
    - Random numbers are those of their key, in the dtype and on the device asked for.
    - A layer keeps its contract.

    Parameters
    ----------
    backend : str or subclass of Backend
        Its name, or its class.

    Raises
    ------
    AssertionError
        With every part of the contract that does not hold.

    Notes
    -----
    A library without float64 is proved in float32: its values and its derivatives are those of
    NumPy in float64, to a hundred and a thousand roundings.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.testing.check_backend("numpy")
    """
    name = getattr(backend, "name", None) if isinstance(backend, type) else backend
    if not isinstance(name, str):
        arguments.refuse("backend is the name of one, or its class", backend)
    reason = pn.backends.available().get(name, "not registered: call pn.backends.register")
    require(reason is None, f"backend {name!r} is {reason}")
    adapter = get_backend(name)
    faults = [fault for part in _checks(adapter) if (fault := _fault_of(*part)) is not None]
    if faults:
        raise AssertionError("\n".join(f"backend {name!r}: {fault}" for fault in faults))


def _checks(adapter: Backend) -> Iterator[tuple[str, Callable[[], None]]]:
    """Walk over the parts of the contract: what each is of, and a function that raises."""
    yield "arrays", lambda: _check_identity(adapter)
    yield "names", lambda: _check_names(adapter)
    for device in _devices(adapter):
        yield "transfer", lambda device=device: _check_transfer(adapter, device)
        yield "random numbers", lambda device=device: _on(adapter, device, _check_draws)
    for name, function in FUNCTIONS.items():
        yield name, lambda name=name, function=function: _check_function(adapter, name, function)
    for symbol, name in () if adapter.differentiates_itself else _OPERATORS.items():
        yield "operators", lambda s=symbol, n=name: _check_operator(adapter, s, n)
    yield "independence", lambda: _check_independence(adapter)
    yield "complex numbers", lambda: _check_complex(adapter)
    x = np.random.default_rng(0).normal(size=(4, 3))
    if _precision(adapter) == "float64":
        yield "Dense", lambda: check_layer(pn.Dense(3, 2, pn.tanh), x, backends=[adapter.name])
    else:
        yield "Dense", lambda: _check_dense(adapter, x.astype(np.float32))


def _on(adapter: Backend, device: Any, check: Callable[[Backend, Any], None]) -> None:
    with adapter.on(device):
        check(adapter, device)


def _fault_of(what: str, check: Callable[[], None]) -> str | None:
    """Return what does not hold, None if it does; whatever an adapter raises is a fault of it."""
    try:
        check()
    except AssertionError as error:
        return str(error)
    except Exception as error:
        return f"{what}: {type(error).__name__}: {error}"
    return None


def _precision(adapter: Backend) -> str:
    """Return the widest dtype of ``"float64"`` and ``"float32"`` that the library has."""
    try:
        adapter.from_numpy(np.ones(1))
    except Exception:  # the part of the contract about transfer says what is wrong
        return "float32"
    return "float64"


def _devices(adapter: Backend) -> list[Any]:
    """Return the devices of an adapter, none if it cannot tell: its names are checked before."""
    try:
        return list(adapter.devices())
    except Exception:
        return []


def _square(y: Any) -> Any:
    return pn.functional.inner_product(y, y)


def _check_dense(adapter: Backend, x: np.ndarray) -> None:
    """A layer computes what it does on NumPy, and so do its derivatives, in float32."""
    layer = pn.Dense(3, 2, pn.tanh)
    ps, st = pn.setup(0, layer)

    def value_and_slopes(tree: Any) -> Any:
        return pn.value_and_grad(lambda t: _square(layer(t[0], t[1], st)[0]))(tree)

    given = move((x, ps), adapter.name)
    actual, expected = value_and_slopes(given), value_and_slopes((x, ps))
    assert_same_kind(actual[1], given, "Dense: gradient")
    assert_close(actual, expected, 1e-4, 1e-5, "Dense: value and gradient, beside NumPy's")


def _check_identity(adapter: Backend) -> None:
    x = adapter.from_numpy(np.ones((2, 2), np.float32))
    kind = f"{type(x).__module__}.{type(x).__qualname__}"
    require(
        adapter.holds(type(x)) and backend_of(x) is adapter,
        f"{kind} is not recognised as one of its arrays: modules is {adapter.modules}",
    )
    require(array_namespace(x) is adapter.xp, "xp changes from one use to the next")
    missing = [name for name in _ATTRIBUTES if not hasattr(x, name)]
    require(not missing, f"{kind} lacks attributes of the standard: {', '.join(missing)}")
    if not isinstance(x, np.ndarray):
        try:
            array_namespace(x, np.ones(2))
        except BackendMismatchError:
            return
        raise AssertionError("its arrays and NumPy's are taken for one library")


def _check_names(adapter: Backend) -> None:
    devices = adapter.devices()
    require(devices, "it has no device")
    require(adapter.parse_device(None) == devices[0], "parse_device(None) is the first device")
    for device in devices:
        text = adapter.device_name(device)
        require(adapter.parse_device(text) == device, f"parse_device({text!r}) is another device")
    _refuses(DeviceError, "the device 'no such device'", adapter.parse_device, "no such device")
    _refuses(DTypeError, "the dtype 'float33'", adapter.dtype, "float33")
    for name in ("bool", "int32", "float32"):
        found = adapter.dtype_name(adapter.dtype(name))
        require(found == name, f"dtype_name(dtype({name!r})) is {found!r}")


def _refuses(error: type[Exception], what: str, function: Callable[..., Any], given: str) -> None:
    try:
        function(given)
    except error:
        return
    except Exception as other:
        message = f"{what} is refused by {type(other).__name__}, not {error.__name__}"
        raise AssertionError(message) from other
    raise AssertionError(f"{what} is not refused")


def _check_transfer(adapter: Backend, device: Any) -> None:
    place = adapter.device_name(device)
    for name in ("float32", "float64", "int32", "int64", "bool"):
        for host in (_X.astype(name), np.ones((), name), np.ones((0, 2), name), _X.astype(name).T):
            try:
                x = adapter.from_numpy(host, device)
            except (TypeError, ValueError) as error:
                if name != "float32":
                    continue
                raise AssertionError(f"float32 cannot be moved to {place}: {error}") from error
            found = adapter.dtype_name(x.dtype)
            require(found == name, f"from_numpy on {place} turns {name} into {found}")
            there = adapter.device_of(x)
            require(there == device, f"device_of is {there} after from_numpy to {place}")
            assert_same_kind(adapter.to_numpy(x), host, f"to_numpy from {place}")
            assert_close(x, host, 0.0, 0.0, f"there and back on {place}")
    x = adapter.from_numpy(_X.astype("float32"))
    moved = adapter.transfer(x, device)
    require(adapter.device_of(moved) == device, f"transfer does not reach {place}")
    assert_close(moved, x, 0.0, 0.0, f"transfer to {place}")
    adapter.synchronize(device)


def _check_draws(adapter: Backend, device: Any) -> None:
    like = adapter.from_numpy(np.ones(1, np.float32), device)
    key, other = pn.random.key(1).split()
    for draw in (pn.random.uniform, pn.random.normal):
        name = draw.__name__
        x = draw(key, (1000, 2), like=like)
        assert_same_kind(x[:1, 0], like, f"{name} numbers")
        require(adapter.device_of(x) == device, f"{name} numbers are not on the device asked for")
        host = to_numpy(x)
        assert_close(draw(key, (1000, 2), like=like), x, 0.0, 0.0, f"{name} numbers of one key")
        fresh = to_numpy(draw(other, (1000, 2), like=like))
        require(np.mean(host == fresh) < 0.01, f"{name} numbers do not depend on the key")
        mean, std = (0.5, math.sqrt(1 / 12)) if name == "uniform" else (0.0, 1.0)
        error = abs(float(host.mean()) - mean) / std * math.sqrt(host.size)
        require(error < 5, f"{name} numbers have the mean {host.mean()}, not {mean}")
        require(abs(host.std() / std - 1) < 0.15, f"{name} numbers deviate by {host.std()}")
        inside = name == "normal" or (host.min() >= 0 and host.max() < 1)
        require(inside, "uniform numbers are not in [0, 1)")


def _check_function(adapter: Backend, name: str, function: Callable[..., Any]) -> None:
    numpy = get_backend("numpy").xp
    dtype = _precision(adapter)
    x = adapter.from_numpy(_X.astype(dtype))
    tolerance = _VALUES[dtype]
    assert_close(function(adapter.xp, x), function(numpy, _X), *tolerance, f"{name}: value")

    def alone(x: Any) -> Any:
        return function(adapter.xp, x)

    alone.__name__ = name
    if dtype == "float64":
        check_rule(alone, x)
        return
    slopes = pn.vjp(alone, x)[1](alone(x))[0]
    expected = pn.vjp(lambda x: function(numpy, x), _X)[1](function(numpy, _X))[0]
    assert_same_kind(slopes, x, f"{name}: reverse derivative")
    assert_close(slopes, expected, *_SLOPES, f"{name}: reverse derivative, beside NumPy's")
    pushed = pn.jvp(alone, (x,), (x,))[1]
    expected = pn.jvp(lambda x: function(numpy, x), (_X,), (_X,))[1]
    assert_same_kind(pushed, alone(x), f"{name}: forward derivative")
    assert_close(pushed, expected, *_SLOPES, f"{name}: forward derivative, beside NumPy's")


def _check_operator(adapter: Backend, symbol: str, name: str) -> None:
    """An array leaves an operator to a traced array on its right."""
    x = adapter.from_numpy(np.ones((2, 2), np.float32))
    try:
        pn.jvp(lambda y: getattr(operator, name)(x, y), (x,), (x,))
    except Exception as error:
        raise AssertionError(
            f"x {symbol} y of an array and a traced one raises {type(error).__name__}: {error}. "
            "An operator leaves what it does not know to its right operand by NotImplemented; "
            "where the library's raises, its box can be a subclass of the array, which Python "
            "asks first: tape.Namespace(..., box=...)"
        ) from error


def _check_independence(adapter: Backend) -> None:
    dtype = _precision(adapter)
    xp, x = adapter.xp, adapter.from_numpy(_X.astype(dtype))
    value, gradient = pn.value_and_grad(lambda p: xp.sum(p["used"]))({"used": x, "unused": x})
    require(value.shape == (), "the value of a scalar function is not a scalar")
    assert_close(gradient["unused"], np.zeros_like(_X), 0.0, 0.0, "gradient of what is not used")
    (y, places), (_, still) = pn.jvp(lambda x: (x * 2.0, xp.argmax(x, axis=1)), (x,), (x,))
    assert_same_kind(still, places, "tangent of integers")
    require(not np.any(to_numpy(still)), "the tangent of integers is not zero")
    assert_close(y, 2.0 * _X.astype(dtype), 1e-15, 0.0, "value beside integers")


def _check_complex(adapter: Backend) -> None:
    try:
        z = adapter.from_numpy(np.asarray([1.0 + 2.0j]))
    except (TypeError, ValueError):
        return
    xp = adapter.xp
    gradient = pn.grad(lambda z: xp.sum(xp.real(z * xp.conj(z))))(z)
    what = "gradient of |z|², with which z - rate * gradient descends"
    assert_close(gradient, np.asarray([2.0 + 4.0j]), 1e-15, 0.0, what)
