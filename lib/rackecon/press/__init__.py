"""Notebooks executed, rendered, recorded and compared; the pages together."""
