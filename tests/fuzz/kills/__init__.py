"""Training that is killed at any instant: it goes on, and ends with the bits of one never killed.

``python -m fuzz.kills --kills 200 --seed 0``, with ``tests`` on the path.
"""
