"""Valid calls of the verbs, of training, and of what works on trees and models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import portanet as pn
from fuzz.inputs.places import Call
from portanet.backends import is_array

Place = Callable[[Any], Any]


def calls(arrays: Place) -> Iterator[Call]:
    """Walk over valid calls with the arrays that `arrays` makes."""
    yield from _verbs(arrays)
    yield from _products(arrays)
    yield from _loops(arrays)
    yield from _models(arrays)
    yield from _training(arrays)
    yield from _trees(arrays)
    yield from _random(arrays)


# What a user's function makes of bad input is its own affair: these take anything.


def _is_numeric(x: Any) -> bool:
    return is_array(x) and pn.backends.backend_of(x).is_floating(x.dtype)


def _square(x: Any) -> Any:
    return pn.array_namespace(x).sum(x * x) if _is_numeric(x) else x


def _pair(x: Any) -> Any:
    return _square(x), {"aux": x}


def _cube(x: Any) -> Any:
    return x * x * x if _is_numeric(x) else x


def _unchanged(path: str, *parts: Any) -> Any:
    return parts


def _of_first(tree: Any) -> Any:
    return _square(next(iter(pn.trees.leaves(tree)), None))


def _product(x: Any, y: Any) -> Any:
    return x * 2 if _is_numeric(x) else x


def _of(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes another one by a verb, and calls it."""

    def made_and_called(function: Any, options: Any, *args: Any) -> Any:
        return verb(function, **options)(*args)

    return made_and_called


def _verbs(arrays: Place) -> Iterator[Call]:
    for call in _verb_calls(arrays):
        yield dataclasses.replace(call, kept=((0, 1),))


def _verb_calls(arrays: Place) -> Iterator[Call]:
    x, t = arrays(np.ones(3)), arrays(np.ones(()))
    scalar = {"argnums": 0, "has_aux": False, "ad": None}
    yield Call("grad", _of(pn.grad), (_square, scalar, x))
    yield Call("grad, aux", _of(pn.grad), (_pair, {"argnums": (0,), "has_aux": True}, x))
    yield Call("grad of a tree", _of(pn.grad), (_of_first, {}, {"w": (x,)}))
    yield Call("value_and_grad", _of(pn.value_and_grad), (_square, scalar, x))
    matrix = {"argnum": 0, "ad": None}
    yield Call(
        "jacobian", _of(pn.jacobian), (_cube, {**matrix, "mode": "auto", "chunk_size": None}, x)
    )
    yield Call(
        "batched_jacobian",
        _of(pn.batched_jacobian),
        (_cube, {**matrix, "mode": "auto"}, arrays(np.ones((2, 3)))),
    )
    yield Call("hessian", _of(pn.hessian), (_square, {**matrix, "chunk_size": None}, x))
    yield Call("derivative", _of(pn.derivative), (_cube, {"ad": None}, t))
    yield Call("vmap", _of(pn.vmap), (_cube, {"in_axes": 0, "out_axes": 0}, x))
    yield Call(
        "vmap of two", _of(pn.vmap), (_product, {"in_axes": (0, None)}, x, arrays(np.ones(2)))
    )
    yield Call(
        "jit",
        _of(pn.jit),
        (
            lambda x, n: x,
            {"static_argnums": (1,), "static_argnames": (), "donate_argnums": ()},
            x,
            2.0,
        ),
    )
    yield Call("checkpoint", _of(pn.checkpoint), (_cube, {}, x))


