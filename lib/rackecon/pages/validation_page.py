"""Tables and computed sentences of the validation page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.evidence.calibration import FOLDS
from rackecon.evidence.fronts import front_scores
from rackecon.evidence.intervals import AT_SPEED
from rackecon.evidence.orders import CALLS, shared_error
from rackecon.evidence.scores import FIRST, HELD, LOADED, NAMES, RATE, USER, scores
from rackecon.evidence.validation import SHUFFLES
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.lazy import pd
from rackecon.pages.mlperf_view import mlperf_result, mlperf_table
from rackecon.pages.sentences import say
from rackecon.pages.trust_page import FRONT_UNITS, TESTED_UNITS, found_orders, front_table, order_table, tested_table
from rackecon.words import engine_words

PAGE: Final = "13_validation"
SLICED: Final = {"median": "%", "p90": "%", "points": "count"}
ORDERED: Final = {"places": "count", "share_pct": "%", "right_pct": "%"}
HIGH_PCT: Final = 20.0
"""Median error above which a slice is named [%]."""
LEAST_POINTS: Final = 8
"""Of a slice that is judged."""
# (what, scheme, slice, quantity, most median, most 90th percentile) [%]
TARGETS: tuple[tuple[str, str, str, str, float, float | None], ...] = (
    ("all rows with a load", HELD, LOADED, RATE, 10.0, 35.0),
    ("all rows with a load", HELD, LOADED, USER, 10.0, 35.0),
    ("aggregated", HELD, "aggregated", RATE, 10.0, 28.0),
    ("disaggregated", HELD, "disaggregated", RATE, 14.0, 50.0),
    ("aggregated", HELD, "aggregated", FIRST, 28.0, None),
    ("disaggregated", HELD, "disaggregated", FIRST, 50.0, None),
    ("throughput tables", HELD, "throughput tables", RATE, 13.0, None),
    ("gpt-oss-120b", HELD, "model gpt-oss-120b", RATE, 14.0, None),
    ("a model never seen", "leave one model out", "all rows", RATE, 20.0, None),
    ("an accelerator never seen, NVIDIA", "leave one accelerator out", "NVIDIA", RATE, 22.0, None),
    ("an accelerator never seen, AMD", "leave one accelerator out", "AMD", RATE, 45.0, None),
)

MLPERF_MOST = 11.0
"""Most median error on the scored MLPerf round [%]; none is asked of the benchmark whose input length has no source."""


@dataclass(frozen=True)
class Validation:
    """What the page says first and last: errors as shares of the measurement, on rows that the fit had not seen."""

    rate_median: float = field(metadata=in_unit("-"))
    rate_p90: float = field(metadata=in_unit("-"))
    user_median: float = field(metadata=in_unit("-"))
    user_p90: float = field(metadata=in_unit("-"))
    inside: float = field(metadata=in_unit("-"))
    met: int = field(metadata=in_unit("count"))
    asked: int = field(metadata=in_unit("count"))
    worst_model: str = field(metadata=in_unit("text"))
    worst_model_error: float = field(metadata=in_unit("-"))
    first_median: float = field(metadata=in_unit("-"))
    first_p90: float = field(metadata=in_unit("-"))
    unseen: str = field(metadata=in_unit("text"))
    unseen_error: float = field(metadata=in_unit("-"))
    unmeasured: tuple[str, ...]
    siblings: tuple[str, ...]
    front_median: float = field(metadata=in_unit("-"))
    front_own: float = field(metadata=in_unit("-"))
    front_inside: float = field(metadata=in_unit("-"))
    called_right: float = field(metadata=in_unit("-"))
    broken_error: float = field(metadata=in_unit("-"))


def validation_result() -> Validation:
    """Errors on held-out rows, from the scores of the last calibration."""
    table, worst = acceptance_table(), slice_table("model").iloc[-1]
    rate, user = (scores()[HELD, LOADED, name] for name in (RATE, USER))
    first = scores()[HELD, "disaggregated", FIRST]
    called = order_table().set_index("call").drop(CALLS[0])
    front = front_scores(catalog.table("validation_fronts")).iloc[0]
    far = slice_scores("accelerator").sort_values("never_seen", kind="stable").iloc[-1]
    return Validation(
        rate_median=rate.median / 100,
        rate_p90=rate.p90 / 100,
        user_median=user.median / 100,
        user_p90=user.p90 / 100,
        inside=scores()["coverage of 90 % interval", "overall", RATE].median / 100,
        met=int((table["met"] == "yes").sum()),
        asked=int((table["met"] != "").sum()),
        worst_model=str(worst["model"]),
        worst_model_error=float(worst["median"]) / 100,
        first_median=first.median / 100,
        first_p90=first.p90 / 100,
        unseen=catalog.accelerator(str(far["accelerator"])).label,
        unseen_error=float(far["never_seen"]) / 100,
        unmeasured=_unmeasured(),
        siblings=_siblings(),
        front_median=float(front["median_pct"]) / 100,
        front_own=float(front["own_pct"]) / 100,
        front_inside=scores()["coverage of 90 % interval", "overall", AT_SPEED].median / 100,
        called_right=float(np.average(called["right_pct"], weights=called["share_pct"])) / 100,
        broken_error=scores()[HELD, "broken rows", RATE].median / 100,
    )


def validation_figures(result: Validation) -> list[Figure]:
    """The results of the page: its first and last words, every requirement, every slice, every coverage."""
    asked = acceptance_table()
    return [
        *field_figures(result),
        *column_figures(asked, ["what", "quantity"], {"median": "%", "p90": "%", "points": "count"}, "required"),
        *column_figures(slice_scores("model"), ["model"], SLICED | {"never_seen": "%"}, "model"),
        *column_figures(slice_scores("accelerator"), ["accelerator"], SLICED | {"never_seen": "%"}, "accelerator"),
        *column_figures(slice_scores("engine"), ["engine"], SLICED, "engine"),
        *column_figures(tested_table(), ["held_out", "of"], TESTED_UNITS, "tested"),
        *column_figures(coverage_table(), ["slice"], dict.fromkeys((RATE, USER, FIRST, AT_SPEED), "%"), "coverage"),
        *column_figures(front_table(), ["slice"], FRONT_UNITS, "front"),
        *column_figures(order_table(), ["call"], ORDERED, "order"),
        Figure("order/shared_error", shared_error(found_orders()), "-"),
    ]


def acceptance_table() -> pd.DataFrame:
    """Held-out errors beside what they were required to be [%]."""
    rows = []
    for what, scheme, name, quantity, most, tail in TARGETS:
        score = scores()[scheme, name, quantity]
        rows.append((what, NAMES[quantity], score.points, score.median, most, score.p90, tail))
    every = mlperf_table()
    apart = every["benchmark"] == mlperf_result().raised
    named = {"MLPerf v6.0, best submissions": (~apart, MLPERF_MOST), "MLPerf v6.0, gpt-oss-120b apart": (apart, np.nan)}
    for what, (of, asked) in named.items():
        errors = every.loc[of, "error_pct"]
        ends = float(errors.median()), asked, float(errors.quantile(0.9))
        rows.append((what, "output tok/s per GPU", len(errors), *ends, None))
    table = pd.DataFrame(rows, columns=["what", "quantity", "points", "median", "asked", "p90", "p90_asked"])
    kept = (table["median"] <= table["asked"]) & ~(table["p90"] > table["p90_asked"])
    return table.assign(met=np.where(table["asked"].isna(), "", np.where(kept, "yes", "no")))


def slice_table(kind: str) -> pd.DataFrame:
    """:func:`slice_scores` with platforms, models and engines by their names."""
    out, name = slice_scores(kind), engine_words if kind == "engine" else catalog.label
    return out.assign(**{kind: [name(str(key)) for key in out[kind]]})


def slice_scores(kind: str) -> pd.DataFrame:
    """Errors by ``model``, ``accelerator`` or ``engine``: held-out curves, and that whole slice never seen [%]."""
    loo = "leave one model out" if kind == "model" else "leave one accelerator out"
    rows = []
    for (scheme, name, quantity), score in scores().items():
        if scheme == HELD and quantity == RATE and name.startswith(f"{kind} "):
            row: dict[str, object] = {
                kind: name.removeprefix(f"{kind} "),
                "points": score.points,
                "median": score.median,
                "p90": score.p90,
                "user_median": scores()[scheme, name, USER].median if (scheme, name, USER) in scores() else np.nan,
            }
            if kind != "engine":
                row["never_seen"] = scores()[loo, name, RATE].median
            rows.append(row)
    return pd.DataFrame(rows).sort_values("median", kind="stable").reset_index(drop=True)


def _slices() -> pd.DataFrame:
    """Scores of held-out curves by cell (accelerator, model, mode), model and accelerator, the worst first."""
    found = catalog.table("validation_scores")
    kept = (found["scheme"] == HELD) & found["slice"].str.match("cell |model |accelerator ")
    kept &= (found["quantity"] != FIRST) & (found["points"] >= LEAST_POINTS)
    return found[kept].sort_values("median_pct", ascending=False, kind="stable")


def cell_table() -> pd.DataFrame:
    """Cells, models and accelerators of enough points whose median error of rate or speed is high [%]."""
    table = _slices()
    table = table[table["median_pct"] > HIGH_PCT]
    names = [catalog.relabelled(name.replace("|", ", ")) for name in table["slice"]]
    table = table.assign(quantity=table["quantity"].map(NAMES), slice=names)
    return table[["slice", "quantity", "points", "median_pct", "p90_pct"]]


def coverage_table() -> pd.DataFrame:
    """Share of held-out points inside the stated 90 % interval [%]."""
    table = catalog.table("validation_scores")
    table = table[table["scheme"] == "coverage of 90 % interval"]
    wide = table.pivot(index="slice", columns="quantity", values="median_pct").reset_index()
    order = {name: i for i, name in enumerate(("overall", "aggregated", "disaggregated", "NVIDIA", "AMD"))}
    return wide.sort_values("slice", key=lambda s: s.map(order), kind="stable").reset_index(drop=True)


def held_out(rows: str = "loaded") -> pd.DataFrame:
    """Held-out predictions beside measurements: newest run of each configuration; ``loaded``, ``tables`` or ``all``."""
    table = catalog.table("validation_points")
    table = table[table["newest"].astype(bool)]
    only = table["throughput_only"].astype(bool)
    table = table if rows == "all" else table[only] if rows == "tables" else table[~only]
    chips = catalog.accelerators()
    table = table.assign(platform=[chips[a].label for a in table["accelerator"]])
    table["kind"] = np.where(table["throughput_only"].astype(bool), "throughput table", table["mode"])
    table["error_pct"] = 100.0 * (table["held_out_total_tok_s_per_gpu"] / table["measured_total_tok_s_per_gpu"] - 1.0)
    return table.reset_index(drop=True)


REASONS = {
    "broken_build": "a build that ran several times slower on these dates",
    "inconsistent": "rate, load and latencies of the row contradict each other",
    "ttft_artefact": "warm-up or transfer stall counted in the run",
    "attention_dp": "run with data-parallel attention, which the table does not name",
    "wide_ep": "early wide expert-parallel recipe",
    "ramp_up": "first weeks of the platform's software",
    "capacity_bound": "cache full: admission decides",
    "table_scatter": "errors of both signs at one layout in the source's table",
    "admission_queue": "running requests capped below the load",
}


def misses(count: int = 12) -> pd.DataFrame:
    """The worst held-out misses with what is known about them."""
    table = held_out("all")
    table["off"] = np.abs(np.log(table["held_out_total_tok_s_per_gpu"] / table["measured_total_tok_s_per_gpu"]))
    table = table.sort_values(["off", "point_id"], ascending=[False, True], kind="stable").head(count)
    queue = (table["mode"] == "disaggregated") & (table["measured_ttft_ms"] > 5000)
    other = np.where(queue, "prefill pool near saturation: small errors of its speed move the whole point", "not known")
    table["known"] = table["flag"].map(REASONS).fillna(table["mode"]).to_numpy()
    table["known"] = np.where(table["flag"].isna(), other, table["known"])
    table["model"] = [catalog.label(str(key)) for key in table["model"]]
    table["engine"] = [engine_words(str(key)) for key in table["engine"]]
    names = ["platform", "model", "engine", "mode", "isl", "osl", "concurrency"]
    rates = ["measured_total_tok_s_per_gpu", "held_out_total_tok_s_per_gpu", "error_pct"]
    return table[[*names, *rates, "known", "point_id"]]


def peer_table() -> pd.DataFrame:
    """Errors of other tools as they or reviewers state them, with this model's held-out errors below."""
    names = ["peer", "quantity", "error_pct", "statistic", "conditions", "who_measured"]
    peers = catalog.table("peer_errors")[names]
    mine = [
        (HELD, LOADED, RATE, "whole curves held out, NVIDIA and AMD"),
        (HELD, LOADED, USER, "whole curves held out, NVIDIA and AMD"),
        (HELD, LOADED, FIRST, "whole curves held out, NVIDIA and AMD"),
        ("leave one accelerator out", LOADED, RATE, "accelerator held out"),
    ]
    rows = [
        ("rackecon", NAMES[q], scores()[scheme, name, q].median, "median", text, "this page")
        for scheme, name, q, text in mine
    ]
    return pd.concat([peers, pd.DataFrame(rows, columns=names)], ignore_index=True)


