"""``python -m fuzz.kills``: kill trainings at random instants."""

from __future__ import annotations

import argparse
import sys

from fuzz.kills.kill import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m fuzz.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=60, help="of each training")
    options = parser.parse_args()
    sys.exit(main(options.kills, options.seed, options.epochs))