def _products(arrays: Place) -> Iterator[Call]:
    x = arrays(np.ones(3))
    yield Call("gradient", pn.gradient, (_square, x), {"ad": None})
    yield Call("vjp", pn.vjp, (_cube, x), {"ad": None})
    yield Call("pullback", pn.vjp(_cube, x)[1], (x,))
    yield Call("pullback of a tree", pn.vjp(lambda x: {"y": x * x}, x)[1], ({"y": x},))
    yield Call("jvp", pn.jvp, (_cube, (x,), (x,)), {"ad": None})
    yield Call("linearize", pn.linearize, (_cube, x), {"ad": None})
    yield Call("linearized", pn.linearize(_cube, x)[1], (x,))
    yield Call("hvp", pn.hvp, (_square, x, x), {"ad": None})
    yield Call("jacobian_vector_product", pn.jacobian_vector_product, (_cube, x, x), {"ad": None})
    yield Call("vector_jacobian_product", pn.vector_jacobian_product, (_cube, x, x), {"ad": None})
    yield Call("params", pn.params, (pn.Param(x),))
    yield Call("Param", pn.Param, (x,))
    yield Call(
        "custom_jvp",
        lambda f, rule, x: _with_rule(pn.custom_jvp(f), rule, x),
        (_cube, lambda primals, tangents: (_cube(*primals), tangents[0]), x),
    )
    yield Call(
        "custom_vjp",
        lambda f, go, back, x: _with_rules(pn.custom_vjp(f), go, back, x),
        (_cube, lambda x: (_cube(x), x), lambda saved, g: (g,), x),
    )


def _with_rule(function: Any, rule: Any, x: Any) -> Any:
    function.defjvp(rule)
    return pn.jvp(function, (x,), (x,))


def _with_rules(function: Any, forward: Any, backward: Any, x: Any) -> Any:
    function.defvjp(forward, backward)
    return pn.vjp(function, x)[1](x)


def _loops(arrays: Place) -> Iterator[Call]:
    t, xs = arrays(np.ones(())), arrays(np.ones(4))

    def step(carry: Any, x: Any) -> Any:
        return carry, carry

    yield Call("scan", pn.scan, (step, t, xs), {"length": 4, "reverse": False})
    yield Call("fori_loop", pn.fori_loop, (0, 3, lambda i, carry: carry, t))
    yield Call(
        "while_loop", pn.while_loop, (lambda x: x < 9.0, lambda x: x + 1.0, t), {"max_steps": 20}
    )
    yield Call("cond", pn.cond, (True, _cube, _cube, t))
    yield Call("cond by an array", pn.cond, (t > 0, lambda x: x, lambda x: x, t))


def _models(arrays: Place) -> Iterator[Call]:
    model = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.Dropout(0.1), pn.Dense(4, 2))
    attention = pn.MultiHeadAttention(4, 2, causal=True)
    ps, st = arrays(pn.setup(0, model))
    x = arrays(np.ones((2, 3)))
    yield Call("setup", pn.setup, (0, model), {"example": x, "dtype": None, "device": None})
    yield Call("apply", pn.apply, (model, x, ps, st))
    yield Call("resolve", pn.resolve, (pn.Dense(None, 3), x))
    yield Call("output_shape", pn.output_shape, (model, (3,)), {"rng": 0})
    yield Call("parameter_count", pn.parameter_count, (ps,))
    yield Call("state_count", pn.state_count, (st,))
    yield Call("layer_map", pn.layer_map, (_unchanged, model, ps))
    yield Call("summary", pn.summary, (model, x), {"depth": None})
    yield Call(
        "debug",
        lambda model, infinities: pn.debug(model, infinities=infinities)(x, ps, st),
        (model,),
        {"infinities": False},
    )
    yield Call("freeze", pn.freeze, (model, ps, st), {"names": "layer_1"})
    yield Call("unfreeze", pn.unfreeze, pn.freeze(model, ps, st, "layer_1"))
    cached = arrays(pn.setup(0, attention))
    yield Call("with_cache", pn.with_cache, (attention, *cached, 2, 5))
    yield Call("StatefulModel", lambda *args: pn.StatefulModel(*args)(x), (model, ps, st))
    yield Call("Chain", pn.Chain, (pn.Dense(3, 4), pn.tanh))
    yield Call("Chain of a dict", pn.Chain, ({"a": pn.Dense(3, 4)},))
    yield Call(
        "compact",
        lambda **parts: pn.setup(0, pn.compact(**parts)(lambda m, x: m.dense(x))),
        (),
        {"dense": pn.Dense(3, 2), "size": 3},
    )
    yield Call("train_mode", pn.train_mode, (st,))
    yield Call("test_mode", pn.test_mode, (st,))
    yield Call("update_state", pn.update_state, (st, "training", True), {"exclude": None})


