"""Blocks of a day and the share of the day's tokens that falls into each."""

from __future__ import annotations

from rackecon.errors import InputError
from rackecon.load.demand import demand
from rackecon.planner.records import Block, Plan
from rackecon.units import HOURS_PER_DAY


def mean_day(shape: str, blocks: int) -> tuple[Block, ...]:
    """The mean day of a public trace in blocks of equal length.

    Parameters
    ----------
    shape : str
        A trace of data/demand_traces.csv.
    blocks : int
        Divides the trace's bins of a day.

    Raises
    ------
    InputError
        Less than a day of demand, or blocks that do not divide its bins.

    Notes
    -----
    The mean over days evens out what differs between them: a fleet planned on it meets the mean day, not the worst one.

    Examples
    --------
    >>> day = mean_day("azure2024_conv", 24)
    >>> round(24 * max(block.share for block in day), 2)
    1.32
    """
    found = demand(shape).filled()
    per = found.bins_per_day
    days = len(found.values) // per
    if days < 1:
        raise InputError(f"demand_shape {shape} holds {found.days:.2g} days: a mean day needs one")
    if per % blocks:
        raise InputError(f"blocks {blocks} do not divide the {per} bins of a day of {shape}")
    day = found.values[: days * per].reshape(days, blocks, -1).sum(axis=(0, 2))
    hours = HOURS_PER_DAY / blocks
    return tuple(
        Block(name=f"{i * hours:05.2f}", hours=hours, share=float(share))
        for i, share in enumerate((day / day.sum()).tolist())
    )


def blocks_of(plan: Plan) -> tuple[Block, ...]:
    """The plan's blocks: given outright, of a public shape, or one even day."""
    if plan.day:
        return plan.day
    if plan.demand_shape is not None:
        return mean_day(plan.demand_shape, plan.blocks)
    return (Block(name="all day", hours=HOURS_PER_DAY, share=1.0),)
