"""jit: a function is recorded once as a straight program and then replayed.

`record` runs the function with a trace that writes every operation down; `simplify`, `transposes`
and `near` shorten the program; `forms` and `steps` choose how each result is held, `blocks` puts
operations on large arrays into loops, `storage` gives memory by lifetimes, and `source` writes all
that as flat NumPy source; `drawing` shows it; `calling` takes arguments apart; `jit` holds the
programs of one function.
"""
