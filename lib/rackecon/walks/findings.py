"""What a walk finds, as numbers and names: who leads, who loses, who cannot serve, what keeping a layout costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rackecon.catalog.cached import one_state
from rackecon.evidence.intervals import add_intervals, row_factors
from rackecon.evidence.leads import ahead, in_order
from rackecon.evidence.novelty import ASKED, best_run, best_runs, named, unmeasured
from rackecon.lazy import pd
from rackecon.units import HOURS_PER_YEAR
from rackecon.walks.walk import HELD, RETUNED
from rackecon.words import STRETCHES

METRIC: Final = "profit_usd_per_mw_year"
Line = list[tuple[float, float]]
"""Places, rising, and what is drawn over them."""


@dataclass(frozen=True)
class Basis:
    """What money figures rest on."""

    cost_label: str
    utilisation: float
    power_vintage: str


@dataclass(frozen=True)
class FarEnd:
    """Leader and runner-up at one end of a walk, and what would turn them round."""

    leader: str
    rival: str
    gap_usd_per_mw_year: float
    cost_usd_per_gpu_hour: float
    flip_cost_usd_per_gpu_hour: float
    flip_rate_loss: float
    tied: bool
    error_low: float
    """Factors on the leader's throughput that nine measurements in ten lie between."""
    error_high: float


@dataclass(frozen=True)
class HeldLoss:
    """Largest ratio of the throughput of a layout searched anew to that of the first layout kept, and whose."""

    ratio: float
    platform: str


def basis(frame: pd.DataFrame) -> Basis:
    """Cost basis, utilisation and power vintage of evaluated rows; of a served one where there is one."""
    row = frame.iloc[int(frame[METRIC].notna().to_numpy().argmax())]
    return Basis(str(row["cost_label"]), float(row["utilisation"]), str(row["power_vintage"]))


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    return in_order(frame.dropna(subset=[METRIC]), METRIC)


def leaders_at(frame: pd.DataFrame, x: str, at: Any) -> tuple[str, ...]:
    """Platforms that lead at a point of the walk: the first, and those that cannot be told from it (:func:`~rackecon.evidence.leads.ahead`).

    Where nothing measured stands near a row, its platform's name says so.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"x": 1, "accelerator": ["a", "b", "c"], "platform": ["A", "B", "C"], METRIC: [9.0, 8.5, 5.0], "revenue_usd_per_mw_year": 10.0})
    >>> rows = rows.assign(**{f"{METRIC}_low": rows[METRIC] - 2.0, f"{METRIC}_high": rows[METRIC] + 2.0})
    >>> leaders_at(rows, "x", 1)
    ('A', 'B')
    """
    return tuple(named(row) for row in leading_rows(frame, x, at).to_dict("records"))


def leading_rows(frame: pd.DataFrame, x: str, at: Any) -> pd.DataFrame:
    """Rows of :func:`leaders_at`, the first first."""
    return ahead(frame[frame[x] == at], METRIC)


