"""Parameters that are spread over devices or processes: ``sharded.py jax`` or ``sharded.py torch``.

A tree of arrays that their library has spread is a tree of arrays: a step keeps them spread, with
the moments of Adam, and gives the numbers of one device.
"""

from __future__ import annotations

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"

import numpy as np

import portanet as pn

rng = np.random.default_rng(0)
data = rng.normal(size=(16, 8)), rng.normal(size=(16, 4))
model = pn.Chain(pn.Dense(8, 16, pn.tanh), pn.Dense(16, 4))


def loss(model, ps, st, batch):
    """Return the mean square in operators: the gradient of torch's own is wrong on DTensors."""
    x, y = batch
    out, st = model(x, ps, st)
    return pn.array_namespace(out).mean((out - y) ** 2), st, {}


def trained(spread, part):
    rule = pn.optimizers.Momentum(0.1)  # unlike Adam's, its steps show the size of a gradient
    ts = pn.training.TrainState(model, *pn.setup(0, model, dtype="float64"), rule)
    ts, batch = pn.device(sys.argv[1])((ts, data))
    ts, batch = pn.trees.map_leaves(spread, ts), pn.trees.map_leaves(part, batch)
    for _ in range(5):
        _, _, ts = pn.training.train_step(loss, batch, ts)
    momenta = pn.trees.leaves(ts.optimizer_state)
    return [x for x in (*pn.trees.leaves(ts.parameters), *momenta) if getattr(x, "shape", ())]


def of_arrays(change):
    return lambda x: change(x) if getattr(x, "shape", ()) else x


def on_jax():
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    rows = NamedSharding(Mesh(np.asarray(jax.devices()), ("devices",)), PartitionSpec("devices"))
    spread = trained(
        of_arrays(lambda x: jax.device_put(x, rows)), lambda x: jax.device_put(x, rows)
    )
    assert all(x.sharding.spec == rows.spec for x in spread)
    return spread


def on_torch():
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    torch.distributed.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))

    def rows(x):
        return distribute_tensor(x, mesh, [Shard(0)])

    spread = trained(of_arrays(rows), rows)
    assert all(x.placements == (Shard(0),) for x in spread)
    return [x.full_tensor() for x in spread]


found = on_jax() if sys.argv[1] == "jax" else on_torch()
for x, y in zip(found, trained(lambda x: x, lambda x: x), strict=True):
    np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=0, atol=1e-12)
if sys.argv[1] == "torch":
    import torch

    torch.distributed.destroy_process_group()
print("spread")
