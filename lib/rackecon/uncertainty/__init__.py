"""Uncertainty: distributions, draws, and what they say of the answer."""
