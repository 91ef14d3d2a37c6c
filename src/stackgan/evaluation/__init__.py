"""Scores of a generator, each written with the protocol that made it."""
