"""Where the model may be trusted: platforms by models and modes, graded by the rows, the error and the interval of each."""

from __future__ import annotations

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import one_state
from rackecon.evidence.intervals import AT_SPEED, evidence_class, interval_factors
from rackecon.evidence.novelty import kind_of
from rackecon.lazy import pd

GRADES = {
    "A": "20 or more held-out configurations",
    "B": "fewer",
    "C": "platform and model measured, not together or not in this mode",
    "D": "one of them never measured",
    "E": "neither measured",
}
MANY_ROWS = 20
KIND_GRADES = {"known": "C", "new pair": "C", "new model": "D", "new accelerator": "D", "new both": "E"}


@one_state()
def support_matrix(accelerators: tuple[str, ...] | None = None, models: tuple[str, ...] | None = None) -> pd.DataFrame:
    """One row a platform, model and mode.

    Parameters
    ----------
    accelerators, models : tuple of str, optional
        Ids; all that can be served by default.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, model, mode, grade`` (of ``GRADES``), ``points`` (held-out configurations), ``error_pct`` (their
        median held-out error of total rate; NaN without any), ``low`` and ``high`` (factors of the 90 % interval) and
        ``evidence`` (class of the interval).

    Examples
    --------
    >>> found = support_matrix(("mi355x", "tpu-v7"), ("deepseek-r1",))
    >>> found[found["mode"] == "aggregated"]["grade"].tolist()
    ['A', 'D']
    """
    points = catalog.table("validation_points")
    points = points[points["newest"]]
    ratio = points["held_out_total_tok_s_per_gpu"].astype(float) / points["measured_total_tok_s_per_gpu"].astype(float)
    points = points.assign(error=100.0 * np.abs(ratio - 1.0))
    groups = points.groupby(["accelerator", "model", "mode"])["error"]
    seen = {key: (len(part), float(part.median())) for key, part in groups}
    chips = accelerators or tuple(key for key, chip in catalog.accelerators().items() if chip.servable)
    rows = []
    for chip in chips:
        for arch in models or tuple(catalog.models()):
            for mode in ("aggregated", "disaggregated"):
                known = (chip, arch, mode) in seen
                count, error = seen.get((chip, arch, mode), (0, np.nan))
                grade = ("A" if count >= MANY_ROWS else "B") if known else KIND_GRADES[kind_of(chip, arch)]
                low, high = interval_factors(chip, arch, mode, AT_SPEED, also=())
                cells = (chip, arch, mode, grade, count, error, low, high)
                rows.append((*cells, evidence_class(chip, arch, mode)))
    names = ["accelerator", "model", "mode", "grade", "points", "error_pct", "low", "high", "evidence"]
    return pd.DataFrame(rows, columns=names)