def software_steps() -> pd.DataFrame:
    """The same configuration on several dates: rate over its own mean by quarter, per platform, engine, precision."""
    from rackecon.evidence.measured import CONFIGURATION, load_evidence

    evidence = load_evidence()
    frame = evidence.frame[~evidence.throughput_only & ~evidence.broken].copy()
    frame["log"] = np.log(frame["total_tok_s_per_gpu"].astype(float))
    frame["quarter"] = pd.PeriodIndex(frame["date"].astype(str).str[:10], freq="Q").astype(str)
    grouped = frame.groupby(list(CONFIGURATION), dropna=False)
    frame = frame[grouped["quarter"].transform("nunique") > 1].copy()
    frame["off"] = frame["log"] - frame.groupby(list(CONFIGURATION), dropna=False)["log"].transform("mean")
    chips = catalog.accelerators()
    frame["platform"] = [chips[a].label for a in frame["accelerator"]]
    frame["engine"] = [engine_words(str(key)) for key in frame["engine"]]
    keys = ["platform", "engine", "weight_precision", "quarter"]
    table = frame.groupby(keys)["off"].agg(["median", "size"]).reset_index()
    table["rate"] = np.exp(table["median"])
    return table[table["size"] >= 2][[*keys, "rate", "size"]].reset_index(drop=True)


