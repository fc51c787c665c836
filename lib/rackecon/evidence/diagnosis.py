"""Whether a measured throughput is low for its set-up, and which setting, were it another, would explain the most.

One setting is changed at a time; everything else is held as the row states it. A change explains as much of the gap, in
logarithms, as it moves the prediction towards the measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rackecon.catalog import accelerator, model
from rackecon.catalog.accelerators import Accelerator
from rackecon.errors import InputError
from rackecon.evidence.intervals import interval_factors
from rackecon.evidence.novelty import also_new
from rackecon.performance.families import ENGINES, default_engine
from rackecon.serving.points import Points
from rackecon.serving.predict import predict
from rackecon.serving.query import default_date, default_kv_precision, software_years, years_beyond

WIDTHS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
LOADS: Final = (0.75, 0.5, 0.25)
"""Shares of the stated requests in flight: what a client that cannot keep up sends."""
HITS: Final = (0.0, 0.5, 0.9)
MONTHS: Final = (6, 12)
"""How much older the software may be."""


@dataclass(frozen=True)
class Explanation:
    """One setting with another value than the row's, and what it makes of the prediction."""

    setting: str
    stated: str
    instead: str
    predicted: float
    """Total tokens [tok/s/GPU]."""
    explained: float
    """Share of the gap in logarithms that it closes [-]: 1 all of it, below 0 it widens it."""


@dataclass(frozen=True)
class Diagnosis:
    """A measured rate beside what the model expects; rates are total tokens over all GPUs [tok/s/GPU]."""

    measured: float
    predicted: float
    low: float
    high: float
    verdict: str
    """``low``, ``as expected`` or ``high``: against the 90 % interval."""
    explanations: tuple[Explanation, ...]
    """By how much of the gap they close, the most first."""
    best_layout: str
    best_rate: float
    """The layout that the search takes for the same GPUs and load, and its rate; NaN where none is found."""


def diagnose(row: Mapping[str, Any]) -> Diagnosis:
    """Hold a measured row against the model and change one setting at a time.

    Parameters
    ----------
    row : mapping
        Columns of data/measured_serving.csv; layout, load and ``total_tok_s_per_gpu`` are needed.

    Raises
    ------
    InputError
        A row that cannot be predicted as it is described; the reason.

    Notes
    -----
    With :math:`m` measured, :math:`p` predicted and :math:`q` predicted with the setting changed, the share explained is
    :math:`1 - |\\ln(q/m)| / |\\ln(p/m)|`.

    Examples
    --------
    >>> point = dict(accelerator="h100-sxm", gpus=2, model="gpt-oss-120b", weight_precision="fp4", engine="vllm", tp=2,
    ...     mode="aggregated", ep=1, isl=1024, osl=1024, concurrency=64, total_tok_s_per_gpu=900.0)
    >>> found = diagnose(point)
    >>> found.verdict, found.explanations[0].explained > 0.5
    ('low', True)
    """
    stated = {name: "" if value is None else str(value) for name, value in row.items()}
    measured = float(stated.get("total_tok_s_per_gpu") or "nan")
    if not measured > 0:
        raise InputError("total_tok_s_per_gpu is missing: there is nothing measured to diagnose")
    changed = list(_changes(stated))
    rows = [stated, *(stated | change for _, _, change in changed)]
    found = predict(Points.from_rows(rows))
    rate = found.total_tok_s_per_gpu
    if found.status[0] != "ok" or not math.isfinite(float(rate[0])):
        raise InputError(f"not predicted as it is described: {found.reason[0] or found.status[0]}")
    chip, date = accelerator(stated["accelerator"]), stated.get("date") or ""
    late = years_beyond(chip, date) if date else 0.0
    pair = chip.id, stated["model"]
    also = also_new(*pair, stated.get("engine", ""), float(stated["isl"]), float(stated["osl"]))
    low, high = interval_factors(*pair, str(found.mode[0]), "total_tok_s_per_gpu", late, also=also)
    middle = float(rate[0])
    gap = abs(math.log(middle / measured))
    explanations = [
        Explanation(name, said, change[name], float(value), 1.0 - abs(math.log(value / measured)) / gap)
        for (name, said, change), value, status in zip(changed, rate[1:].tolist(), found.status[1:], strict=True)
        if status == "ok" and math.isfinite(value) and gap > 0.0
    ]
    layout, best = _best_layout(stated)
    verdict = "low" if measured < middle * low else "high" if measured > middle * high else "as expected"
    order = tuple(sorted(explanations, key=lambda item: -item.explained))
    return Diagnosis(measured, middle, middle * low, middle * high, verdict, order, layout, best)


