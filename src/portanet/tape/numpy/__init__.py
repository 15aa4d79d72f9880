"""NumPy's own names on traced arrays: its ufuncs, its functions, the methods of its arrays, and
the functions of single elements of ``scipy.special``.

A body has the signature of the function that it stands for, after the namespace ``xp`` in whose
words it computes. There is a file for each family; ``table`` puts the families together.
"""
