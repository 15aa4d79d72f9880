"""From derivatives to networks: the sixty-minute tutorial of Flux.

Derivatives of plain functions, parameters that are differentiated without being passed along, and
layers: by hand, as a class, and from portanet. Run it with ``--backend torch`` or another library:
the numbers stay the same.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np

import portanet as pn


def derivatives(device, host):
    """Differentiate functions of numbers and of arrays."""
    print("Derivatives")

    def f(x):
        return 3 * x**2 + 2 * x + 1

    df = pn.derivative(f)  # 6x + 2
    d2f = pn.derivative(df)  # 6
    x = device(np.asarray(1, dtype=np.float32))
    print("f(1)   =", host(f(x)))
    print("f'(1)  =", host(df(x)))
    print("f''(1) =", host(d2f(x)))

    # A function of two arrays has two gradients.
    def squared_distance(x, y):
        return pn.array_namespace(x, y).sum((x - y) ** 2)

    x = device(np.asarray([2, 1], dtype=np.float32))
    y = device(np.asarray([2, 0], dtype=np.float32))
    grad_x, grad_y = pn.gradient(squared_distance, x, y)
    print("gradients:", host(grad_x), host(grad_y))

    # A model may have hundreds of parameters. Wrapped in `Param` they need not be arguments: the
    # function has none, and each gradient is looked up by its parameter.
    x, y = pn.Param(x), pn.Param(y)
    gs = pn.gradient(lambda: squared_distance(x, y), pn.params(x, y))
    print("the same: ", host(gs[x]), host(gs[y]))


def a_simple_model(device, host):
    """Take a step of gradient descent with implicit parameters."""
    print("\nA simple model")
    rng = np.random.default_rng(0)

    W = pn.Param(device(rng.random((2, 5), dtype=np.float32)))
    b = pn.Param(device(rng.random(2, dtype=np.float32)))

    def predict(x):
        return b + W @ x

    def loss(x, y):
        return pn.array_namespace(x).sum((y - predict(x)) ** 2)

    x = device(rng.random(5, dtype=np.float32))
    y = device(rng.random(2, dtype=np.float32))
    print(f"loss: {float(loss(x, y)):.4f}")

    gs = pn.gradient(lambda: loss(x, y), pn.params(W, b))
    print("gradient of W:\n", host(gs[W]), sep="")

    # A step against the gradient lowers the loss: the prediction has come closer to y.
    W -= 0.1 * gs[W]
    print(f"loss after a step: {float(loss(x, y)):.4f}")


@pn.register_tree
@dataclass
class Affine:
    """A layer that holds its own parameters.

    `register_tree`, the counterpart of Flux's ``@functor``, makes it known as a container of
    arrays: it can be moved to a device and differentiated as a whole.
    """

    W: Any
    b: Any

    def __call__(self, x):
        return self.W @ x + self.b


def layers_by_hand(device, host):
    """Build the same kind of layer in three ways."""
    print("\nLayers by hand")
    rng = np.random.default_rng(1)

    def draw(*shape):
        return device(rng.standard_normal(shape, dtype=np.float32))

    x = draw(5)

    # Two linear layers with a sigmoid between them, written out.
    W1, b1 = draw(3, 5), draw(3)
    W2, b2 = draw(2, 3), draw(2)

    def layer1(x):
        return W1 @ x + b1

    def layer2(x):
        return W2 @ x + b2

    print("written out:    ", host(layer2(pn.sigmoid(layer1(x)))))

    # There is a lot of repetition in this. A function that returns layers takes it away.
    def linear(inputs, outputs):
        W, b = draw(outputs, inputs), draw(outputs)
        return lambda x: W @ x + b

    linear1, linear2 = linear(5, 3), linear(3, 2)
    print("from a function:", host(linear2(pn.sigmoid(linear1(x)))))

    # Or a class, which shows its parameters to the outside.
    affine = Affine(draw(2, 5), draw(2))
    print("from a class:   ", host(affine(x)))

    # Its gradient is another Affine, with the gradients in the places of the parameters.
    xp = pn.array_namespace(x)
    (gradient,) = pn.gradient(lambda affine: xp.sum(affine(x) ** 2), affine)
    print("gradient of b:  ", host(gradient.b))


def stacking(device, host):
    """Put layers one after the other."""
    print("\nStacking")
    rng = np.random.default_rng(2)
    x = device(rng.random(10, dtype=np.float32))

    # portanet's own layer is `Dense`. It is a description; `setup` makes its parameters and states,
    # and a call takes them and returns the states next to the output.
    layers = [pn.Dense(10, 5, pn.sigmoid), pn.Dense(5, 2), pn.WrappedFunction(pn.softmax)]
    y = x
    for layer in layers:
        ps, st = device(pn.setup(rng, layer))
        y, _ = layer(y, ps, st)
    print("a list of layers:", host(y))

    # `Chain` does the same as one model, with one tree of parameters. It takes functions, too.
    model = pn.Chain(pn.Dense(10, 5, pn.sigmoid), pn.Dense(5, 2), pn.softmax)
    print(model)
    ps, st = device(pn.setup(rng, model))
    y, st = model(x, ps, st)
    print("a chain:", host(y), "with the sum", host(pn.array_namespace(y).sum(y)))

    # `>>` composes from left to right, in the order in which the data flow.
    model = pn.Dense(10, 5, pn.sigmoid) >> pn.Dense(5, 2)
    ps, st = device(pn.setup(rng, model))
    y, st = model(x, ps, st)
    print("a composition:", host(y))

    # After all, a model is a composition of functions.
    model = pn.Chain(lambda x: x**2, lambda x: x + 1)
    ps, st = pn.setup(rng, model)
    y, st = model(device(np.asarray(5, dtype=np.float32)), ps, st)
    print("5² + 1 =", host(y))


def main():
    """Run all sections in order."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    device = pn.device(parser.parse_args().backend)
    host = pn.cpu_device()  # brings arrays back to NumPy, to be printed
    np.set_printoptions(precision=4, suppress=True)

    derivatives(device, host)
    a_simple_model(device, host)
    layers_by_hand(device, host)
    stacking(device, host)


if __name__ == "__main__":
    main()