def _changes(row: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Settings one at a time: name, what the row says, and the cells of another value."""
    chip, arch = accelerator(row["accelerator"]), model(row["model"])
    mode = row.get("mode") or "aggregated"
    engine = row.get("engine") or default_engine(chip, mode)
    weight = row["weight_precision"]
    for other in _engines(chip, mode):
        if other != engine:
            yield "engine", engine, {"engine": other}
    for other in ("bf16", "fp8", "fp4", "int4"):
        if other != weight and (other not in ("fp8", "fp4") or math.isfinite(getattr(chip, f"peak_{other}_flops"))):
            yield "weight_precision", weight, {"weight_precision": other}
    cache = row.get("kv_precision") or default_kv_precision(chip, arch, weight, engine)
    for other in ("bf16", "fp8"):
        if other != cache:
            yield "kv_precision", cache, {"kv_precision": other}
    yield from _layout_changes(row, mode)
    load = float(row.get("concurrency") or "nan")
    for fewer in dict.fromkeys(round(load * share) for share in LOADS if load * share >= 1.0):
        if fewer < load:
            yield "concurrency", f"{load:g}", {"concurrency": f"{fewer}"}
    drafting = row.get("speculative") or "none"
    if arch.mtp_layers or drafting != "none":
        other = "mtp" if drafting == "none" else "none"
        yield "speculative", drafting, {"speculative": other, "draft_tokens": ""}
    hit = float(row.get("prefix_cache_hit") or 0.0)
    for share in HITS:
        if share != hit:
            yield "prefix_cache_hit", f"{hit:g}", {"prefix_cache_hit": f"{share:g}"}
    yield from _older(row, chip)


def _engines(chip: Accelerator, mode: str) -> list[str]:
    """Engines that run on the vendor's chips in the mode."""
    pools = ("dynamo-", "mori-")
    own = {"nvidia": ("trtllm",), "amd": ("atom", "mori-sglang")}.get(chip.vendor, ())
    every = [x for x in ENGINES if x not in ("trtllm", "dynamo-trtllm", "atom", "mori-sglang", "vllm-tpu") or x in own]
    if chip.vendor == "nvidia":
        every.append("dynamo-trtllm")
    if chip.family == "tpu":
        every.append("vllm-tpu")
    return [x for x in every if x.startswith(pools) == (mode == "disaggregated")]


def _layout_changes(row: Mapping[str, str], mode: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    gpus, tp, ep = (float(row.get(name) or "nan") for name in ("gpus", "tp", "ep"))
    ep = 1.0 if math.isnan(ep) else ep
    ranked = (row.get("dp_attention") or "false").lower()
    if mode == "aggregated":
        for width in WIDTHS:
            if width != tp and gpus % width == 0:
                yield "tp", f"{tp:g}", {"tp": f"{width:g}", "ep": f"{min(ep, width):g}"}
    if model(row["model"]).is_moe and tp > 1:
        yield "ep", f"{ep:g}", {"ep": f"{tp:g}" if ep == 1.0 else "1"}
        yield "dp_attention", ranked, {"dp_attention": "false" if ranked == "true" else "true"}


def _older(row: Mapping[str, str], chip: Accelerator) -> Iterator[tuple[str, str, dict[str, str]]]:
    from datetime import date as Date
    from datetime import timedelta

    stated = (row.get("date") or default_date(chip))[:10]
    for months in MONTHS:
        try:
            older = (Date.fromisoformat(stated) - timedelta(days=round(months * 365.25 / 12))).isoformat()
            software_years(older)
        except (ValueError, InputError):  # a month alone, or a day before the history of the software
            continue
        yield "date", stated, {"date": older}


def _best_layout(row: Mapping[str, str]) -> tuple[str, float]:
    """What the search takes for the same GPUs, load, engine and formats."""
    from rackecon.performance.parameters import load_parameters
    from rackecon.serving.frontier import find
    from rackecon.serving.predict import query_of

    free = {name: cell for name, cell in row.items() if name not in ("tp", "ep", "pp", "dp_attention", "draft_tokens")}
    free = {name: cell for name, cell in free.items() if not name.startswith(("prefill_t", "prefill_e", "prefill_d"))}
    points = Points.from_rows([free])
    try:
        best = find(query_of(points, 0, load_parameters())).best()
    except InputError:
        best = None
    return (str(best["layout"]), float(best["total_tok_s_per_gpu"])) if best else ("", math.nan)
