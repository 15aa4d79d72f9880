"""One session on a machine with a GPU: the smallest proof, the tests, then the benchmarks.

Run from the root of the repository; nothing has to be installed but the libraries::

    PYTHONPATH=src python -m benchmarks.gpu

It takes eight minutes at most, prints what it finds as it finds it, and keeps it in a file of JSON
lines. Run again, it goes on with what that file does not have yet.
"""
