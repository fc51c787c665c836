"""Tables of the validation page on what the answer rests on: searched fronts, what is new, support, forecasts."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.evidence.forecasts import KEY, ledger
from rackecon.evidence.fronts import front_ranges, front_scores, with_inside
from rackecon.evidence.intervals import AT_SPEED
from rackecon.evidence.orders import order_scores, orders, shared_error
from rackecon.evidence.record import FORWARD
from rackecon.evidence.scores import FIRST, HELD, LOADED, NAMES, RATE, USER
from rackecon.evidence.support import GRADES, support_matrix
from rackecon.lazy import pd
from rackecon.pages.sentences import say
from rackecon.words import number

PAGE = "13_validation"
SHOWN_MODELS = (
    "gpt-oss-120b", "deepseek-r1", "deepseek-v3.2", "deepseek-v4-pro", "kimi-k2.5", "qwen3.5-397b-a17b",
    "minimax-m2.5", "llama-3.3-70b",
)  # fmt: skip


@by_data(1)
def front_table() -> pd.DataFrame:
    """Searched fronts, and those of the sweeps' own configurations, beside measured ones at equal speed, by platform, mode and speed [%].

    ``median_low_pct, median_high_pct`` and ``bias_low_pct, bias_high_pct`` are where nine in ten lie when sweeps are drawn again.
    """
    points = catalog.table("validation_fronts")
    found = front_scores(with_inside(points))
    found = found[found["slice"].str.match("all$|mode |band |accelerator ")].copy()
    found = found.merge(front_ranges(points, found["slice"]), on="slice")
    # of all and of a mode the coverage held out is said elsewhere: the intervals of the answers were widened on these points
    found.loc[~found["slice"].str.match("band |accelerator "), "inside_pct"] = np.nan
    chips = catalog.accelerators()
    words = found["slice"].str.replace(r"^(mode|band|accelerator) ", "", regex=True)
    found["slice"] = [chips[x].label if x in chips else x for x in words]
    for ours, log in (("bias_pct", "bias_log"), ("bias_low_pct", "bias_high_log"), ("bias_high_pct", "bias_low_log")):
        found[ours] = 100.0 * np.expm1(-found[log])
    return found[["slice", *FRONT_UNITS]]


def fronts_shown(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`front_table` as the page shows it: the ends of the bias in one column."""
    ends = zip(table["bias_low_pct"], table["bias_high_pct"], strict=True)
    texts = [f"{number(round(low))} to {number(round(high))}" for low, high in ends]
    shown = table.drop(columns=[name for name in table.columns if "_low_" in name or "_high_" in name])
    shown.insert(shown.columns.tolist().index("bias_pct") + 1, "bias_range", texts)
    return shown


def fronts_sentence(table: pd.DataFrame) -> str:
    """What other sweeps might have shown: the ends of the error, and which platforms' biases are told from none."""
    labels = {chip.label for chip in catalog.accelerators().values()}
    platforms = table[table["slice"].isin(labels) & (table["sweeps"] >= FEWEST_SWEEPS)].to_dict("records")
    told = [row for row in platforms if row["bias_low_pct"] > 0.0 or row["bias_high_pct"] < 0.0]
    widest = max(platforms, key=lambda row: float(abs(row["bias_pct"])))
    return say(PAGE, "fronts", all=table.iloc[0].to_dict(), told=[row["slice"] for row in told], widest=widest)


@by_data(1)
def found_orders() -> pd.DataFrame:
    """Every two public sweeps held against each other, as searched and as measured."""
    return orders(catalog.table("validation_fronts"))


def order_table() -> pd.DataFrame:
    """How often searched fronts told who was ahead, by how the lead is called [%]."""
    return order_scores(found_orders())


def order_sentence() -> str:
    """What the leads that the report calls are worth, and whether two platforms err together."""
    found = order_table()
    return say(
        PAGE,
        "orders",
        right={row["call"]: float(row["right_pct"]) / 100 for row in found.to_dict("records")},
        share=float(found["share_pct"].iloc[0]) / 100,
        places=int(found["places"].sum()),
        shared=shared_error(found_orders()),
    )