def _unmeasured() -> tuple[str, ...]:
    """Servable platforms of makers none of whose platforms has a measured row."""
    chips = catalog.accelerators()
    measured = {chips[key].vendor for key in catalog.table("validation_points")["accelerator"].unique()}
    alone: dict[str, list[str]] = {}
    for chip in chips.values():
        if chip.servable and chip.vendor not in measured:
            alone.setdefault(chip.vendor, []).append(chip.label)
    return tuple(label for labels in alone.values() for label in labels)


def _siblings() -> tuple[str, ...]:
    """Servable platforms without a measured row of makers others of whose platforms have one."""
    measured, alone = set(catalog.table("validation_points")["accelerator"]), _unmeasured()
    chips = catalog.accelerators().items()
    return tuple(chip.label for key, chip in chips if chip.servable and key not in measured and chip.label not in alone)


def method_sentence() -> str:
    """How the held-out errors were made."""
    return say(PAGE, "method", folds=FOLDS, shuffles=SHUFFLES)


def scatter_title(points: pd.DataFrame) -> str:
    """Over how many powers of ten the measurements run, and the errors that the page's answer gives."""
    rate = points["measured_total_tok_s_per_gpu"].astype(float)
    loaded, tables = (scores()[HELD, rows, RATE].median / 100 for rows in (LOADED, "throughput tables"))
    return say(PAGE, "scatter", powers=_powers(rate), loaded=loaded, tables=tables)


