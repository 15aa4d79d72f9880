"""portanet beside its peers: the same work, from the same numbers, in the same run.

``python -m benchmarks`` runs them all, ``python -m benchmarks training`` those named so. Every
contender starts from the same weights and data, and its results are compared before it is timed.
"""

import os

# BLAS reads these once, when NumPy is first imported; XLA its own, when JAX is: NPROC is the
# size of its pool of threads, which no flag bounds.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["NPROC"] = "1"
if hasattr(os, "sched_setaffinity"):  # whatever else makes threads: they share one processor
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
