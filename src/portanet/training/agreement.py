"""What `fit` sees to where several workers train together: that all begin and end alike."""

from __future__ import annotations

from typing import Any

from portanet.distributed.agreement import check_same, described, fingerprints, gathered
from portanet.distributed.group import current
from portanet.training.run import Run


def check_start(run: Run) -> None:
    """Raise `DistributedError` on all workers unless they begin with the same training state."""
    ts, engine = run.ts, current()
    kept = ts.parameters, ts.optimizer_state
    model = [repr(ts.model), *described(ts.parameters)]
    check_same(engine, "the model", model, "build the same one on all workers")
    place = [
        *(f"step {ts.step}", f"epoch {run.epoch} of {run.epochs}"),
        f"batch {run.batch} of {run.batches}",
    ]
    advice = "give fit the same arguments, and a Checkpoint a file that all workers see"
    check_same(engine, "the place in the training", place, advice)
    advice = "ts = pn.distributed.synchronize(ts) before fit, or one seed for all"
    check_same(engine, "the parameters at the start", fingerprints(kept), advice)


def row_of_first(row: dict[str, Any]) -> dict[str, Any]:
    """Return what an epoch has measured as the first worker has it: by it all decide alike."""
    engine = current()
    return gathered(engine, row if engine.rank == 0 else None)[0]


def stop_alike(run: Run) -> None:
    """End the training on all workers where a callback of one has ended it."""
    reasons = gathered(current(), run.history.stopped)
    run.history.stopped = next((reason for reason in reasons if reason is not None), None)
