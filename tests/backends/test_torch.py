"""The torch adapter: derivatives at any depth, nothing detached in silence, kernels, transfer."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.backends import get_backend
from portanet.errors import DTypeError, TracedValueError

torch = pytest.importorskip("torch")
forward_ad = torch.autograd.forward_ad

X = torch.tensor([1.0, 2.0], dtype=torch.float64)
V = torch.tensor([0.5, -3.0], dtype=torch.float64)
HOST = np.ones(3)
LOSSES = (
    pn.MSELoss(),
    pn.HuberLoss(delta=2.0),
    pn.SmoothL1Loss(beta=2.0),
    pn.BinaryCrossEntropyLoss(logits=True),
)


def f(x):
    return (x**3 * torch.sin(x[0])).sum()


def squared(derivative):
    return lambda x: derivative(x).pow(2).sum()


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def plain(*tensors):
    return not any(x.requires_grad for x in tensors)


class TestNesting:
    """Every order and mixture of modes, against torch.func."""

    def test_first_order(self):
        value, gradient = pn.value_and_grad(f)(X)
        close(value, f(X))
        close(gradient, torch.func.grad(f)(X))
        assert plain(value, gradient)

    @pytest.mark.parametrize("loss", LOSSES, ids=str)
    def test_forward_over_reverse_of_losses(self, loss):
        """Torch's own bodies have no forward mode, or write into the zero of a target's tangent."""
        target = torch.tensor([0.3, 1.0], dtype=torch.float64)

        def of(x):
            return loss(x**3, target)

        close(pn.hvp(of, X, V), torch.autograd.functional.hvp(of, X, V)[1])

    def test_reverse_over_reverse_over_reverse(self):
        ours = pn.grad(squared(pn.grad(squared(pn.grad(f)))))(X)
        func = torch.func.grad
        close(ours, func(squared(func(squared(func(f)))))(X))
        assert plain(ours)

    def test_reverse_over_forward(self):
        def along(jvp):
            return lambda x: jvp(f, (x,), (x,))[1]

        close(pn.grad(along(pn.jvp))(X), torch.func.grad(along(torch.func.jvp))(X))

    def test_forward_over_reverse_and_over_forward(self):
        close(pn.hessian(f)(X), torch.func.hessian(f)(X))

        def twice(jvp):
            return jvp(lambda x: jvp(f, (x,), (x,))[1], (X,), (V,))[1]

        close(twice(pn.jvp), twice(torch.func.jvp))

    def test_inside_and_around_torch_func(self):
        expected = torch.func.grad(squared(torch.func.grad(f)))(X)
        close(torch.func.grad(squared(pn.grad(f)))(X), expected)
        close(pn.grad(squared(torch.func.grad(f)))(X), expected)
        rows = torch.stack([X, V])
        close(torch.func.vmap(pn.grad(f))(rows), torch.stack([torch.func.grad(f)(x) for x in rows]))

    def test_inside_forward_mode_of_torch(self):
        with forward_ad.dual_level():
            gradient = pn.grad(f)(forward_ad.make_dual(X, V))
            tangent = forward_ad.unpack_dual(gradient).tangent
        close(tangent, torch.func.hessian(f)(X) @ V)

    @pytest.mark.parametrize(
        "inner",
        [
            lambda x, y: pn.grad(lambda y: x + y)(y),
            lambda x, y: pn.jvp(lambda y: x + y, (y,), (torch.ones_like(y),))[1],
        ],
    )
    def test_perturbations_are_not_confused(self, inner):
        one = torch.tensor(1.0)
        assert float(pn.grad(lambda x: x * inner(x, one))(one)) == 1.0

    def test_pullback_made_outside_is_differentiable(self):
        _, pullback = pn.vjp(lambda x: x**3, X)
        slope = 3 * X**2
        close(pn.grad(lambda u: (pullback(u)[0] ** 2).sum())(V).detach(), 2 * slope**2 * V)
        _, tangent = pn.jvp(lambda u: pullback(u)[0], (V,), (V,))
        close(tangent.detach(), slope * V)
        close(pullback(V)[0], slope * V)

    def test_many_threads(self):
        expected = torch.func.hessian(f)(X) @ V, torch.func.grad(squared(torch.func.grad(f)))(X)
        found = []

        def work():
            for _ in range(40):
                found.append((pn.jvp(pn.grad(f), (X,), (V,))[1], pn.grad(squared(pn.grad(f)))(X)))

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert len(found) == 160
        for pair in found:
            for actual, wanted in zip(pair, expected, strict=True):
                close(actual, wanted)


MATRIX = torch.tensor([[2.0, 0.5, 0.1], [0.5, 3.0, -0.2], [0.1, -0.2, 1.0]], dtype=torch.float64)
OF_A_MATRIX = {
    "det": lambda xp, x: xp.linalg.det(x),
    "slogdet": lambda xp, x: xp.linalg.slogdet(x)[1],
    "solve": lambda xp, x: xp.sum(xp.linalg.solve(x, MATRIX[:, :2]) ** 2),
    "eigh": lambda xp, x: xp.sum(xp.linalg.eigh((x + x.mT) / 2)[1][:, 0] ** 3),
}


class TestDerivativesOfForwardMode:
    """Torch's own are wrong or NaN for these functions."""

    @pytest.mark.parametrize("name", OF_A_MATRIX)
    def test_inside_torch_func(self, name):
        xp, func, v = pn.array_namespace(MATRIX), torch.func, torch.ones_like(MATRIX)

        def function(x):
            return OF_A_MATRIX[name](xp, x)

        def along(v):
            return func.grad(lambda x: func.jvp(function, (x,), (v,))[1])(MATRIX)

        expected = func.grad(lambda x: torch.sum(func.grad(function)(x) * v))(MATRIX)
        close(along(v), expected)
        close(func.vmap(along)(torch.stack([v, 2.0 * v]))[1], 2.0 * expected)
        twice = func.jvp(lambda x: func.jvp(function, (x,), (v,))[1], (MATRIX,), (v,))[1]
        close(twice, torch.sum(expected * v))

    def test_products_with_a_zero_in_them(self):
        xp, x = pn.array_namespace(MATRIX), torch.tensor([2.0, 0.0, 3.0], dtype=torch.float64)

        def last(x):
            return xp.cumulative_prod(x)[-1]

        expected = torch.tensor([[0.0, 3.0, 0.0], [3.0, 0.0, 2.0], [0.0, 2.0, 0.0]])
        close(pn.hessian(last)(x), expected.double())
        close(pn.jit(pn.hessian(last))(x), expected.double())


