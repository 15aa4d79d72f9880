"""The verbs of differentiation, the same on every backend."""

from portanet.autodiff.checkpoint import checkpoint
from portanet.autodiff.custom_forward import custom_jvp
from portanet.autodiff.custom_reverse import custom_vjp
from portanet.autodiff.engines import AutoFiniteDifference, AutoTape
from portanet.autodiff.gradients import grad, gradient, value_and_grad
from portanet.autodiff.implicit import Grads, Param, Params, params
from portanet.autodiff.linearize import linearize
from portanet.autodiff.matrices import batched_jacobian, jacobian
from portanet.autodiff.products import (
    derivative,
    jacobian_vector_product,
    jvp,
    vector_jacobian_product,
    vjp,
)
from portanet.autodiff.second_order import hessian, hvp
from portanet.autodiff.vectorize import vmap
from portanet.tape.watch import detect_mutation

__all__ = [
    "AutoFiniteDifference",
    "AutoTape",
    "Grads",
    "Param",
    "Params",
    "batched_jacobian",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "derivative",
    "detect_mutation",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jacobian_vector_product",
    "jvp",
    "linearize",
    "params",
    "value_and_grad",
    "vector_jacobian_product",
    "vjp",
    "vmap",
]
