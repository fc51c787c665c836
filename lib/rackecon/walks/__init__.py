"""Walks: one assumption moved while the rest is held."""