@one_state()
def drawn(
    frame: pd.DataFrame, x: str, y: str, asked: str | None = None, *, front: bool = False, also: Sequence[str] = ()
) -> pd.DataFrame:
    """A walk or fronts as their chart draws them: stretches of evidence, bands of the leaders at the ends, measured runs.

    Parameters
    ----------
    frame : pandas.DataFrame
        Evaluated rows; ``y_low`` and ``y_high`` bound 90 % of the serving model's error, and are counted where missing.
        ``measured_model`` names the model whose runs count, ``until`` their last date; ``y_measured`` is taken as given.
    x, y : str
        The assumption walked, and what is drawn over it.
    asked : str, optional
        Column of the speed that a measured run must keep; the walk's slowest point without one.
    front : bool
        Each platform has its own places: the ends are the slowest speed that all reach and the fastest of all, and a run
        is drawn once, at the fastest place that it keeps.
    also : sequence of str
        Accelerators whose bands are kept beside those of the platforms ahead at the ends.

    Returns
    -------
    pandas.DataFrame
        ``evidence``, one of :data:`rackecon.words.STRETCHES`, and ``stretch``, each unbroken part of it; the point where one
        becomes the other stands in both. ``y_low`` and ``y_high`` are kept of the platforms ahead at the ends alone;
        ``y_measured`` is what the best measured run at these lengths would make of it, ``run`` its kind, ``run_date`` its date and
        ``outside`` whether it lies outside its own platform's 90 %.
    """
    known = frame.dropna(subset=[y]).sort_values(x, kind="stable")
    if known.empty:
        return frame.assign(evidence=STRETCHES[0], stretch=0)
    known = _with_runs(_with_ends(known, y), y, asked)
    if front:
        again = known.duplicated(["accelerator", f"{y}_run"], keep="last")
        known[f"{y}_measured"] = known[f"{y}_measured"].mask(again)
    known = known.assign(evidence=[STRETCHES[_beyond(row)] for row in known.to_dict("records")], stretch=0)
    measured = known[f"{y}_measured"]
    known["outside"] = (measured < known[f"{y}_low"]) | (measured > known[f"{y}_high"])
    banded = _ahead(known, x, y, front) | set(also)
    known.loc[~known["accelerator"].isin(banded), [f"{y}_low", f"{y}_high"]] = math.nan
    kinds, places = known["evidence"].to_numpy(dtype=object), []
    code, names = pd.factorize(known["accelerator"])
    for line in (np.flatnonzero(code == number) for number in range(len(names))):
        bounds = np.flatnonzero(kinds[line][1:] != kinds[line][:-1]) + 1
        for stretch, part in enumerate(np.split(line, bounds), start=1):
            far = kinds[part[0]] == STRETCHES[1]
            before, after = (line[line < part[0]][-1:], line[line > part[-1]][:1]) if far else (line[:0], line[:0])
            places += [(at, kinds[part[0]], stretch) for at in (*before, *part, *after)]
    rows, evidence, numbers = zip(*places, strict=True)
    return known.iloc[list(rows)].assign(evidence=evidence, stretch=numbers).reset_index(drop=True)


def drawn_with_kept(walk: pd.DataFrame, chips: Sequence[str], x: str, y: str, asked: str | None = None) -> pd.DataFrame:
    """The lines of some platforms searched anew, as :func:`drawn` has them, and those of the first layout kept, without bands and runs."""
    rows = walk[walk["accelerator"].isin(chips)]
    free, held = (drawn(rows[rows["line"] == line], x, y, asked) for line in (RETUNED, HELD))
    spans = [f"{y}_low", f"{y}_high", f"{y}_measured"]
    return pd.concat([free, held.assign(outside=False, **dict.fromkeys(spans, math.nan))], ignore_index=True)


def _beyond(row: Mapping[Any, Any]) -> bool:
    """Whether nothing measured stands near a row, up to its date where it has one."""
    if "until" in row:
        chip, model, isl, osl = (row[name] for name in ASKED[:4])
        if not best_run(chip, model, isl, osl, until=row["until"]).kind:
            return True
    return bool(unmeasured(*(row[name] for name in ASKED)))


def _ahead(known: pd.DataFrame, x: str, y: str, front: bool) -> set[str]:
    """Platforms with the best figure at either end of what is drawn."""
    each = known.groupby("accelerator", sort=False)
    lines = {str(key): list(zip(one[x].tolist(), one[y].tolist(), strict=True)) for key, one in each}
    starts = [line[0][0] for line in lines.values()]
    return ahead_at_ends(lines, max(starts) if front else min(starts), min if _less_is_better(y) else max)


