"""Sweeps: grids of points that outgrow memory, patience or one machine."""
