"""Loops and branches as operations over recorded bodies, with derivatives of every order."""
