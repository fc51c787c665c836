"""What MLPerf says of the serving model: predictions beside submissions, and how a submission is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rackecon import catalog
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.lazy import pd
from rackecon.pages.sentences import say

PAGE: Final = "13_validation"
DATED: Final = "public build of the date"


@dataclass(frozen=True)
class MlperfResult:
    """How the predictions do on the scored round; errors are median shares, without ``raised`` but for its own."""

    submissions: int = field(metadata=in_unit("count"))
    median_error: float = field(metadata=in_unit("-"))
    earlier_error: float = field(metadata=in_unit("-"))
    apart: int = field(metadata=in_unit("count"))
    apart_error: float = field(metadata=in_unit("-"))
    best: str
    best_error: float
    worst: str
    worst_error: float
    interactive_error: float = field(metadata=in_unit("-"))
    guessed: tuple[str, ...]
    raised: str
    first_tokens: float
    used_tokens: float
    first_ratio: float = field(metadata=in_unit("-"))
    first_median_error: float = field(metadata=in_unit("-"))


def mlperf_table() -> pd.DataFrame:
    """MLPerf v6.0: best submission beside the best configuration found, sorted by error."""
    from rackecon.evidence.mlperf import mlperf_scores

    table = mlperf_scores()
    table["platform"] = [catalog.accelerator(a).label for a in table["accelerator"]]
    names = ["platform", "benchmark", "scenario", "submitter", "output_tok_s_per_gpu", "predicted_tok_s_per_gpu"]
    return (
        table[[*names, "error_pct"]]
        .sort_values(["benchmark", "scenario", "platform"], kind="stable")
        .reset_index(drop=True)
    )


def _workload(benchmark: str) -> str:
    """A benchmark of MLPerf as the model that it serves."""
    rows = catalog.table("mlperf_workloads").set_index("benchmark")
    return catalog.label(str(rows["model"].get(benchmark, benchmark)))


def mlperf_rows() -> pd.DataFrame:
    """:func:`mlperf_table` with workloads by the names of their models."""
    table = mlperf_table()
    return table.assign(benchmark=[_workload(str(name)) for name in table["benchmark"]])


def mlperf_result() -> MlperfResult:
    """The errors on the scored round, and what they would be with the input length first taken."""
    from rackecon.evidence.mlperf import FIRST_GUESS, effects_tried, mlperf_scores

    every, before = mlperf_table(), mlperf_scores(first_guess=True)
    raised, length = FIRST_GUESS
    table, now, then = (
        t[(t["benchmark"] == raised) == own] for t, own in ((every, False), (every, True), (before, True))
    )
    lengths = catalog.table("mlperf_workloads").set_index("benchmark")
    by = table.groupby("benchmark")["error_pct"].median().sort_values(kind="stable") / 100.0
    return MlperfResult(
        submissions=len(table),
        median_error=float(table["error_pct"].median()) / 100.0,
        earlier_error=float(effects_tried()["earlier_pct"].iloc[0]) / 100.0,
        apart=len(now),
        apart_error=float(now["error_pct"].median()) / 100.0,
        best=_workload(str(by.index[0])),
        best_error=float(by.iloc[0]),
        worst=_workload(str(by.index[-1])),
        worst_error=float(by.iloc[-1]),
        interactive_error=float(table[table["scenario"] == "Interactive"]["error_pct"].median()) / 100.0,
        guessed=tuple(_workload(str(name)) for name in lengths.index[lengths["isl_grade"] == "estimate"]),
        raised=_workload(raised),
        first_tokens=length,
        used_tokens=float(lengths["isl_mean_tokens"][raised]),
        first_ratio=float(then["predicted_tok_s_per_gpu"].sum() / now["predicted_tok_s_per_gpu"].sum()),
        first_median_error=float(then["error_pct"].median()) / 100.0,
    )


EFFECT_NAMES: Final = {
    "scenario": "scenario",
    "benchmark": "workload",
    "family": "chip family",
    "work": "workload on a family",
    "age": "rounds since it came",
}


def mlperf_effects() -> pd.DataFrame:
    """Effects that were tried as the factor of a submission, in words, with their errors [%]."""
    from rackecon.evidence.mlperf import effects_tried

    tried = effects_tried()
    words = [", ".join(EFFECT_NAMES[name] for name in effects) or "none: one factor" for effects in tried["effects"]]
    return tried.assign(effects=words)


def mlperf_sentence() -> str:
    """What MLPerf says of the model."""
    return say(PAGE, "mlperf", **vars(mlperf_result()))


def mlperf_software() -> tuple[pd.DataFrame, str]:
    """Readings of a submission's software with their errors [%], and what the choice of one rests on and changes."""
    from rackecon.evidence.mlperf import software_readings

    shown = software_readings()
    table = shown.set_index("software")
    used = str(table.index[0])
    words = say(
        PAGE,
        "mlperf_software",
        used=used,
        better=bool(table["earlier_pct"][used] < table["earlier_pct"][DATED]),
        least_error=float(table["scored_pct"].min()) / 100.0,
        most_error=float(table["scored_pct"].max()) / 100.0,
    )
    return shown, words


def mlperf_figures() -> list[Figure]:
    """The results of this section."""
    by_row = column_figures(mlperf_table(), ["platform", "benchmark", "scenario"], {"error_pct": "%"}, "mlperf")
    return [*field_figures(mlperf_result(), "mlperf"), *by_row]
