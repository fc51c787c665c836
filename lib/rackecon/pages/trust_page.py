"""Tables of the validation page on what the answer rests on: searched fronts, what is new, support, forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rackecon import catalog
from rackecon.evidence.forecasts import ledger
from rackecon.evidence.fronts import front_scores
from rackecon.evidence.record import FORWARD
from rackecon.evidence.support import GRADES, support_matrix

if TYPE_CHECKING:
    import pandas as pd

SHOWN_MODELS = (
    "gpt-oss-120b", "deepseek-r1", "deepseek-v3.2", "deepseek-v4-pro", "kimi-k2.5", "qwen3.5-397b-a17b",
    "minimax-m2.5", "llama-3.3-70b",
)  # fmt: skip


def front_table() -> pd.DataFrame:
    """Searched fronts beside measured ones at equal speed: over all, by platform, mode and speed [%]."""
    found = front_scores(catalog.table("validation_fronts"))
    found = found[found["slice"].str.match("all$|mode |band |accelerator ")].copy()
    chips = catalog.accelerators()
    words = found["slice"].str.replace(r"^(mode|band|accelerator) ", "", regex=True)
    found["slice"] = [chips[x].label if x in chips else x for x in words]
    found["bias_pct"] = 100.0 * np.expm1(-found["bias_log"])
    return found[["slice", "sweeps", "points", "unreached", "median_pct", "both_pct", "bias_pct"]].reset_index(
        drop=True
    )


def forward_table() -> pd.DataFrame:
    """Errors of what was measured from four dates on, by fits to what came before [%]: with the software of the cut, and dated."""
    import pandas as pd

    scores = catalog.table("validation_scores")
    scores = scores[scores["scheme"].str.startswith("from ") & (scores["slice"] == "all with load")]
    named = scores["scheme"].str.extract(r"from (?P<cut>[\d-]+), (?P<kind>.*)")
    table = pd.concat([named, scores], axis=1).pivot_table("median_pct", "cut", ["quantity", "kind"])
    columns = [(quantity, kind) for quantity in ("total_tok_s_per_gpu", "tok_s_per_user") for kind in FORWARD]
    out = table[columns].set_axis(["rate", "rate_dated", "speed", "speed_dated"], axis=1)
    counts = scores[scores["quantity"] == "total_tok_s_per_gpu"].groupby(named["cut"])["points"].max()
    out.insert(0, "points", counts.astype(int))
    return out.reset_index()


def novelty_table() -> pd.DataFrame:
    """Coverage, width and scores of 90 % intervals by what was held out whole."""
    names = {"total_tok_s_per_gpu": "tok/s per GPU", "tok_s_per_user": "tok/s per user", "ttft_ms": "first token"}
    found = catalog.table("validation_intervals")
    found = found.assign(quantity=found["quantity"].map(names))
    columns = ["evidence", "quantity", "points", "coverage_pct", "width_log", "interval_score", "weighted_score"]
    return found[columns].reset_index(drop=True)


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
    """Forecasts on record: rate at a speed with its 90 % interval."""
    import pandas as pd

    chips = catalog.accelerators()
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
        for row in ledger()
    ]
    return pd.DataFrame(rows)
