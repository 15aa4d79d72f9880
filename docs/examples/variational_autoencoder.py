"""A variational autoencoder: handwritten digits as points near zero, and new ones out of points.

The encoder turns an image into a normal distribution over eight numbers, the decoder turns a point
drawn from it back into the image. The loss is the negative evidence lower bound of Kingma and
Welling, "Auto-Encoding Variational Bayes" (ICLR 2014): what the image lacks, and how far the
distribution is from that of independent numbers of variance one. Points drawn from the latter then
look like digits too. Run it with ``--backend torch`` or another library to train it there.
"""

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import portanet as pn

BATCH = 64
EPOCHS = 30
LATENT = 8
NOISE = 0.2  # the standard deviation that the model grants to a pixel
SHADES = " .:-=+*#%@"


@dataclass(frozen=True)
class Draw(pn.Layer):
    """Draw from normal distributions, given by their means and the logarithms of their variances.

    Both get a derivative, as the noise is drawn apart from them. A layer that draws has a key among
    its states: it uses one half of it and returns the other for the next call. In test mode it
    returns the means.
    """

    def initial_states(self, rng):
        return {"key": pn.random.Key.from_generator(rng), "training": True}

    def __call__(self, x, ps, st):
        mean, log_variance = x
        if not st["training"]:
            return mean, st
        key, now = st["key"].split()
        noise = pn.random.normal(now, mean.shape, like=mean)
        deviation = pn.array_namespace(mean).exp(0.5 * log_variance)
        return mean + deviation * noise, {**st, "key": key}


def autoencoder():
    """Return the model: from images to their reconstructions, means and logarithms of variances."""
    encoder = pn.Chain(
        pn.Conv((3, 3), 1, 16, pn.gelu, padding="same"),
        pn.Conv((3, 3), 16, 32, pn.gelu, stride=2, padding=1),
        pn.Flatten(),
        pn.Dense(4 * 4 * 32, 128, pn.gelu),
        pn.BranchLayer(pn.Dense(128, LATENT), pn.Dense(128, LATENT)),
    )
    decoder = pn.Chain(
        pn.Dense(LATENT, 128, pn.gelu),
        pn.Dense(128, 4 * 4 * 32, pn.gelu),
        pn.Reshape((4, 4, 32)),
        pn.ConvTranspose((4, 4), 32, 16, pn.gelu, stride=2, padding=1),
        pn.Conv((3, 3), 16, 1, pn.sigmoid, padding="same"),
    )

    @pn.compact(encoder=encoder, draw=Draw(), decoder=decoder)
    def model(self, images):
        mean, log_variance = self.encoder(images)
        return self.decoder(self.draw((mean, log_variance))), mean, log_variance

    return model


def objective(model, ps, st, images):
    """Return the loss of an image, the new states, and the two terms of the loss."""
    (y, mean, log_variance), st = model(images, ps, st)
    xp = pn.array_namespace(y)
    error = xp.sum((y - images) ** 2) / (2 * NOISE**2 * images.shape[0])
    divergence = xp.sum(mean**2 + xp.exp(log_variance) - log_variance - 1) / (2 * images.shape[0])
    return error + divergence, st, {"error": error, "divergence": divergence}


def show(title, images):
    """Print images from 0 to 1 side by side."""
    print(f"\n{title}")
    shades = (np.clip(images[..., 0], 0, 1) * (len(SHADES) - 1)).round().astype(int)
    for row in range(8):
        line = ("".join(2 * SHADES[shade] for shade in image[row]) for image in shades)
        print("  ".join(line).rstrip())


def main():
    """Train, and show digits, their reconstructions, and new ones."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    device, host = pn.device(parser.parse_args().backend), pn.cpu_device()

    rng = np.random.default_rng(0)
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    train, test = train_test_split(images, test_size=0.25, random_state=0, stratify=labels)

    model = autoencoder()
    print(pn.summary(model, train[:1]))
    ps, st = pn.setup(rng, model)
    batches = len(train) // BATCH
    rate = pn.optimizers.schedules.CosineAnnealing(0.003, 0.0, EPOCHS * batches)
    rule = pn.optimizers.Scheduler(pn.optimizers.AdamW(), lr=rate)
    ts = device(pn.training.TrainState(model, ps, st, rule))

    start = time.perf_counter()
    loader = pn.data.DataLoader(train, BATCH, shuffle=True, rng=rng, drop_last=True)
    ts, history = pn.training.fit(ts, objective, loader, epochs=EPOCHS)
    for epoch in (1, 5, EPOCHS):
        print(f"epoch {epoch:2}: mean training loss {history['loss'][epoch - 1]:.1f}")
    print(f"trained in {time.perf_counter() - start:.1f} s", file=sys.stderr)

    value, _, stats = objective(model, ts.parameters, ts.states, device(test))
    terms = " + ".join(f"{name} {float(term):.1f}" for name, term in stats.items())
    print(f"mean loss of the {len(test)} digits held out: {float(value):.1f} = {terms}")

    # In test mode nothing is drawn: the reconstruction of the most likely point.
    (again, _, _), _ = model(device(test), ts.parameters, pn.test_mode(ts.states))
    again = host(again)
    print(f"their pixels come back with an error of {np.sqrt(np.mean((again - test) ** 2)):.3f}")
    show("digits held out", test[:6])
    show("what comes back", again[:6])

    # The decoder alone makes digits out of numbers that nobody has seen.
    points = device(rng.standard_normal((12, LATENT), dtype=np.float32))
    new, _ = model["decoder"](points, ts.parameters["decoder"], ts.states["decoder"])
    show("new digits", host(new)[:6])
    show("and more", host(new)[6:])


if __name__ == "__main__":
    main()