def ahead_at_ends(lines: Mapping[str, Line], start: float, best: Callable[..., str] = max) -> set[str]:
    """Who has the best figure at the start, of lines that begin by then, and who at the furthest place that any reaches.

    Parameters
    ----------
    lines : mapping
        Name to its places, rising, and figures.
    start : float
        Where the first end is; a line that has no point there stands at its next.
    best : callable
        ``max``, or ``min`` where less is better.

    Examples
    --------
    >>> lines = {"a": [(10.0, 5.0), (20.0, 1.0)], "b": [(15.0, 9.0), (30.0, 2.0)], "c": [(10.0, 4.0), (30.0, 1.0)]}
    >>> sorted(ahead_at_ends(lines, 10.0)), sorted(ahead_at_ends(lines, 15.0))
    (['a', 'b'], ['b'])
    """
    known = {key: line for key, line in lines.items() if line}
    if not known:
        return set()
    begun = {key: [y for x, y in line if x >= start] for key, line in known.items() if line[0][0] <= start}
    last = max(line[-1][0] for line in known.values())
    ends = (
        {key: rest[0] for key, rest in begun.items() if rest},
        {k: v[-1][1] for k, v in known.items() if v[-1][0] == last},
    )
    return {best(end, key=end.__getitem__) for end in ends if end}


def _less_is_better(y: str) -> bool:
    """Whether a column falls as the rate rises: a cost or an energy per token."""
    return "usd_per_mtok" in y or "joules" in y


def _with_ends(known: pd.DataFrame, y: str) -> pd.DataFrame:
    """The rows with the ends of 90 % of the serving model's error, counted where they have none."""
    if f"{y}_low" in known:
        return known
    if "total_tok_s_per_gpu_low" not in known:
        known = add_intervals(known)
    ends = [at_rates(known, y, known[f"total_tok_s_per_gpu_{end}"]) for end in ("low", "high")]
    low, high = ends[::-1] if _less_is_better(y) else ends
    return known.assign(**{f"{y}_low": low, f"{y}_high": high})


def _with_runs(known: pd.DataFrame, y: str, asked: str | None) -> pd.DataFrame:
    """The rows with what the best measured run at their lengths and speed would make of them."""
    if f"{y}_measured" in known:
        return known
    runs = best_runs(known, asked)
    rates = [run.total_tok_s_per_gpu for run in runs]
    told = known.assign(run=[run.kind for run in runs], run_date=[run.date for run in runs])
    told[f"{y}_measured"], told[f"{y}_run"] = at_rates(known, y, rates), rates
    return told


def at_rates(rows: pd.DataFrame, y: str, rates: Any) -> Any:
    """What a column would be at other total rates: a profit by its revenue, a cost or an energy per token inversely, a rate itself."""
    ratio = rates / rows["total_tok_s_per_gpu"]
    if y.startswith("profit_usd_per_"):
        unit = y.removeprefix("profit_")
        return rows[f"revenue_{unit}"] * ratio - rows[f"cost_{unit}"]
    return rows[y] / ratio if _less_is_better(y) else rows[y] * ratio


def first_profit(frame: pd.DataFrame, x: str, at: float) -> float:
    """Profit per MW-year of the first platform at a point of the walk; NaN where nobody serves it."""
    known = _ordered(frame[frame[x] == at])
    return float(known[METRIC].iloc[0]) if len(known) else math.nan


def first_ends(frame: pd.DataFrame, x: str, at: float, name: str) -> dict[str, Any]:
    """The same as ``name_profit``, with 90 % of it by the serving model's error.

    Examples
    --------
    >>> import pandas as pd
    >>> row = pd.DataFrame({"accelerator": ["h100-sxm"], "x": [1.0], METRIC: [2e6], f"{METRIC}_low": [1e6], f"{METRIC}_high": [4e6]})
    >>> first_ends(row, "x", 1.0, "end")
    {'end_profit': 2000000.0, 'end_low': 1000000.0, 'end_high': 4000000.0}
    """
    known = _ordered(frame[frame[x] == at]).to_dict("records") or [{}]
    columns = {"profit": METRIC, "low": f"{METRIC}_low", "high": f"{METRIC}_high"}
    return {f"{name}_{end}": float(known[0].get(column, math.nan)) for end, column in columns.items()}


