"""Entries by their index: changed copies of an array, and rows reduced by segments.

`keys` says which entries an index names; `rows` are the operations below the others.
"""
