"""Arrays, derivatives and linear regression for the uninitiated.

After the first tutorial of Lux: arrays, why they are not changed in place, how randomness is kept
under control, derivatives in both directions, and a linear regression, first by hand, then with a
layer. Run it with ``--backend torch`` or another library: the numbers stay the same.
"""

import argparse

import numpy as np

import portanet as pn

EPOCHS = 500


def arrays(device, host):
    """Make arrays and calculate with them."""
    print("Arrays")

    # Three numbers, and a matrix of four. Neural networks calculate in float32.
    x = device(np.asarray([1, 2, 3], dtype=np.float32))
    print("a vector:", host(x))
    x = device(np.asarray([[1, 2], [3, 4]], dtype=np.float32))
    print("a matrix:\n", host(x), sep="")

    # Random numbers are drawn on the host, so that every library gets the same ones.
    rng = np.random.default_rng(0)
    x = device(rng.random((5, 3), dtype=np.float32))
    print("random numbers of shape", tuple(x.shape))
    print(host(x))

    # One element (rows and columns are counted from 0), and a whole column.
    print("x[1, 2] is", host(x[1, 2]))
    print("x[:, 2] is", host(x[:, 2]))

    # Arithmetic goes element by element; a number, or a smaller array, is repeated to fit.
    print("x + x:\n", host(x + x), sep="")
    print("x + 1:\n", host(x + 1), sep="")

    # The functions are those of the array library that x belongs to. Here is a times table.
    xp = pn.array_namespace(x)
    n = device(np.arange(1, 6, dtype=np.float32))
    print("a times table:\n", host(xp.expand_dims(n, axis=1) * n), sep="")

    # And the most important operation of machine learning, the product with a matrix.
    w = device(rng.standard_normal((5, 10), dtype=np.float32))
    x = device(rng.standard_normal(10, dtype=np.float32))
    print("W @ x is", host(w @ x))


def immutability(device, host):
    """Change a copy instead of the array."""
    print("\nImmutability")

    # No function of portanet changes its arguments. Do the same: copy, then write to the copy.
    x = device(np.arange(1, 9, dtype=np.float32).reshape(2, 4))
    changed = np.array(host(x))
    changed[:, 0] = 0.0
    print("original:\n", host(x), sep="")
    print("changed copy:\n", changed, sep="")

    # A derivative cannot follow such a write, and JAX allows none: a selection says the same.
    xp = pn.array_namespace(x)
    first = device(np.asarray([True, False, False, False]))
    print("without writing:\n", host(xp.where(first, xp.zeros_like(x), x)), sep="")


def randomness():
    """Draw the same numbers again, or others."""
    print("\nRandomness")

    # A copy of the generator draws what the original would: the original stays where it was.
    rng = np.random.default_rng(0)
    for i in (1, 2, 3):
        print(f"copy {i} draws", pn.replicate(rng).random(4))

    # Without the copy the generator moves on.
    for i in (1, 2, 3):
        print(f"draw {i} gives", rng.random(4))


def derivatives(device, host):
    """Differentiate functions of vectors."""
    print("\nDerivatives")
    rng = np.random.default_rng(1)

    # The gradient of f(x) = ½ x·x is x.
    def half_square(x):
        return x @ x / 2

    x = device(rng.standard_normal(4, dtype=np.float32))
    (gradient,) = pn.gradient(half_square, x)
    print("x is           ", host(x))
    print("its gradient is", host(gradient))

    # f(x) = x²/2, element by element, has as many outputs as inputs: its derivative is a matrix,
    # the Jacobian J, here with x on its diagonal. Forward mode multiplies it by a vector v ...
    def halves(x):
        return x * x / 2

    x = device(rng.standard_normal(5, dtype=np.float32))
    xp = pn.array_namespace(x)
    v = xp.ones_like(x)
    print("x is       ", host(x))
    print("J v is     ", host(pn.jacobian_vector_product(halves, x, v)))

    # ... and reverse mode multiplies a vector by it. Neither ever builds the matrix. Reverse mode
    # is the cheaper one for many inputs and few outputs, such as the one loss of a network.
    print("vᵀ J is    ", host(pn.vector_jacobian_product(halves, x, v)))


def make_regression():
    """Return 20 noisy samples of y = W x + b, with the W and b that made them."""
    rng = np.random.default_rng(2)
    w = rng.standard_normal((5, 10), dtype=np.float32)
    b = rng.standard_normal(5, dtype=np.float32)
    x = rng.standard_normal((20, 10), dtype=np.float32)  # a sample is a row
    noise = rng.standard_normal((20, 5), dtype=np.float32)
    return x, x @ w.T + b + np.float32(0.01) * noise, w, b


def regression_by_hand(device, host):
    """Fit W and b with a loss and a loop of our own."""
    print("\nLinear regression by hand")
    x, y, true_w, true_b = device(make_regression())
    xp = pn.array_namespace(x)
    print("x has shape", tuple(x.shape), "and y", tuple(y.shape))

    # The parameters are one vector whose parts have names.
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((5, 10), dtype=np.float32) * np.float32(0.3)
    ps = pn.ComponentVector(device({"weight": weight, "bias": np.zeros(5, np.float32)}))

    # The sum of the squared errors.
    def loss(ps, x, y):
        return xp.sum((x @ ps.weight.T + ps.bias - y) ** 2)

    truth = pn.ComponentVector({"weight": true_w, "bias": true_b})
    print(f"loss with the true parameters: {float(loss(truth, x, y)):.4f}")

    # Gradient descent: the optimizer's state and the parameters go in, and new ones come out.
    state = pn.optimizers.setup(pn.optimizers.SGD(0.01), ps)
    value_and_grad = pn.value_and_grad(loss)
    for epoch in range(1, EPOCHS + 1):
        value, grads = value_and_grad(ps, x, y)
        state, ps = pn.optimizers.update(state, ps, grads)
        if epoch == 1 or epoch % 100 == 0:
            print(f"epoch {epoch:3}: loss {float(value):.3f}")
    print("true b: ", host(true_b))
    print("found b:", host(ps.bias))


def regression_with_a_layer(device, host):
    """Fit the same data with a layer, a loss and a loop from portanet."""
    print("\nLinear regression with a layer")
    x, y, _, true_b = device(make_regression())

    # A layer is a description. Its parameters, and its states, of which it has none, are apart.
    model = pn.Dense(10, 5)
    ps, st = pn.setup(np.random.default_rng(3), model)
    print(model, "has", pn.parameter_count(ps), "parameters")

    # The loss is now a mean over 20 × 5 errors, 100 times smaller, so the steps may be larger.
    loss = pn.MSELoss()
    ts = device(pn.training.TrainState(model, ps, st, pn.optimizers.SGD(0.5)))
    ts, history = pn.training.fit(ts, loss, (x, y), epochs=EPOCHS)
    for epoch in (1, *range(100, EPOCHS + 1, 100)):
        print(f"epoch {epoch:3}: loss {history['loss'][epoch - 1]:.4f}")

    print(f"loss after training: {pn.training.evaluate(ts, loss, (x, y))['loss']:.4f}")
    print("true b: ", host(true_b))
    print("found b:", host(ts.parameters["bias"]))


def main():
    """Run all sections in order."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    device = pn.device(parser.parse_args().backend)
    host = pn.cpu_device()  # brings arrays back to NumPy, to be printed
    np.set_printoptions(precision=4, suppress=True)

    arrays(device, host)
    immutability(device, host)
    randomness()
    derivatives(device, host)
    regression_by_hand(device, host)
    regression_with_a_layer(device, host)


if __name__ == "__main__":
    main()
