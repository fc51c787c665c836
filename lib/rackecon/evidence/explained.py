"""What stands behind one answer, as a sentence: what is new about the question, and the interval that it makes."""

from __future__ import annotations

from collections.abc import Mapping

from rackecon import catalog
from rackecon.evidence.novelty import novelty
from rackecon.performance.families import default_engine

RATE = "predicted_total_tok_s_per_gpu"


def explain(row: Mapping[str, str], answered: Mapping[str, object]) -> str:
    """What is new about a row of points, and the 90 % interval of its answer, as a sentence.

    Parameters
    ----------
    row : mapping
        Its conditions.
    answered : mapping
        Of :func:`rackecon.evidence.answers.answer_each`; the mode that a search found counts.

    Examples
    --------
    >>> from rackecon.evidence.answers import answer
    >>> row = dict(accelerator="mi355x", model="minimax-m2.5", weight_precision="fp8", isl="1024", osl="1024", mode="aggregated")
    >>> explain(row, answer([row])[0])
    'model and platform measured, but not together; 90 % interval of a rate 0.4 to 2 times the prediction'
    """
    chip = catalog.accelerator(row["accelerator"].strip())
    served, asked = str(answered["served_as"]).partition(",")[0], row.get("mode", "").strip()
    engine = row.get("engine", "").strip() or default_engine(chip, served or asked or "aggregated")
    gpus, load = row.get("gpus", ""), row.get("concurrency", "")
    found = novelty(
        chip.id,
        row["model"].strip(),
        engine,
        float(row["isl"]),
        float(row["osl"]),
        float(load) / float(gpus) if load and gpus else None,
    )
    if not served:
        return f"{found.words()}; {answered['reason'] or answered['status']}"
    low, high = (float(str(answered[f"{RATE}_{end}"])) / float(str(answered[RATE])) for end in ("low", "high"))
    return f"{found.words()}; 90 % interval of a rate {low:.2g} to {high:.2g} times the prediction"