def _powers(rate: pd.Series[float]) -> int:
    return int(np.floor(np.log10(rate.max() / rate.min())))


def spread_title(points: pd.DataFrame) -> str:
    """Over how many powers of ten the measurements run, and how far the middle prediction lies off, with a load and without."""
    rate, off = points["measured_total_tok_s_per_gpu"].astype(float), points["error_pct"].astype(float).abs() / 100.0
    peak = points["throughput_only"].astype(bool)
    loaded, tables = (float(off[rows].median()) if rows.any() else None for rows in (~peak, peak))
    return say(PAGE, "spread", powers=_powers(rate), shuffles=SHUFFLES, loaded=loaded, tables=tables)


def software_sentence(steps: pd.DataFrame) -> str:
    """How far one configuration moved between quarters, over stacks measured in two or more."""
    rate = steps.groupby(["platform", "engine", "weight_precision"])["rate"].agg(["min", "max", "size"])
    moved = (rate["max"] / rate["min"] - 1.0)[rate["size"] > 1].astype(float)
    ends = (float(moved.min()), float(moved.median()), float(moved.max())) if len(moved) else (0.0, 0.0, 0.0)
    return say(PAGE, "software", stacks=len(moved), least=ends[0], middle=ends[1], most=ends[2])


def ablation_table(cells: bool = False) -> pd.DataFrame:
    """Median error with one part of the model taken away, nothing refitted [%]; ``cells``: only those above 20 %."""
    from rackecon.evidence.ablation import ablate

    table = ablate()
    chosen = ["all rows"]
    names = {cell: catalog.relabelled(str(cell).replace("|", ", ")) for cell in table["cell"].unique()}
    if cells:
        bad = {x.removeprefix("cell ") for x in cell_table()["slice"] if x.startswith("cell ")}
        chosen = [cell for cell, name in names.items() if name in bad]
    wide = table[table["cell"].isin(chosen)].pivot(index="part", columns="cell", values="median_pct")
    wide = wide.reindex(list(dict.fromkeys(table["part"]))).reset_index()
    wide.columns = [names.get(name, str(name)) for name in wide.columns]
    return wide


