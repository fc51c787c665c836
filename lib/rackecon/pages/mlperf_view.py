"""What MLPerf says of the serving model: predictions beside submissions, and how a submission is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rackecon import catalog
from rackecon.words import join_words, number, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mlperf_sentence", "mlperf_software_sentence", "mlperf_software_table", "mlperf_table"]


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


def mlperf_sentence() -> str:
    """What MLPerf says of the model."""
    from rackecon.evidence.mlperf import FIRST_GUESS, mlperf_scores

    table, before = mlperf_table(), mlperf_scores(first_guess=True)
    benchmark, length = FIRST_GUESS
    here = table["benchmark"] == benchmark
    now = table.loc[here, "predicted_tok_s_per_gpu"].sum()
    ratio = before.loc[before["benchmark"] == benchmark, "predicted_tok_s_per_gpu"].sum() / now
    lengths = catalog.table("mlperf_workloads").set_index("benchmark")
    guessed = [str(name) for name in lengths.index[lengths["isl_grade"] == "estimate"]]
    used = float(lengths["isl_mean_tokens"][benchmark])
    by = table.groupby("benchmark")["error_pct"].median().sort_values(kind="stable")
    quick = table[table["scenario"] == "Interactive"]["error_pct"].median()
    return (
        f"Median error {percent(float(table['error_pct'].median()) / 100)} over {len(table)} best submissions, with one factor "
        f"per scenario from earlier rounds: best {by.index[0]} at {percent(float(by.iloc[0]) / 100)}, worst "
        f"{by.index[-1]} at {percent(float(by.iloc[-1]) / 100)}; Interactive alone {percent(float(quick) / 100)}. The mean "
        f"input lengths of {join_words(guessed)} are estimates. That of {benchmark} was raised from {number(length)} to "
        f"{number(used)} tokens after its first score had been seen; with {number(length)} its predictions would be "
        f"{number(ratio, 2)} times as high and the median {percent(float(before['error_pct'].median()) / 100)}."
    )


def mlperf_software_table() -> pd.DataFrame:
    """Readings of a submission's software, with the errors on earlier rounds and on the scored one [%]."""
    from rackecon.evidence.mlperf import software_readings

    return software_readings()


def mlperf_software_sentence() -> str:
    """What the choice of a submission's software rests on, and what it changes."""
    table = mlperf_software_table().set_index("software")
    used, dated = table.index[0], "public build of the date"
    least, most = table["scored_pct"].min(), table["scored_pct"].max()
    better = (
        "fits earlier rounds better than"
        if table["earlier_pct"][used] < table["earlier_pct"][dated]
        else "fits earlier rounds no better than"
    )
    return (
        f"A submission is tuned ahead of the public builds of its date, so it is read with {used} of software, which "
        f"{better} the build of the date. The choice was made after v6.0 had first been scored as "
        f"dated; over the readings the median on v6.0 runs from {percent(float(least) / 100)} to {percent(float(most) / 100)}."
    )
