"""What a recorded function finds around it, and whether that has changed since.

A program holds it as constants, so the program is that of a function only as long as the function
finds the same. ``code`` knows what code reads, ``origin`` whose it is; ``walk`` goes from a
function to all that it can reach, through ``objects`` of all ``kinds``; ``entries`` are the things
that may change, and ``surroundings`` asks them, before each replay, whether one has.
"""