def losing_from(frame: pd.DataFrame, x: str) -> tuple[tuple[str, float], ...]:
    """Each platform that loses money somewhere on the walk, and the first point where it does."""
    bad = frame[frame[METRIC] < 0].sort_values(x, kind="stable").drop_duplicates("platform")
    return tuple((str(name), float(at)) for name, at in zip(bad["platform"], bad[x], strict=True))


def earning_nowhere(frame: pd.DataFrame) -> tuple[str, ...]:
    """Platforms that serve some point of a walk and earn at none.

    Examples
    --------
    >>> import pandas as pd
    >>> earning_nowhere(pd.DataFrame({"platform": ["A", "A", "B", "B", "C"], METRIC: [-1.0, -2.0, -1.0, 1.0, math.nan]}))
    ('A',)
    """
    best = frame.groupby("platform", sort=False)[METRIC].max()
    return tuple(str(name) for name in best.index[best <= 0.0])


def unserved_from(frame: pd.DataFrame, x: str) -> tuple[tuple[str, float, str], ...]:
    """Each platform that cannot serve some point within its limits: the first one, and why."""
    out = frame[frame["total_tok_s_per_gpu"].isna()].sort_values(x, kind="stable").drop_duplicates("platform")
    return tuple(
        (str(name), float(at), str(why)) for name, at, why in zip(out["platform"], out[x], out["reason"], strict=True)
    )


def held_loss(walk: pd.DataFrame, x: str) -> HeldLoss:
    """What keeping the first layout costs at most; a ratio of 1 and nobody where it costs nothing."""
    names = ["accelerator", x]
    both = walk[walk["line"] == HELD].merge(walk[walk["line"] == RETUNED], on=names, suffixes=("", "_free"))
    ratio = both["total_tok_s_per_gpu_free"] / both["total_tok_s_per_gpu"].where(both["total_tok_s_per_gpu"] > 0)
    if not ratio.max() > 1.0:
        return HeldLoss(1.0, "")
    worst = int(ratio.fillna(0.0).to_numpy().argmax())
    return HeldLoss(float(ratio.iloc[worst]), str(both["platform"].iloc[worst]))


def pair_drawn(frame: pd.DataFrame, x: str, other: str = "") -> tuple[str, ...]:
    """Two platforms to draw with their first layout kept: the leader at the start, and the one named or the next."""
    start = _ordered(frame[frame[x] == frame[x].min()])["accelerator"]
    named = frame[frame["platform"] == other]["accelerator"]
    return tuple(dict.fromkeys([*start.head(1), *named.head(1), *start.iloc[1:2]]))[:2]


def far_end(frame: pd.DataFrame, x: str) -> FarEnd | None:
    """First and second at the last point of a walk, and what turns them round; None where fewer than two serve it."""
    tops = _ordered(frame[frame[x] == frame[x].max()])
    if len(tops) < 2:
        return None
    first, second = tops.iloc[0], tops.iloc[1]
    gap = float(first[METRIC]) - float(second[METRIC])
    cost, revenue = float(first["cost_usd_per_gpu_hour"]), float(first["revenue_usd_per_mw_year"])
    loss = gap / revenue if revenue > 0 else math.inf
    rate_low, rate_high = row_factors(tops.head(1))[0].tolist()
    return FarEnd(
        leader=named(first.to_dict()),
        rival=named(second.to_dict()),
        gap_usd_per_mw_year=gap,
        cost_usd_per_gpu_hour=cost,
        flip_cost_usd_per_gpu_hour=cost + gap / (float(first["gpus_per_mw"]) * HOURS_PER_YEAR),
        flip_rate_loss=loss,
        tied=len(ahead(tops.head(2), METRIC)) > 1,
        error_low=rate_low,
        error_high=rate_high,
    )
