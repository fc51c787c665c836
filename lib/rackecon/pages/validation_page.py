"""Tables and computed sentences of the validation page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rackecon import catalog
from rackecon.evidence.calibration import FOLDS
from rackecon.evidence.validation import SHUFFLES
from rackecon.pages.mlperf_view import mlperf_table
from rackecon.words import join_words, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ablation_table",
    "acceptance_table",
    "cell_table",
    "coverage_table",
    "held_out",
    "layout_ablation",
    "method_sentence",
    "misses",
    "peer_table",
    "slice_scores",
    "slice_table",
    "slices_sentence",
    "software_sentence",
    "software_steps",
    "spread_title",
    "trust_sentences",
    "validation_answer",
]

HELD = "held-out curves"
Key = tuple[str, str, str]
RATE, USER, FIRST = "total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms"
NAMES = {RATE: "tok/s per GPU", USER: "tok/s per user", FIRST: "first token"}
# (what, scheme, slice, quantity, most median, most 90th percentile) [%]
TARGETS: tuple[tuple[str, str, str, str, float, float | None], ...] = (
    ("all rows with a load", HELD, "all with load", RATE, 10.0, 35.0),
    ("all rows with a load", HELD, "all with load", USER, 10.0, 35.0),
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

MLPERF_MOST = 20.0
"""Most median error on the scored MLPerf round [%]."""


def _medians() -> dict[Key, float]:
    table = catalog.table("validation_scores")
    keys = zip(table["scheme"], table["slice"], table["quantity"], strict=True)
    return dict(zip(keys, table["median_pct"].astype(float), strict=True))


def _tails() -> dict[Key, float]:
    table = catalog.table("validation_scores")
    keys = zip(table["scheme"], table["slice"], table["quantity"], strict=True)
    return dict(zip(keys, table["p90_pct"].astype(float), strict=True))


def _points() -> dict[Key, int]:
    table = catalog.table("validation_scores")
    keys = zip(table["scheme"], table["slice"], table["quantity"], strict=True)
    return dict(zip(keys, table["points"].astype(int), strict=True))


def acceptance_table() -> pd.DataFrame:
    """Held-out errors beside what they were required to be [%]."""
    import pandas as pd

    middle, tails, points = _medians(), _tails(), _points()
    rows = []
    for what, scheme, name, quantity, most, tail in TARGETS:
        key = (scheme, name, quantity)
        met = middle[key] <= most and (tail is None or tails[key] <= tail)
        rows.append(
            {
                "what": what,
                "quantity": NAMES[quantity],
                "points": points[key],
                "median": middle[key],
                "asked": most,
                "p90": tails[key],
                "p90_asked": tail if tail is not None else np.nan,
                "met": "yes" if met else "no",
            }
        )
    errors = mlperf_table()["error_pct"]
    rows.append(
        {
            "what": "MLPerf v6.0, best submissions",
            "quantity": "output tok/s per GPU",
            "points": len(errors),
            "median": float(errors.median()),
            "asked": MLPERF_MOST,
            "p90": float(errors.quantile(0.9)),
            "p90_asked": np.nan,
            "met": "yes" if errors.median() <= MLPERF_MOST else "no",
        }
    )
    return pd.DataFrame(rows)


def slice_table(kind: str) -> pd.DataFrame:
    """:func:`slice_scores` with platforms by their names."""
    out = slice_scores(kind)
    if kind == "accelerator":
        out = out.assign(accelerator=[catalog.accelerator(key).label for key in out["accelerator"]])
    return out


def slice_scores(kind: str) -> pd.DataFrame:
    """Errors by ``model``, ``accelerator`` or ``engine``: held-out curves, and that whole slice never seen [%]."""
    import pandas as pd

    middle, tails, points = _medians(), _tails(), _points()
    loo = "leave one model out" if kind == "model" else "leave one accelerator out"
    rows = []
    for scheme, name, quantity in middle:
        if scheme == HELD and quantity == RATE and name.startswith(f"{kind} "):
            row: dict[str, object] = {
                kind: name.removeprefix(f"{kind} "),
                "points": points[scheme, name, RATE],
                "median": middle[scheme, name, RATE],
                "p90": tails[scheme, name, RATE],
                "user_median": middle.get((scheme, name, USER), np.nan),
            }
            if kind != "engine":
                row["never_seen"] = middle[loo, name, RATE]
            rows.append(row)
    return pd.DataFrame(rows).sort_values("median", kind="stable").reset_index(drop=True)


def cell_table(limit_pct: float = 20.0, points: int = 8) -> pd.DataFrame:
    """Cells (accelerator, model, mode) of enough points whose median error of rate or speed exceeds a limit [%]."""
    scores = catalog.table("validation_scores")
    table = scores[
        (scores["scheme"] == HELD)
        & scores["slice"].str.match("cell |model |accelerator ")
        & (scores["quantity"] != FIRST)
        & (scores["points"] >= points)
        & (scores["median_pct"] > limit_pct)
    ].copy()
    table["quantity"] = table["quantity"].map(NAMES)
    table["slice"] = table["slice"].str.replace("|", ", ")
    return table[["slice", "quantity", "points", "median_pct", "p90_pct"]].sort_values(
        "median_pct", ascending=False, kind="stable"
    )


def coverage_table() -> pd.DataFrame:
    """Share of held-out points inside the stated 90 % interval [%]."""
    scores = catalog.table("validation_scores")
    table = scores[scores["scheme"] == "coverage of 90 % interval"]
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
    names = ["point_id", "platform", "model", "engine", "mode", "isl", "osl", "concurrency"]
    return table[[*names, "measured_total_tok_s_per_gpu", "held_out_total_tok_s_per_gpu", "error_pct", "known"]]


def peer_table() -> pd.DataFrame:
    """Errors of other tools as they or reviewers state them, with this model's held-out errors below."""
    import pandas as pd

    names = ["peer", "quantity", "error_pct", "statistic", "conditions", "who_measured"]
    peers = catalog.table("peer_errors")[names]
    scores = _medians()
    mine = [
        (HELD, "all with load", RATE, "whole curves held out, NVIDIA and AMD"),
        (HELD, "all with load", USER, "whole curves held out, NVIDIA and AMD"),
        (HELD, "all with load", FIRST, "whole curves held out, NVIDIA and AMD"),
        ("leave one accelerator out", "all rows", RATE, "accelerator held out"),
    ]
    rows = [
        ("rackecon", NAMES[q], scores[scheme, name, q], "median", text, "this page") for scheme, name, q, text in mine
    ]
    return pd.concat([peers, pd.DataFrame(rows, columns=names)], ignore_index=True)


