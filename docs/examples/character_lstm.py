"""A character LSTM: it reads Python's own documentation letter by letter, then writes some.

The text is what ``help("assignment")`` and the like show; it comes with every Python, in the module
`pydoc_data.topics`, and its paragraphs of prose are used. A tenth of them is held out. Two models
share one set of parameters: the one that is trained reads many windows of the text at once, and the
one that writes takes one character after the other and remembers in its state what came before.
Run it with ``--backend torch`` or another library to train the same model there, and with
``--steps 100`` for a quick look.
"""

import argparse
import sys
import time
from pydoc_data.topics import topics

import numpy as np

import portanet as pn

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
BATCH = 32
WINDOW = 64
EPOCHS = 5


def load():
    """Return the paragraphs to learn from and those held out, as two arrays of characters."""
    straight = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "–": "-"})
    blocks = "\n\n".join(topics.values()).translate(straight).split("\n\n")
    paragraphs = [" ".join(block.split()) for block in blocks]
    prose = [p for p in dict.fromkeys(paragraphs) if p[:1].isalpha() and p.endswith(".")]
    np.random.default_rng(0).shuffle(prose)
    cut = len(prose) * 9 // 10
    return encode("\n".join(prose[:cut])), encode("\n".join(prose[cut:]))


def encode(text):
    """Return the numbers of the characters of a text, without those outside the alphabet."""
    return np.asarray([ALPHABET.index(c) for c in text if c in ALPHABET], np.int32)


def windows(tokens, every=1):
    """Return stretches of the text, and the same one character later."""
    both = np.lib.stride_tricks.sliding_window_view(tokens, WINDOW + 1)[::every]
    return both[:, :-1], both[:, 1:]


def network(recurrent):
    """Return the model; `recurrent` makes a layer of the cell."""
    return pn.Chain(
        embedding=pn.Embedding(len(ALPHABET), 64),
        recurrent=recurrent(pn.LSTMCell(64, 192)),
        head=pn.Dense(192, len(ALPHABET)),
    )


def write(ps, device, length, temperature):
    """Return a text drawn one character at a time; a low temperature keeps to what is likely."""
    model = network(pn.StatefulRecurrentCell)
    host, rng = pn.cpu_device(), np.random.default_rng(1)
    _, st = pn.setup(0, model)
    text = "\n"
    for _ in range(length):
        scores, st = model(device(encode(text[-1])), ps, st)
        scores = host(scores)[0].astype(np.float64) / temperature
        # The largest sum of a score and Gumbel's noise: a draw from the softmax of the scores.
        text += ALPHABET[np.argmax(scores + rng.gumbel(size=len(ALPHABET)))]
    return text.strip()


def main():
    """Train, and print the loss as it falls and what the model writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    parser.add_argument("--steps", type=int, default=1200, help="of training")
    parser.add_argument("--length", type=int, default=400, help="characters to write")
    options = parser.parse_args()
    device = pn.device(options.backend)

    train, test = load()
    print(f"{len(train)} characters to learn from")
    model = network(lambda cell: pn.Recurrence(cell, return_sequence=True))
    print(model)

    rng = np.random.default_rng(0)
    ps, st = pn.setup(rng, model)
    rate = pn.optimizers.schedules.OneCycle(0.005, options.steps, rising=0.1)
    rule = pn.optimizers.Scheduler(pn.optimizers.Adam(), lr=rate)
    rule = pn.optimizers.chain(pn.optimizers.ClipGlobalNorm(1.0), rule)
    ts = device(pn.training.TrainState(model, ps, st, rule))
    loss = pn.CrossEntropyLoss(logits=True)

    # An epoch is a fifth of the steps: there are many more windows than the training takes.
    start = time.perf_counter()
    loader = pn.data.DataLoader(windows(train), BATCH, shuffle=True, rng=rng)
    steps = max(options.steps // EPOCHS, 1)
    ts, history = pn.training.fit(ts, loss, loader, epochs=EPOCHS, steps_per_epoch=steps)
    for epoch, value in enumerate(history["loss"], 1):
        print(f"step {epoch * steps}: mean training loss {value:.3f}")
    print(f"trained in {time.perf_counter() - start:.1f} s", file=sys.stderr)

    held_out = windows(test, every=WINDOW)
    value = pn.training.evaluate(ts, loss, pn.data.DataLoader(held_out, 256))["loss"]
    print(f"loss of the {held_out[1].size} characters held out: {value:.3f}")
    start = time.perf_counter()
    for temperature in (0.5, 0.8):
        text = write(ts.parameters, device, options.length, temperature)
        print(f"\nwritten at temperature {temperature}:\n{text}")
    print(f"written in {time.perf_counter() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