def slices_sentence() -> str:
    """Whether any accelerator, model or cell of eight points or more stays above 20 %."""
    above = [(str(row["slice"]), float(row["median_pct"]) / 100) for row in cell_table().to_dict("records")]
    worst, error = _worst_cell()
    return say(PAGE, "slices", above=above, worst=worst, worst_error=error / 100)


def _worst_cell() -> tuple[str, float]:
    found = _slices()
    row = found[found["slice"].str.startswith("cell ") & (found["quantity"] == RATE)].iloc[0]
    key, *rest = str(row["slice"]).removeprefix("cell ").split("|")
    return ", ".join([catalog.accelerator(key).label, *rest]), float(row["median_pct"])


def layout_ablation() -> tuple[pd.DataFrame, str]:
    """Rows of a table that hides a data-parallel attention: error as labelled and as run, nothing refitted."""
    from dataclasses import replace

    from rackecon.evidence.measured import SATURATING_CONCURRENCY, load_evidence
    from rackecon.serving.predict import predict

    evidence = load_evidence()
    rows = np.flatnonzero(evidence.frame["flag"] == "attention_dp")
    run = evidence.points.select(rows)
    load = np.minimum(run.numbers["concurrency"], SATURATING_CONCURRENCY)
    labelled = replace(run, numbers={**run.numbers, "dp_attention": np.zeros(len(rows)), "concurrency": load})
    off = {
        kind: np.log(predict(points).total_tok_s_per_gpu / evidence.total_tok_s_per_gpu[rows])
        for kind, points in (("labelled", labelled), ("run", run))
    }
    frame = evidence.frame.iloc[rows]
    keys = list(zip(frame["model"], frame["accelerator"], strict=True))
    out = []
    for key in sorted(set(keys)):
        mine = np.array([one == key for one in keys])
        error = {kind: 100 * float(np.median(np.abs(np.expm1(values[mine])))) for kind, values in off.items()}
        label = catalog.accelerator(str(key[1])).label
        out.append((key[0], label, int(mine.sum()), error["labelled"], error["run"]))
    total = {kind: float(np.median(np.abs(np.expm1(values)))) for kind, values in off.items()}
    text = say(PAGE, "layout", rows=len(rows), labelled=total["labelled"], run=total["run"])
    return pd.DataFrame(out, columns=["model", "platform", "points", "labelled_pct", "run_pct"]), text