def software_steps() -> pd.DataFrame:
    """The same configuration on several dates: rate over its own mean by quarter, per platform, engine, precision."""
    import pandas as pd

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
    keys = ["platform", "engine", "weight_precision", "quarter"]
    table = frame.groupby(keys)["off"].agg(["median", "size"]).reset_index()
    table["rate"] = np.exp(table["median"])
    return table[table["size"] >= 2][[*keys, "rate", "size"]].reset_index(drop=True)


def validation_answer() -> tuple[str, str]:
    """Two sentences that answer the page's question."""
    middle, tail, table = _medians(), _tails(), acceptance_table()
    rate, user = (HELD, "all with load", RATE), (HELD, "all with load", USER)
    inside = middle["coverage of 90 % interval", "overall", RATE]
    met, worst = int((table["met"] == "yes").sum()), slice_table("model").iloc[-1]
    return (
        f"On curves it never saw, the model's median error is {percent(middle[rate] / 100)} of tokens per second and GPU "
        f"and {percent(middle[user] / 100)} of speed per user; one point in ten is off by more than "
        f"{percent(tail[rate] / 100)} and {percent(tail[user] / 100)}.",
        f"{percent(inside / 100)} of held-out points lie inside the stated 90 % interval; {met} of {len(table)} "
        f"requirements are met, and {worst['model']} is the worst model at {percent(worst['median'] / 100)}.",
    )


def trust_sentences() -> list[str]:
    """Where not to trust the model, from the scores."""
    middle, tail = _medians(), _tails()
    far = slice_scores("accelerator").sort_values("never_seen", kind="stable").iloc[-1]
    first = (HELD, "disaggregated", FIRST)
    return [
        f"Time to first token of disaggregated deployments is {percent(middle[first] / 100)} off in the median and "
        f"{percent(tail[first] / 100)} at the 90th percentile: near saturation of the prefill pool it is a queue.",
        f"A platform without measurements: {catalog.accelerator(str(far['accelerator'])).label} would have been "
        f"{percent(far['never_seen'] / 100)} off, had it never been measured; {_unmeasured_words()}.",
        f"Builds that run far below their own history are {percent(middle[HELD, 'broken rows', RATE] / 100)} off, and "
        "the model cannot know them beforehand.",
    ]


