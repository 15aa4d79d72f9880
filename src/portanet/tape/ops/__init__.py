"""One card an operation: all that is known of it, in one place.

A file a family: the formulas of its derivatives, its batching and its NumPy forms, and ``CARDS``,
which puts them together. `card` says what a card holds; `table` collects the cards by name for the
traced namespaces. A primitive holds its card: nothing is found by a bare name, which may be that of
a user's function.
"""