class TestConnections:
    """A result stays differentiable exactly where something outside asks for it."""

    def test_captured_parameter(self):
        p = torch.nn.Parameter(torch.tensor(3.0, dtype=torch.float64))
        value, gradient = pn.value_and_grad(lambda x: (p * x**2).sum())(X)
        close(gradient, 2 * 3 * X)
        close(torch.autograd.grad(value, p)[0], (X**2).sum())
        close(torch.autograd.grad(gradient.sum(), p)[0], 2 * X.sum())

    def test_captured_through_an_intermediate(self):
        p = torch.nn.Parameter(X.clone())
        h = torch.tanh(p)
        gradient = pn.grad(lambda x: (h * x**2).sum())(X)
        expected = 2 * X * (1 - torch.tanh(X) ** 2)
        close(torch.autograd.grad(gradient.sum(), p)[0], expected)

    def test_input_that_requires_a_gradient(self):
        p = torch.nn.Parameter(X.clone())
        close(torch.autograd.grad(pn.grad(f)(p).sum(), p)[0], torch.func.hessian(f)(X).sum(0))

    def test_auxiliary_output(self):
        p = torch.nn.Parameter(X.clone())

        def function(x):
            aux = {"own": x * 2, "input": x, "other": p * x, "host": HOST, "at": x.argmax()}
            return (x**2).sum(), aux

        (_, aux), _ = pn.value_and_grad(function, has_aux=True)(X)
        close(aux["own"], 2 * X)
        assert plain(aux["own"], aux["input"])
        close(torch.autograd.grad(aux["other"].sum(), p)[0], X)
        assert int(aux["at"]) == 1
        assert aux["host"] is HOST

    @pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
    def test_without_gradients_around(self, guard):
        p = torch.nn.Parameter(X.clone())
        with guard():
            gradient = pn.grad(f)(X)
            linked = pn.grad(lambda x: (p * x**2).sum())(X)
            _, tangent = pn.jvp(f, (X,), (V,))
        close(gradient, torch.func.grad(f)(X))
        close(tangent, torch.func.grad(f)(X) @ V)
        close(linked, 2 * X**2)
        assert plain(gradient, tangent, linked)

    def test_no_dependence(self):
        first, second = pn.grad(lambda a, b: (a**2).sum(), (0, 1))(X, V)
        close(first, 2 * X)
        assert torch.equal(second, torch.zeros_like(V))
        assert torch.equal(pn.grad(lambda x: torch.tensor(1.0))(X), torch.zeros_like(X))
        func = torch.func.grad(lambda x: pn.grad(lambda y: (y * 0 + x).sum())(x).sum())
        assert torch.equal(func(X), torch.zeros_like(X))

    def test_outputs_without_a_derivative(self):
        value, pullback = pn.vjp(lambda x: (2 * x, x.argmax(), x > 1), X)
        assert value[1].dtype == torch.int64
        assert value[2].tolist() == [False, True]
        close(pullback((V, value[1], value[2]))[0], 2 * V)
        _, tangent = pn.jvp(lambda x: (2 * x, x.argmax()), (X,), (V,))
        close(tangent[0], 2 * V)
        _, tangent = pn.jvp(lambda x: x.argmax(), (X,), (V,))
        assert int(tangent) == 0

    def test_complex_gradient_descends(self):
        z = torch.tensor([1 + 2j], dtype=torch.complex128)
        close(pn.grad(lambda z: (abs(z) ** 2).sum())(z), 2 * z)


