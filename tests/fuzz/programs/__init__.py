"""Random programs, computed plain and recorded by `pn.jit`, on NumPy and on array_api_strict.

``python -m fuzz.programs --programs 100000 --seed 0``, with ``tests`` on ``PYTHONPATH``, prints
each program that goes wrong as a small text that runs by itself.
"""