def forward_table() -> pd.DataFrame:
    """Errors of what was measured from four dates on, by fits to what came before [%]: with the software of the cut, and dated."""
    scores = catalog.table("validation_scores")
    scores = scores[scores["scheme"].str.startswith("from ") & (scores["slice"] == LOADED)]
    named = scores["scheme"].str.extract(r"from (?P<cut>[\d-]+), (?P<kind>.*)")
    table = pd.concat([named, scores], axis=1).pivot_table("median_pct", "cut", ["quantity", "kind"])
    columns = [(quantity, kind) for quantity in (RATE, USER) for kind in FORWARD]
    out = table[columns].set_axis(["rate", "rate_dated", "speed", "speed_dated"], axis=1)
    counts = scores[scores["quantity"] == RATE].groupby(named["cut"])["points"].max()
    out.insert(0, "points", counts.astype(int))
    return out.reset_index()


TESTED = (
    ("whole curves", HELD, (LOADED, "aggregated", "disaggregated", "throughput tables")),
    ("pairs of platform and model", "leave one pair out", (LOADED,)),
    ("models", "leave one model out", (LOADED,)),
    ("accelerators", "leave one accelerator out", (LOADED, "NVIDIA", "AMD")),
    ("engines of a platform", "leave one engine of a platform out", (LOADED,)),
    ("sets of lengths", "leave one set of lengths out", (LOADED,)),
)
"""What is held out, its scheme in data/validation_physics.csv, and the rows scored."""
MODE_ROWS = {"aggregated": FIRST, "disaggregated": FIRST}
ROW_NAMES = {LOADED: "", "throughput tables": "tables of peak rates"}
FRONT_UNITS: Final = {
    **dict.fromkeys(("sweeps", "points", "unreached"), "count"),
    **dict.fromkeys(("median_pct", "median_low_pct", "median_high_pct", "own_pct", "both_pct"), "%"),
    **dict.fromkeys(("bias_pct", "bias_low_pct", "bias_high_pct", "inside_pct"), "%"),
}
"""Unit of each figure of :func:`front_table`."""
FEWEST_SWEEPS: Final = 3
"""Of a platform whose bias is spoken of."""
LITTLE = 0.1  # share of an error within which two count as alike; own
TESTED_UNITS: Final = {
    **dict.fromkeys(("physics_pct", "median_pct", "p90_pct", "coverage_pct"), "%"),
    **dict.fromkeys(("width_log", "interval_score", "physics_weighted_score", "weighted_score"), "-"),
}
"""Unit of each figure of :func:`tested_table`; the scores are of the natural log."""
SHOWN: Final = ("points", "physics_pct", "median_pct", "p90_pct", "coverage_pct")
SCORED = ("p90_pct", "coverage_pct", "width_log", "interval_score", "physics_weighted_score", "weighted_score")


def tested_table() -> pd.DataFrame:
    """How the model is tested and what it gets: physics alone against physics with what is learnt on top, both held out.

    Returns
    -------
    pandas.DataFrame
        ``held_out, of, points, physics_pct, median_pct`` (median errors [%]), ``p90_pct``, and of 90 % intervals
        ``coverage_pct``, ``width_log`` (median), ``interval_score``, ``physics_weighted_score, weighted_score`` (of the
        natural log; NaN where none is scored).
    """
    from rackecon.evidence.mlperf import FIRST_GUESS, mlperf_scores

    rows = [_tested_row(held, of, row) for held, of, row in _tested()]
    energy = catalog.table("validation_energy")
    whole = energy[(energy["platform"] == "all") & (energy["phase"] == "all")]
    for row in whole[whole["scheme"] == "platform held out"].to_dict("records"):
        rows.append(
            {"held_out": "platforms", "of": row["quantity"], **{x: row[x] for x in ("points", "median_pct", "p90_pct")}}
        )
    scores = mlperf_scores()
    apart = scores["benchmark"] == FIRST_GUESS[0]
    for of, chosen in (("without gpt-oss-120b", ~apart), ("gpt-oss-120b", apart)):
        errors = scores.loc[chosen, "error_pct"]
        ends = {"points": len(errors), "median_pct": float(errors.median()), "p90_pct": float(errors.quantile(0.9))}
        rows.append({"held_out": "MLPerf v6.0", "of": f"output tok/s, {of}", **ends})
    return pd.DataFrame(rows).astype({"points": int})


