"""Fuzzers: programs, files, bad input and dtypes made at random."""
