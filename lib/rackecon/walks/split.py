"""Prefill and decode together or apart: gain by workload, split by speed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog import Scenario
from rackecon.economics.measures import MEASURES
from rackecon.evidence.intervals import AT_SPEED, interval_factors, ratio_ends
from rackecon.evidence.novelty import Run, best_run
from rackecon.lazy import pd
from rackecon.walks.findings import drawn
from rackecon.words import RUNS

MODES = ("aggregated", "disaggregated")
CASE = ("accelerator", "model", "isl_tokens", "osl_tokens", "tok_s_per_user_target")
"""Columns that say what a measured run must be of and keep."""
PROFIT: Final = MEASURES["rack"].column


@dataclass(frozen=True)
class Worth:
    """What splitting adds to the yearly profit of a rack [USD/year] of the platform that earns most split, and nine measurements in ten."""

    platform: str = ""
    usd: float = math.nan
    low: float = math.nan
    high: float = math.nan
    cost_label: str = ""


def worth(accelerators: Sequence[str], model: str, case: Scenario, **overrides: Any) -> Worth:
    """What splitting pays on a case: each mode where it earns most, by the platform whose rack earns most split.

    Parameters
    ----------
    accelerators : sequence of str
        Ids; one that does not serve the case both ways is left out.
    model : str
        Id of the model.
    case : Scenario
        The workload with its limits.
    **overrides
        Fields of :class:`~rackecon.appraisal.assumptions.Assumptions`.
    """
    from rackecon.appraisal.evaluate import evaluate

    one, two = (
        evaluate(accelerators, [model], [case], search_options={"mode": mode}, **overrides).set_index("accelerator")
        for mode in MODES
    )
    return worth_found(one, two)


def worth_found(one: pd.DataFrame, two: pd.DataFrame) -> Worth:
    """What the rows of both modes say, by accelerator; the errors of their rates are taken as independent.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [pd.DataFrame({"platform": "A", PROFIT: x, f"{PROFIT}_low": x - 3, f"{PROFIT}_high": x + 4, "cost_label": "own"}, ["a"]) for x in (1.0, 5.0)]
    >>> worth_found(*rows)
    Worth(platform='A', usd=4.0, low=-1.0, high=9.0, cost_label='own')
    """
    ends = [f"{PROFIT}{end}" for end in ("", "_low", "_high")]
    if any(set(ends) - set(rows) for rows in (one, two)):
        return Worth()
    known = two.index[two[PROFIT].notna() & one[PROFIT].reindex(two.index).notna()]
    if known.empty:
        return Worth()
    key = two.loc[known, PROFIT].idxmax()
    (shared, shared_low, shared_high), (apart, apart_low, apart_high) = (
        rows.loc[key, ends].astype(float) for rows in (one, two)
    )
    gain = apart - shared
    return Worth(
        str(two.loc[key, "platform"]),
        gain,
        gain - math.hypot(apart - apart_low, shared_high - shared),
        gain + math.hypot(apart_high - apart, shared - shared_low),
        str(two.loc[key, "cost_label"]),
    )


def _best(key: str, model: str, case: Scenario, mode: str) -> dict[str, Any] | None:
    from rackecon.serving.frontier import search_case

    return search_case(key, model, case, mode=mode).best()


def gains(accelerators: Sequence[str], model: str, scenarios: Sequence[str]) -> pd.DataFrame:
    """Best throughput of each mode for each platform and workload, and their ratio."""
    rows = []
    for key in accelerators:
        for name in scenarios:
            case = catalog.scenario(name)
            one, two = (_best(key, model, case, mode) for mode in MODES)
            gain = two["total_tok_s_per_gpu"] / one["total_tok_s_per_gpu"] if one and two else math.nan
            text = f"{gain:.2f}" if one and two else "only split" if two else "only shared" if one else "not served"
            rows.append(
                {
                    "accelerator": key,
                    "platform": catalog.accelerator(key).label,
                    "model": model,
                    "scenario": name,
                    "gain": gain,
                    "log_gain": math.log(gain) if gain == gain else 0.0,
                    "text": text,
                    "prefill_gpus": two["prefill_gpus"] if two else math.nan,
                    "decode_gpus": two["decode_gpus"] if two else math.nan,
                    "layout": two["layout"] if two else "",
                    "ttft_ms": two["ttft_ms"] if two else math.nan,
                    "total_tok_s_per_gpu": two["total_tok_s_per_gpu"] if two else math.nan,
                }
            )
    return pd.DataFrame(rows)


def by_speed(accelerators: Sequence[str], model: str, case: Scenario, speeds: Iterable[float]) -> pd.DataFrame:
    """Best point of each mode at each promised speed."""
    rows = []
    for key in accelerators:
        for speed in speeds:
            for mode in MODES:
                best = _best(key, model, replace(case, tpot_limit_ms=1e3 / speed), mode)
                if best is not None:
                    rows.append(
                        {
                            "accelerator": key,
                            "platform": catalog.accelerator(key).label,
                            "model": model,
                            "isl_tokens": case.isl_tokens,
                            "osl_tokens": case.osl_tokens,
                            "tok_s_per_user_target": float(speed),
                            "mode": mode,
                            "total_tok_s_per_gpu": best["total_tok_s_per_gpu"],
                            "tok_s_per_user": best["tok_s_per_user"],
                            "prefill_per_decode": best["prefill_gpus"] / best["decode_gpus"]
                            if mode == "disaggregated"
                            else 0.0,
                        }
                    )
    return pd.DataFrame(
        rows,
        columns=[
            "accelerator",
            "platform",
            "model",
            "isl_tokens",
            "osl_tokens",
            "tok_s_per_user_target",
            "mode",
            "total_tok_s_per_gpu",
            "tok_s_per_user",
            "prefill_per_decode",
        ],
    )


def gain_lines(speeds: pd.DataFrame) -> pd.DataFrame:
    """Gain from splitting at each promise as its chart draws it: the gain of the best measured runs, and ends of 90 % of the platforms that have some.

    Parameters
    ----------
    speeds : pandas.DataFrame
        From :func:`by_speed`.
    """
    target, keys = CASE[-1], [CASE[0], CASE[-1]]
    one, two = (speeds[speeds["mode"] == mode] for mode in MODES)
    both = two.merge(one[[*keys, "total_tok_s_per_gpu"]], on=keys, suffixes=("", "_one"))
    both = both.assign(gain=both["total_tok_s_per_gpu"] / both["total_tok_s_per_gpu_one"])
    cases = [tuple(row[name] for name in CASE) for row in both.to_dict("records")]
    runs = [_measured_gain(*case) for case in cases]
    factors = np.array([gain_ends(*case[:2]) for case in cases]).reshape(-1, 2)
    run_on = both.loc[[gain == gain for gain, _ in runs], "accelerator"].unique().tolist()
    line = drawn(
        both.assign(
            gain_low=both["gain"] * factors[:, 0],
            gain_high=both["gain"] * factors[:, 1],
            gain_measured=[gain for gain, _ in runs],
            run=[run.kind for _, run in runs],
            run_date=[run.date for _, run in runs],
        ),
        target,
        "gain",
        also=run_on,
    )
    if not run_on:
        return line
    # a gain that stands at several promises is one pair of runs: it counts at the fastest that it keeps
    line["gain_measured"] = line["gain_measured"].mask(again(line))
    line.loc[~line["accelerator"].isin(run_on), ["gain_low", "gain_high"]] = math.nan
    return line


def again(line: pd.DataFrame) -> pd.Series:
    """Whether a measured gain stands at a faster promise of its platform too.

    Examples
    --------
    >>> import pandas as pd
    >>> again(pd.DataFrame({"accelerator": "a", CASE[-1]: [1.0, 2.0, 2.0, 3.0], "gain_measured": [1.5, 1.5, 1.5, 1.2]})).tolist()
    [True, False, False, False]
    """
    fastest = line.groupby(["accelerator", "gain_measured"])[CASE[-1]].transform("max")
    return (line[CASE[-1]] < fastest).fillna(False)


def _measured_gain(*case: Any) -> tuple[float, Run]:
    """Best split over best shared run of one number format and drafting, of the alike pair whose slower run is fastest; NaN without one."""
    found: list[tuple[float, float, Run]] = []
    for kind, precision in itertools.product(RUNS[:2], ("fp4", "fp8")):
        shared, apart = (best_run(*case, mode=mode, kind=kind, weight_precision=precision) for mode in MODES)
        one, two = shared.total_tok_s_per_gpu, apart.total_tok_s_per_gpu
        if math.isfinite(two / one):
            found.append((min(one, two), two / one, apart))
    return max(found, key=lambda pair: pair[0])[1:] if found else (math.nan, Run(math.nan))


def gain_ends(accelerator: str, model: str) -> tuple[float, float]:
    """Factors on the gain from splitting that give the ends of its 90 % interval.

    Examples
    --------
    >>> low, high = gain_ends("gb200-nvl72", "deepseek-r1")
    >>> low < 1.0 < high
    True
    """
    one, two = (interval_factors(accelerator, model, mode, AT_SPEED, also=()) for mode in MODES)
    low, high = ratio_ends(two, one)
    return float(low), float(high)
