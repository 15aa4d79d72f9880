"""The verbs of differentiation, the same on every backend."""

from portanet.autodiff.engines import AutoAutograd, AutoTorch
from portanet.autodiff.gradients import grad, gradient, value_and_grad
from portanet.autodiff.implicit import Grads, Param, Params, params
from portanet.autodiff.matrices import derivative, hessian, hvp, jacobian
from portanet.autodiff.products import (
    jacobian_vector_product,
    jvp,
    vector_jacobian_product,
    vjp,
)

__all__ = [
    "AutoAutograd",
    "AutoTorch",
    "Grads",
    "Param",
    "Params",
    "derivative",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jacobian_vector_product",
    "jvp",
    "params",
    "value_and_grad",
    "vector_jacobian_product",
    "vjp",
]
