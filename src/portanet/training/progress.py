"""A bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from portanet.training.callbacks.base import Callback
from portanet.training.run import Run

_SECONDS_BETWEEN_LOOKS = 0.25
"""How often the bar looks at the loss, which waits for the step on an accelerator."""

_SECONDS_BETWEEN_LINES = 1.0
"""Of epochs that take less, not each has a line."""


class Progress(Callback):
    """Shows on standard error how far a training is."""

    writes = True
    runs_last = True  # it begins where a run is taken up

    _bar: Any = None

    def on_start(self, run: Run) -> None:
        self._start = self._line = self._look = time.monotonic()
        self._first = run.history.epochs
        self._bar = _bar(run)

    def on_step(self, run: Run) -> None:
        bar = self._bar
        if bar is None:
            return
        now = time.monotonic()
        if now - self._look < _SECONDS_BETWEEN_LOOKS:
            bar.update(1)
            return
        self._look = now
        last = {name: x for name, x in run.history.last.items() if name != "loss"}
        bar.set_description(f"epoch {run.epoch}/{run.epochs}", refresh=False)
        bar.set_postfix_str(_listed({"loss": run.meter.mean_loss(), **last}), refresh=False)
        bar.update(1)

    def on_epoch(self, run: Run) -> None:
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_description(f"epoch {run.epoch}/{run.epochs}", refresh=False)
            self._bar.set_postfix_str(_listed(run.history.last))
        elif run.epoch == run.epochs or now - self._line >= _SECONDS_BETWEEN_LINES:
            self._line = now
            self._write(run, now)

    def _write(self, run: Run, now: float) -> None:
        seconds = (now - self._start) / (run.history.epochs - self._first)
        left = seconds * (run.epochs - run.epoch)
        rate = f", {run.batches / seconds:.4g} steps/s" if run.batches and seconds > 0 else ""
        print(
            f"epoch {run.epoch}/{run.epochs}: {_listed(run.history.last)} "
            f"({seconds:.3g} s an epoch{rate}, {left:.3g} s left)",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def on_end(self, run: Run) -> None:
        self.close()
        if run.history.stopped:
            place = f"in epoch {run.epoch}" if run.batch else f"after epoch {run.history.epochs}"
            print(f"stopped {place}: {run.history.stopped}", file=sys.stderr)


def _bar(run: Run) -> Any:
    """Return a bar of `tqdm`, None where there is none or nobody looks."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    total = run.batches * run.epochs or None
    done = run.batches * run.history.epochs + run.batch
    return tqdm(total=total, initial=done, unit="step", file=sys.stderr, dynamic_ncols=True)


def _listed(row: dict[str, Any]) -> str:
    """Return the numbers of an epoch as text."""
    numbers = {name: x for name, x in row.items() if isinstance(x, int | float)}
    return ", ".join(f"{name} {x:.4g}" for name, x in numbers.items())
