"""A small GPT: a transformer that learns to write in the manner of Python's documentation.

The text is what ``help("assignment")`` and the like show; it comes with every Python, in the module
`pydoc_data.topics`, and its paragraphs of prose are used. A tenth of them is held out. Frequent
words are tokens of their own, others are spelled. The model has the norms first, rotary positions
and one table for the tokens that go in and those that come out. It writes several paragraphs side
by side, and its attention keeps the keys and values of what is written. Run it with ``--backend
torch`` or another library to train the same model there, and with ``--steps 100`` for a quick look.
"""

import argparse
import re
import sys
import time
from collections import Counter
from pydoc_data.topics import topics

import numpy as np

import portanet as pn

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
PIECE = re.compile(r" ?\w+| ?[^\w\s]+|\s")
VOCABULARY = 2048
BATCH = 16
WINDOW = 64
FEATURES = 96
HEADS = 4
EPOCHS = 5


def load():
    """Return the paragraphs to learn from and those held out, as two texts."""
    straight = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "–": "-"})
    blocks = "\n\n".join(topics.values()).translate(straight).split("\n\n")
    paragraphs = [" ".join(block.split()) for block in blocks]
    prose = [p for p in dict.fromkeys(paragraphs) if p[:1].isalpha() and p.endswith(".")]
    np.random.default_rng(0).shuffle(prose)
    cut = len(prose) * 9 // 10
    return "\n".join(prose[:cut]), "\n".join(prose[cut:])


class Tokenizer:
    """Text to tokens: a word or sign that is frequent in `text` is one, others are spelled."""

    def __init__(self, text):
        counts = Counter(PIECE.findall(text))
        common = [piece for piece, _ in counts.most_common() if piece not in ALPHABET]
        self.pieces = [*ALPHABET, *common[: VOCABULARY - len(ALPHABET)]]
        self.numbers = {piece: i for i, piece in enumerate(self.pieces)}

    def __call__(self, text):
        """Return the numbers of the tokens, without characters outside the alphabet."""
        spelled = ([p] if p in self.numbers else p for p in PIECE.findall(text))
        known = (token for tokens in spelled for token in tokens if token in self.numbers)
        return np.asarray([self.numbers[token] for token in known], np.int32)

    def text(self, tokens):
        """Return the text of tokens."""
        return "".join(self.pieces[token] for token in tokens)


def network():
    """Return the model: scores of each token's successors, from integers of shape (N, L)."""
    block = pn.TransformerEncoderLayer(
        FEATURES,
        HEADS,
        causal=True,
        positions=pn.RotaryPositionalEmbedding(FEATURES // HEADS, WINDOW),
    )
    small = pn.initializers.normal(std=0.02)
    model = pn.Chain(
        embedding=pn.Embedding(VOCABULARY, FEATURES, init_weight=small),
        body=pn.TransformerStack(block, 3, norm=pn.LayerNorm(FEATURES)),
        head=pn.Dense(FEATURES, VOCABULARY, use_bias=False),
    )
    return pn.Tied(model, ("embedding.weight", "head.weight"))


def windows(tokens, every=1):
    """Return stretches of the text, and the same one token later."""
    both = np.lib.stride_tricks.sliding_window_view(tokens, WINDOW + 1)[::every]
    return both[:, :-1], both[:, 1:]


def write(model, ts, device, count, length, temperature):
    """Return tokens of `count` paragraphs, drawn one at a time; a low temperature plays safe."""
    host, rng = pn.cpu_device(), np.random.default_rng(1)
    st = pn.with_cache(model, ts.parameters, pn.test_mode(ts.states), count, length)
    written = [np.zeros(count, np.int32)]  # all begin with the end of a line
    for _ in range(length):
        scores, st = model(device(written[-1][:, None]), ts.parameters, st)
        scores = host(scores)[:, 0, :].astype(np.float64) / temperature
        # The largest sum of a score and Gumbel's noise: a draw from the softmax of the scores.
        chosen = np.argmax(scores + rng.gumbel(size=scores.shape), axis=-1)
        written.append(chosen.astype(np.int32))
    return np.stack(written[1:], axis=1)


def main():
    """Train, and print the loss as it falls and what the model writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    parser.add_argument("--steps", type=int, default=1000, help="of training")
    parser.add_argument("--length", type=int, default=WINDOW, help="tokens to write, at most")
    options = parser.parse_args()
    device = pn.device(options.backend)

    train, test = load()
    tokenize = Tokenizer(train)
    characters = len(test)
    train, test = tokenize(train), tokenize(test)
    print(f"{len(train)} tokens to learn from")
    model = network()
    print(model)

    rng = np.random.default_rng(0)
    ps, st = pn.setup(rng, model)
    rate = pn.optimizers.schedules.OneCycle(0.005, options.steps, rising=0.1)
    rule = pn.optimizers.Scheduler(pn.optimizers.AdamW(weight_decay=0.1), lr=rate)
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
    value = pn.training.evaluate(ts, loss, pn.data.DataLoader(held_out, 64))["loss"]
    each = value * len(test) / characters
    print(f"loss of the {held_out[1].size} tokens held out: {value:.3f}, a character {each:.3f}")
    start = time.perf_counter()
    print("\nwhat it writes:")
    for tokens in write(model, ts, device, 6, options.length, temperature=0.6):
        print("-", tokenize.text(tokens).partition("\n")[0])
    print(f"written in {time.perf_counter() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
