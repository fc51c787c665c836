"""How far published fronts lie from the searched front at the same speed.

The search tries every layout; a published sweep tries a few. Along a steep front a small error of speed is a large
error of rate. Both show in these residuals, which are wider than those of a single point under known conditions.
The quantiles are kept in data/claim_scales.csv and are not refitted by a report.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import Row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FrontScale", "front_residuals", "front_scale", "scale_table", "write_scales"]

LENGTH_SHARE: Final = 0.9
"""Mean over nominal length of the benchmark's draws (uniform in 80 to 100 %)."""
LEVELS: Final = (("model",), ("family", "model"), ("accelerator", "model"))
FEWEST: Final = 6
"""Fewest published points for a class of its own."""
STEEP_SHARE: Final = 0.85
"""Points faster than this share of the model's fastest are left out: there any rate fits some speed nearby."""
QUANTILES: Final = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class FrontScale:
    """Measured over modelled rate at equal speed [natural log]: 5 %, median, 95 %, over so many published points."""

    name: str
    points: int
    log_low: float
    log_mid: float
    log_high: float


def front_residuals() -> pd.DataFrame:
    """Every published front point of a language model with a known speed against the searched front at that speed.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, family, model, speculative, curve, tok_s_per_user, measured, modelled, log_ratio``; points that
        the model cannot reach are left out.
    """
    import pandas as pd

    from rackecon.claims.evidence import measured_front
    from rackecon.serving.frontier import search

    table = catalog.table("measured_serving")
    rows = []
    keys = ["accelerator", "model", "weight_precision", "isl", "osl", "speculative"]
    headless = [name for name, arch in catalog.models().items() if arch.mtp_layers == 0]
    table["speculative"] = table["speculative"].where(~table["model"].isin(headless), "none")
    table = table[table["concurrency"].notna() & table["speculative"].isin(("none", "mtp"))]
    dates = table.set_index("point_id")["date"].astype(str)
    for key, group in table.groupby(keys):
        chip, model, precision, isl, osl, speculative = (str(part) for part in key)
        front = measured_front(chip, model, f"{isl}/{osl}", precision, speculative)
        wanted = set(group["point_id"])
        for speed, rate, point in zip(front.tok_s_per_user, front.total_tok_s_per_gpu, front.point_ids, strict=True):
            if point not in wanted:
                continue
            searched = search(
                chip,
                model,
                LENGTH_SHARE * float(isl),
                LENGTH_SHARE * float(osl),
                weight_precision=precision,
                speculative=speculative,
                date=dates[point],
            )
            modelled = searched.rate_at(speed)
            steep = len(searched) > 0 and speed > STEEP_SHARE * float(searched.rows["tok_s_per_user"][-1])
            if np.isfinite(modelled) and modelled > 0 and not steep:
                family = catalog.accelerator(chip).family
                rows.append(
                    (chip, family, model, speculative, "|".join(map(str, key)), speed, rate, modelled,
                     float(np.log(rate / modelled)))
                )  # fmt: skip
    names = ["accelerator", "family", "model", "speculative", "curve", "tok_s_per_user", "measured", "modelled"]
    return pd.DataFrame(rows, columns=[*names, "log_ratio"])


def scale_table(residuals: pd.DataFrame) -> list[FrontScale]:
    """Quantiles by platform and model, by family and model, by model, and over all; one vote per curve."""
    groups = {"all": residuals}
    for level in LEVELS:
        for key, part in residuals.groupby([*level, "speculative"]):
            if len(part) >= FEWEST:
                groups[" ".join(str(word) for word in key)] = part
    out = []
    for name, part in sorted(groups.items()):
        weight = 1.0 / part.groupby("curve")["log_ratio"].transform("size").to_numpy(dtype=float)
        value = part["log_ratio"].to_numpy(dtype=float)
        order = np.argsort(value)
        reached = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
        low, mid, high = (float(np.interp(q, reached, value[order])) for q in QUANTILES)
        out.append(FrontScale(name, len(part), round(low, 4), round(mid, 4), round(high, 4)))
    return out


def write_scales(as_of: str, folder: Path) -> None:
    """Compute the quantiles again and put them into claim_scales.csv of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "claim_scales.csv"
    spare = path.with_suffix(".tmp")
    with open(spare, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["class", "points", "log_low", "log_mid", "log_high", "source_id", "date", "grade"])
        for scale in scale_table(front_residuals()):
            writer.writerow(
                [
                    scale.name,
                    scale.points,
                    scale.log_low,
                    scale.log_mid,
                    scale.log_high,
                    "calibration",
                    as_of,
                    "derived",
                ]
            )
    os.replace(spare, path)


@by_data(1, "claim_scales")
def _scales() -> dict[str, FrontScale]:
    found = {}
    for line, cells in enumerate(catalog.read_rows("claim_scales"), start=2):
        row = Row("claim_scales", line, cells)
        name = row.text("class")
        found[name] = FrontScale(
            name, row.whole("points"), row.number("log_low"), row.number("log_mid"), row.number("log_high")
        )
    return found


def front_scale(accelerator: str, model: str, speculative: str) -> FrontScale:
    """The residual quantiles of a platform and model, with or without speculation.

    Its own where enough points are published, else its family's for that model, else the model's, else all.
    """
    table = _scales()
    kind = "none" if speculative == "none" else "mtp"
    family = catalog.accelerator(accelerator).family
    names = (f"{accelerator} {model} {kind}", f"{family} {model} {kind}", f"{model} {kind}")
    return next((table[name] for name in names if name in table), table["all"])
