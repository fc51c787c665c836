"""What stands behind one answer, as a sentence: what is new about the question, and the interval that it makes."""

from __future__ import annotations

from collections.abc import Mapping

from rackecon import catalog
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.evidence.novelty import novelty
from rackecon.performance.families import default_engine
from rackecon.serving.points import POINT_COLUMNS, Points


def explain(row: Mapping[str, str]) -> str:
    """What is new about a row of points, and the 90 % interval that it makes, as a sentence.

    Examples
    --------
    >>> explain(dict(accelerator="mi355x", model="minimax-m2.5", weight_precision="fp8", isl="1024", osl="1024"))
    'model and platform measured, but not together; 90 % interval of a rate 0.4 to 2 times the prediction'
    """
    chip = catalog.accelerator(row["accelerator"].strip())
    mode = row.get("mode", "").strip() or "aggregated"
    engine = row.get("engine", "").strip() or default_engine(chip, mode)
    gpus, load = row.get("gpus", ""), row.get("concurrency", "")
    found = novelty(
        chip.id,
        row["model"].strip(),
        engine,
        float(row["isl"]),
        float(row["osl"]),
        float(load) / float(gpus) if load and gpus else None,
    )
    searched = Points.from_rows([{name: row.get(name, "") for name in POINT_COLUMNS}]).open[0]
    scale = AT_SPEED if searched else "total_tok_s_per_gpu"
    low, high = interval_factors(chip.id, row["model"].strip(), mode, scale)
    return f"{found.words()}; 90 % interval of a rate {low:.2g} to {high:.2g} times the prediction"
