"""Slow, plain second readings of the specification, sharing no code with the package they check."""
