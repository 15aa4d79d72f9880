"""jit: a function is recorded once as a straight program and then replayed.

``record`` runs the function with a trace that writes every operation down, into a `program`;
``plan`` shortens it and gives each result its memory; ``write`` makes flat NumPy source of it;
``call`` finds the program that serves a call.
"""