def _unmeasured_words() -> str:
    """Makers none of whose platforms has a measured row."""
    chips = catalog.accelerators()
    measured = {chips[key].vendor for key in catalog.table("validation_points")["accelerator"].unique()}
    alone: dict[str, list[str]] = {}
    for chip in chips.values():
        if chip.servable and chip.vendor not in measured:
            alone.setdefault(chip.vendor, []).append(chip.label)
    names = [label for labels in alone.values() for label in labels]
    return (
        f"{join_words(names)} rest on such inheritance alone" if names else "no maker rests on such inheritance alone"
    )


def method_sentence() -> str:
    """How the held-out errors were made."""
    return (
        f"Whole curves are held out in {FOLDS} folds, and the errors are the mean of {SHUFFLES} shuffles. An error is the "
        "distance of predicted over measured from one; repeats of one configuration count once, the newest."
    )


def spread_title(points: pd.DataFrame) -> str:
    """Over how many powers of ten the measurements run, and how far the middle prediction lies off."""
    rate = points["measured_total_tok_s_per_gpu"].astype(float)
    powers = int(np.floor(np.log10(rate.max() / rate.min())))
    off = float(np.median(np.abs(points["error_pct"].astype(float)))) / 100.0
    return f"Over {powers} orders of magnitude the middle prediction is {percent(off)} off"


def software_sentence(steps: pd.DataFrame) -> str:
    """How far one configuration moved between quarters, over stacks measured in two or more."""
    rate = steps.groupby(["platform", "engine", "weight_precision"])["rate"].agg(["min", "max", "size"])
    moved = (rate["max"] / rate["min"] - 1.0)[rate["size"] > 1].astype(float)
    if moved.empty:
        return "No configuration was measured in two quarters."
    return (
        f"The same configuration measured on several dates, each over its own mean: between quarters builds move a stack by "
        f"{percent(float(moved.min()))} to {percent(float(moved.max()))}, {percent(float(moved.median()))} in the middle. No "
        "model that knows the date but not the build can follow."
    )


def ablation_table(cells: bool = False) -> pd.DataFrame:
    """Median error with one part of the model taken away, nothing refitted [%]; ``cells``: only those above 20 %."""
    from rackecon.evidence.ablation import ablate

    table = ablate()
    chosen = ["all rows"]
    if cells:
        bad = cell_table()["slice"]
        chosen = [x.removeprefix("cell ").replace(", ", "|") for x in bad if x.startswith("cell ")]
    wide = table[table["cell"].isin(chosen)].pivot(index="part", columns="cell", values="median_pct")
    wide = wide.reindex(list(dict.fromkeys(table["part"]))).reset_index()
    wide.columns = [str(name).replace("|", ", ") for name in wide.columns]
    return wide


def slices_sentence() -> str:
    """Whether any accelerator, model or cell of eight points or more stays above 20 %."""
    bad = cell_table()
    if not len(bad):
        worst = _worst_cell()
        return (
            "No accelerator, model or cell (accelerator x model x mode) of eight points or more is above 20 % in the median; "
            f"the worst cell is {worst[0]} at {percent(worst[1] / 100)}."
        )
    names = ", ".join(f"{row['slice']} ({percent(row['median_pct'] / 100)})" for row in bad.to_dict("records"))
    return (
        f"Above 20 % in the median, of eight points or more: {names}. The table takes one part away at a time for each."
    )


def _worst_cell() -> tuple[str, float]:
    scores = catalog.table("validation_scores")
    cells = scores[
        (scores["scheme"] == HELD)
        & scores["slice"].str.startswith("cell ")
        & (scores["quantity"] == RATE)
        & (scores["points"] >= 8)
    ]
    row = cells.sort_values("median_pct", kind="stable").to_dict("records")[-1]
    key, *rest = str(row["slice"]).removeprefix("cell ").split("|")
    return ", ".join([catalog.accelerator(key).label, *rest]), float(row["median_pct"])


def layout_ablation() -> tuple[pd.DataFrame, str]:
    """Rows of a table that hides a data-parallel attention: error as labelled and as run, nothing refitted."""
    from dataclasses import replace

    import pandas as pd

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
    text = (
        f"What a label hides: {len(rows)} rows of a TensorRT-LLM table name GPUs alone, and read as tensor parallel they are "
        f"{percent(total['labelled'])} off in the median. The page's own command sets attention data parallel; read so, with "
        f"every rank holding the dense layers, the shared expert and the head whole, {percent(total['run'])}. The weights then "
        "leave H100 room for a few requests only, which is why its measured rates lie so far below H200's."
    )
    return pd.DataFrame(out, columns=["model", "platform", "points", "labelled_pct", "run_pct"]), text