def tested_shown(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`tested_table` as the page shows it: a name a row, and errors and coverage alone."""
    named = table.assign(what=[f"{held}: {of}" for held, of in zip(table["held_out"], table["of"], strict=True)])
    return named[["what", *SHOWN]]


def _tested() -> list[tuple[str, str, dict[Hashable, Any]]]:
    """What is held out, what is scored of it, and its row of data/validation_physics.csv."""
    found = {
        (x["scheme"], x["slice"], x["quantity"]): x for x in catalog.table("validation_physics").to_dict("records")
    }
    out = [
        (held, ", ".join(filter(None, (NAMES[name], ROW_NAMES.get(part, part)))), found[scheme, part, name])
        for held, scheme, parts in TESTED
        for part in parts
        for name in NAMES
        if (scheme, part, name) in found and (part == LOADED or name == MODE_ROWS.get(part, RATE))
    ]
    for scheme, part, name in sorted(found):
        if scheme.endswith(FORWARD[0]) and (part, name) == (LOADED, RATE):
            out.append((f"all measured {scheme.split(',')[0]} on", NAMES[RATE], found[scheme, part, name]))
    fronts = front_scores(catalog.table("validation_fronts")).to_dict("records")[0]
    rows = catalog.table("validation_intervals").to_dict("records")
    scored = next(row for row in rows if (row["evidence"], row["quantity"]) == ("known", AT_SPEED))
    exact: dict[str, dict[Hashable, Any]] = {
        "at equal speed": {**fronts, **{name: scored[name] for name in SCORED if name in scored}},
        "of speed and rate alike": {"median_pct": fronts["both_pct"]},
    }
    return out + [
        ("whole curves", f"searched front {key[1]}", {**found[key], **exact[key[1]]})
        for key in found
        if key[0] == "searched fronts"
    ]


def _tested_row(held: str, of: str, row: dict[Hashable, Any]) -> dict[str, Any]:
    errors = {"points": row["points"], "physics_pct": row["physics_median_pct"], "median_pct": row["median_pct"]}
    return {"held_out": held, "of": of, **errors, **{name: row[name] for name in SCORED}}


def tested_sentence(table: pd.DataFrame) -> str:
    """What the residual buys, and where it buys nothing, of :func:`tested_table`."""
    by = {(row["held_out"], row["of"]): row for row in table.to_dict("records")}
    kinds = {
        "whole curves": ("whole curves", "tok/s per GPU"),
        "searched fronts": ("whole curves", "searched front at equal speed"),
        "models never seen": ("models", "tok/s per GPU"),
        "NVIDIA accelerators never seen": ("accelerators", "tok/s per GPU, NVIDIA"),
        "AMD accelerators never seen": ("accelerators", "tok/s per GPU, AMD"),
    }
    found = [
        (name, float(by[key]["physics_pct"]) / 100, float(by[key]["median_pct"]) / 100) for name, key in kinds.items()
    ]
    return say(
        PAGE,
        "tested",
        better=[one for one in found if one[2] < one[1] * (1 - LITTLE)],
        alike=[one for one in found if abs(one[2] / one[1] - 1) <= LITTLE],
        worse=[one for one in found if one[2] > one[1] * (1 + LITTLE)],
    )


def support_table() -> pd.DataFrame:
    """Grade of each platform and model, the better of the two modes; rows are platforms."""
    found = support_matrix(models=SHOWN_MODELS)
    best = found.groupby(["accelerator", "model"], sort=False)["grade"].min().unstack(sort=False)
    best = best[list(SHOWN_MODELS)].rename(columns={key: catalog.model(key).name for key in SHOWN_MODELS})
    chips = catalog.accelerators()
    best.insert(0, "platform", [chips[key].label for key in best.index])
    return best.reset_index(drop=True)


def grades_sentence() -> str:
    """What the grades mean."""
    return "; ".join(f"{grade}: {words}" for grade, words in GRADES.items()) + "."


def forecast_table() -> pd.DataFrame:
    """Forecasts on record, of each question the newest: rate at a speed with its 90 % interval."""
    chips = catalog.accelerators()
    newest = {tuple(row[name] for name in (*KEY, "tok_s_per_user")): row for row in ledger()}
    rows = [
        {
            "made": row["made"],
            "platform": chips[row["accelerator"]].label,
            "model": catalog.model(row["model"]).name,
            "lengths": f"{row['isl']}/{row['osl']}",
            "tok_s_per_user": float(row["tok_s_per_user"]),
            "total_tok_s_per_gpu": float(row["total_tok_s_per_gpu"]),
            "low": float(row["total_tok_s_per_gpu_low"]),
            "high": float(row["total_tok_s_per_gpu_high"]),
        }
        for row in newest.values()
    ]
    return pd.DataFrame(rows)