class TestNamespace:
    def test_asarray_of_traced_scalars_keeps_the_derivative(self):
        xp = pn.array_namespace(X)
        for grad in (pn.grad, torch.func.grad):
            close(grad(lambda x: (xp.asarray([x[0] * x[1], x[1], 1.0]) ** 2).sum())(X), X * 0 + 8.0)
            nested = grad(lambda x: (xp.asarray([[x[0], 2], [x[1], 3]]) ** 2).sum())(X)
            close(nested, 2 * X)

    def test_asarray_of_a_traced_array_keeps_the_derivative(self):
        xp = pn.array_namespace(X)
        close(pn.grad(lambda x: (xp.asarray(x, copy=True) ** 2).sum())(X), 2 * X)
        close(pn.grad(lambda x: (xp.asarray(x, dtype=xp.complex128).real ** 2).sum())(X), 2 * X)

    def test_asarray_otherwise(self):
        xp = pn.array_namespace(X)
        assert xp.asarray([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
        assert xp.asarray(X) is X
        assert xp.asarray(X, copy=True) is not X
        with pytest.raises(ValueError, match="copy=False, but another dtype"):
            xp.asarray(X, dtype=xp.float32, copy=False)


_POINTS = [-100.0, -30.0, -6.0, -3.0, -1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0, 3.0, 6.0, 25.0, 100.0]
_ELEMENTWISE = [
    ("celu", ()),
    ("celu", (0.5,)),
    ("elu", ()),
    ("elu", (0.5,)),
    ("gelu", ()),
    ("gelu_erf", ()),
    ("leaky_relu", (0.2,)),
    ("log_sigmoid", ()),
    ("relu", ()),
    ("relu6", ()),
    ("selu", ()),
    ("sigmoid", ()),
    ("silu", ()),
    ("soft_shrink", ()),
    ("soft_shrink", (1.0,)),
    ("softplus", ()),
    ("threshold_relu", (0.5,)),
    ("erf", ()),
    ("erfc", ()),
    ("softmax", ()),
    ("log_softmax", (0,)),
]


class TestKernels:
    """Torch's bodies are the functions that the tape differentiates on NumPy, kinks included."""

    @pytest.mark.parametrize(("name", "args"), _ELEMENTWISE)
    def test_values_and_derivatives(self, name, args):
        function = getattr(functional, name)
        assert name in get_backend("torch").kernels
        points = np.array(_POINTS)
        for mode in (_with_gradient, _with_second, _with_tangent):
            expected = mode(lambda x: function(x, *args), points)
            actual = mode(lambda x: function(x, *args), torch.from_numpy(points))
            for a, e in zip(actual, expected, strict=True):
                np.testing.assert_allclose(a.numpy(), e, rtol=1e-10, atol=1e-13)

    def test_linear_and_layer_norm(self):
        rng = np.random.default_rng(0)
        x, w, b = rng.normal(size=(5, 2, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
        scale, bias = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))

        def linear(x, w, b):
            y = functional.linear(x, w, b)
            return functional.mean_squared_error(y, 0.5 * y * y)

        def norm(x, scale, bias):
            y = functional.layer_norm(x, scale, bias, rank=2, epsilon=0.1)
            return functional.mean_squared_error(y * y, -y)

        for function, args in ((linear, (x, w, b)), (norm, (x, scale, bias))):
            expected = pn.gradient(function, *args)
            actual = pn.gradient(function, *map(torch.from_numpy, args))
            for a, e in zip(actual, expected, strict=True):
                np.testing.assert_allclose(a.numpy(), e, rtol=1e-9, atol=1e-12)

    def test_adam_against_torch(self):
        parameter = torch.nn.Parameter(X.clone())
        reference = torch.optim.Adam([parameter], lr=0.1, betas=(0.8, 0.9), eps=1e-3)
        rule = pn.optimizers.Adam(0.1, (0.8, 0.9), 1e-3)
        x, state = X, rule.init(X)
        for gradient in (V, X, -2 * V):
            parameter.grad = gradient.clone()
            reference.step()
            state, dx = rule.apply(state, x, gradient)
            x = x - dx
        torch.testing.assert_close(x, parameter.detach(), rtol=1e-12, atol=1e-12)

    def test_every_kernel_replaces_a_function(self):
        modules = pkgutil.walk_packages(functional.__path__, "portanet.functional.")
        names = [*(module.name for module in modules), "portanet.optimizers.adam"]
        homes = [importlib.import_module(name) for name in names]
        for name in get_backend("torch").kernels:
            one = name.removesuffix("_all")  # of many arrays at once
            assert any(hasattr(home, one) for home in homes), name


def _weighted(function):
    def scalar(x):
        y = function(x)
        return pn.array_namespace(y).sum(y)

    return scalar


def _with_gradient(function, x):
    return function(x), pn.grad(_weighted(function))(x)


def _with_second(function, x):
    return (pn.grad(_weighted(lambda x: pn.grad(_weighted(function))(x) * x))(x),)


def _with_tangent(function, x):
    return (pn.jvp(function, (x,), (x * 0 + 0.7,))[1],)


class TestTransfer:
    def test_copies_both_ways(self):
        backend = get_backend("torch")
        host = np.ones(3)
        x = backend.from_numpy(host)
        back = backend.to_numpy(x)
        host[0], back[1] = 5.0, 7.0
        assert x.tolist() == [1.0, 1.0, 1.0]

    def test_read_only_and_strided_arrays(self):
        backend = get_backend("torch")
        host = np.arange(6.0).reshape(2, 3)[:, ::-1]
        host.flags.writeable = False
        assert backend.from_numpy(host).tolist() == [[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]]
        assert backend.from_numpy(np.array(2.0)).shape == ()

    def test_bfloat16_widens_exactly(self):
        host = get_backend("torch").to_numpy(torch.tensor([1.0, 1 / 3], dtype=torch.bfloat16))
        assert host.dtype == np.float32
        assert host.tolist() == [1.0, 0.333984375]

    def test_lazy_conjugate(self):
        host = get_backend("torch").to_numpy(torch.tensor([1 + 2j]).conj())
        assert host.tolist() == [1 - 2j]

    @pytest.mark.parametrize("grad", [pn.grad, torch.func.grad])
    def test_traced_tensors_are_refused(self, grad):
        def function(x):
            get_backend("torch").to_numpy(x)
            return x.sum()

        with pytest.raises(TracedValueError, match="a tensor that is being differentiated"):
            grad(function)(X)

    def test_dtypes_by_name(self):
        backend = get_backend("torch")
        for name in ("bool", "uint8", "int64", "float16", "bfloat16", "float64", "complex64"):
            assert backend.dtype_name(backend.dtype(name)) == name
        with pytest.raises(DTypeError, match="torch has no dtype 'longdouble'"):
            backend.dtype("longdouble")


class OnCUDA(torch.Tensor):
    """A tensor of the host that says it lies on a CUDA device."""

    device = SimpleNamespace(type="cuda")


class TestSharedMemory:
    """What goes over DLPack between libraries on a GPU; here the memory is that of the host."""

    def test_what_others_are_given(self):
        export = get_backend("torch").cuda_export
        assert export(X) is None
        lazy = torch.tensor([1 + 2j]).conj().as_subclass(OnCUDA)
        assert lazy.is_conj()
        given = export(lazy)
        assert not given.is_conj()  # CuPy would take the memory as it lies there
        assert given.tolist() == [1 - 2j]
        imaginary = torch.tensor([1 + 2j]).conj().imag.as_subclass(OnCUDA)
        assert imaginary.is_neg()
        assert not export(imaginary).is_neg()
        shared = export(X.as_subclass(OnCUDA))
        assert shared.data_ptr() == X.data_ptr()
        variable = X.clone().requires_grad_().as_subclass(OnCUDA)
        assert export(variable) is None  # its derivative would be lost

    def test_what_torch_takes(self, monkeypatch):
        backend, cuda = get_backend("torch"), torch.device("cuda", 1)
        moved = SimpleNamespace(from_dlpack=lambda x: SimpleNamespace(to=lambda place: (x, place)))
        monkeypatch.setitem(vars(backend), "_torch", moved)
        source = SimpleNamespace(cuda_export=lambda x: x)  # which has no way over the host
        assert backend.receive(HOST, source, cuda) == (HOST, cuda)

    def test_what_cupy_takes(self, monkeypatch):
        cupy = pytest.importorskip("cupy")
        backend, taken = get_backend("cupy"), []
        monkeypatch.setattr(
            cupy, "from_dlpack", lambda x: taken.append(x) or cupy.asarray(x.numpy())
        )
        for dtype, count in ((torch.float64, 1), (torch.bfloat16, 1), (torch.float32, 2)):
            x = X.to(dtype).as_subclass(OnCUDA)
            y = backend.receive(x, get_backend("torch"), backend.parse_device(None))
            assert backend.to_numpy(y).tolist() == [1.0, 2.0]
            assert len(taken) == count  # CuPy has no bfloat16: that one goes over the host
