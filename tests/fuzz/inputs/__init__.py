"""Bad input for everything public: ``python -m fuzz.inputs`` with ``tests`` on the path.

`calls` makes valid calls of every public name, `places` finds what can be replaced in one, `probes`
what it is replaced by, and `run` says whether the answer was an error of the family, and quick.
"""
