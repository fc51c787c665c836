"""Queueing formulas."""

from __future__ import annotations


def erlang_c(servers: int, offered: float) -> float:
    """Chance that an arrival waits in M/M/k.

    Parameters
    ----------
    servers : int
        Servers k.
    offered : float
        Work offered, in servers; below k.

    Notes
    -----
    By the recursion of Erlang's B, :math:`B_k = a B_{k-1}/(k + a B_{k-1})`, and :math:`C = B/(1 - \\rho(1 - B))`
    (Erlang 1917; Kleinrock, Queueing Systems I, 1975).

    Examples
    --------
    >>> round(erlang_c(2, 1.0), 4)
    0.3333
    """
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    load = offered / servers
    return blocked / (1.0 - load * (1.0 - blocked))
