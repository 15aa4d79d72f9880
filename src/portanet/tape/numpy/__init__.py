"""NumPy's own names on traced arrays, and those of ``scipy.special``.

That is its universal functions, its other functions and the methods of its arrays. A body has the
signature of the function that it stands for, after the namespace ``xp`` in whose words it computes.
There is a file for each family; ``table`` puts the families together.
"""
