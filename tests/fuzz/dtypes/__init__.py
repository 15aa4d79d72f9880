"""The sweep of dtypes: everything public in narrow numbers against float64, eager and recorded.

``python -m fuzz.dtypes`` runs it in full, with `tests` on the path; ``--help`` names its parts.
"""