def _training(arrays: Place) -> Iterator[Call]:
    opt, training = pn.optimizers, pn.training
    model = pn.Dense(3, 2)
    ps, st = arrays(pn.setup(0, model))
    data = arrays((np.ones((2, 3)), np.zeros((2, 2))))
    rule, loss = opt.Adam(0.1), pn.MSELoss()
    state = opt.setup(rule, ps)
    ts = training.TrainState(model, ps, st, rule)
    yield Call("optimizers.setup", opt.setup, (rule, ps))
    yield Call("optimizers.update", opt.update, (state, ps, ps))
    yield Call("optimizers.adjust", opt.adjust, (state, 0.1), {"path": None})
    yield Call("optimizers.adjust by name", opt.adjust, (state,), {"path": "bias", "epsilon": 1e-8})
    yield Call("optimizers.freeze", opt.freeze, (state,), {"path": "bias"})
    yield Call("optimizers.thaw", opt.thaw, (state,), {"path": "bias"})
    yield Call("optimizers.chain", opt.chain, (rule, opt.ClipNorm(1.0)))
    yield Call(
        "TrainState",
        training.TrainState,
        (model, ps, st, rule),
        {"optimizer_state": None, "step": 0},
    )
    yield Call("compute_gradients", training.compute_gradients, (loss, data, ts), {"ad": None})
    yield Call("apply_gradients", training.apply_gradients, (ts, ps))
    for jit in (False, None):
        yield Call(
            f"train_step, jit={jit}",
            training.train_step,
            (loss, data, ts),
            {"ad": None, "jit": jit, "donate": False},
        )
    yield Call(
        "train_step of a model",
        lambda *args: training.train_step(loss, data, training.TrainState(*args)),
        (model, ps, st, rule),
    )


def _trees(arrays: Place) -> Iterator[Call]:
    tree = arrays({"a": np.ones(3), "b": (np.ones(2), {"c": np.zeros((2, 2))})})
    trees = pn.trees
    leaves, structure = trees.flatten(tree)
    for name in ("flatten", "leaves", "is_leaf", "flatten_with_paths"):
        yield Call(f"trees.{name}", getattr(trees, name), (tree,))
    yield Call("trees.unflatten", trees.unflatten, (structure, leaves))
    yield Call("trees.map_leaves", trees.map_leaves, (lambda *xs: xs[0], tree, tree))
    yield Call("trees.check_same_structure", trees.check_same_structure, (tree, tree))
    yield Call("register_tree", pn.register_tree, (type("Plain", (), {}),), {"static": ("a",)})
    yield Call("astype", pn.astype, (tree, "float32"))
    yield Call("ravel", pn.ravel, (tree,))
    yield Call("unravel", pn.ravel(tree)[1], (pn.ravel(tree)[0],))
    yield Call("map_parameters", pn.map_parameters, (lambda path, x: x, tree))
    yield Call("ComponentVector", pn.ComponentVector, ({"a": tree["a"]},))
    yield Call("get_device", pn.get_device, (tree,))
    yield Call("device", lambda text, tree: pn.device(text)(tree), ("numpy", tree))
    yield Call("gpu_device", pn.gpu_device, (False, "numpy"), kept=((0, 1),))  # None imports all
    yield Call("array_namespace", pn.array_namespace, (tree["a"],))


def _random(arrays: Place) -> Iterator[Call]:
    x, random = arrays(np.ones(3)), pn.random
    yield Call("random.key", random.key, (0,))
    yield Call("random.split", random.key(0).split, ())
    yield Call("random.uniform", random.uniform, (random.key(0), (2, 3)), {"like": x})
    yield Call("random.normal", random.normal, (random.key(0), (2, 3)), {"like": x})
    yield Call("random.bernoulli", random.bernoulli, (random.key(0), 0.5, (2, 3)), {"like": x})
    yield Call("replicate", pn.replicate, (np.random.default_rng(0),))
