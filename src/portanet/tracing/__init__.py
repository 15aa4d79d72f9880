"""jit: a function is recorded once as a straight program and then replayed.

`record` runs the function with a trace that writes every operation down; `simplify` shortens the
program; `forms`, `storage` and `source` turn it into flat NumPy source on memory that is kept;
`calling` takes arguments apart; `jit` holds the programs of one function.
"""
