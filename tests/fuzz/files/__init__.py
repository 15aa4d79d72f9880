"""Files at random against the verdict of the format's own library, and files torn in two.

``python -m fuzz.files --files 50000 --seed 0``, with ``tests`` on the path of Python.
"""
