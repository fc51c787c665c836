"""Answers for a file of points: one prediction with its interval per row, or the reason why there is none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rackecon.catalog import accelerator
from rackecon.catalog.written import check_output, csv_text, write_file
from rackecon.errors import InputError
from rackecon.evidence.intervals import OF_A_SEARCH, interval_factors
from rackecon.evidence.novelty import also_new
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.points import POINT_COLUMNS, Points
from rackecon.serving.predict import predict
from rackecon.serving.query import years_beyond

RATE = "request_rate"
OF_THE_WHOLE = ("total_tok_s_per_gpu", "output_tok_s_per_gpu")
QUANTITIES = ("total_tok_s_per_gpu", "output_tok_s_per_gpu", "tok_s_per_user")
ADDED_COLUMNS = (
    *(f"predicted_{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")),
    "predicted_ttft_ms",
    "bottleneck",
    "served_as",
    "served_concurrency",
    "stood_for",
    "status",
    "reason",
)


def answer(rows: Sequence[Mapping[str, Any]], parameters: ServingParameters | None = None) -> list[dict[str, Any]]:
    """Predictions with 90 % intervals, one per row in the rows' order.

    Parameters
    ----------
    rows : sequence of mapping
        Points; only the columns of conditions are read, never a measured one.
    parameters : ServingParameters, optional
        The shipped ones by default.

    Returns
    -------
    list of dict
        The columns of ``ADDED_COLUMNS``. Rates count all GPUs; total counts input and output tokens.

    Raises
    ------
    InputError
        A name, number or date that is not allowed; the line says which row.
    """
    used = parameters or load_parameters()
    conditions = [{name: row.get(name, "") for name in POINT_COLUMNS} for row in rows]
    points = Points.from_rows(conditions)
    _ = points.years
    return _answered(conditions, points, used)


def _answered(
    conditions: Sequence[Mapping[str, Any]], points: Points, used: ServingParameters, alone: Sequence[float] = ()
) -> list[dict[str, Any]]:
    """Answers of rows; ``alone`` is the share of time that a single request in flight is there, 1 in any other row."""
    found = predict(points, used)
    names, searched = found.__dataclass_fields__, points.open.tolist()
    return [
        _columns(row, {name: getattr(found, name)[i] for name in names}, alone[i] if alone else 1.0, searched[i])
        for i, row in enumerate(conditions)
    ]


def answer_each(rows: Sequence[Mapping[str, Any]], faults: Sequence[str]) -> list[dict[str, Any]]:
    """Predictions of the rows that can be read; the others have the status ``refused`` and the reason.

    Parameters
    ----------
    rows : sequence of mapping
        As in :func:`answer`, beside them ``request_rate``: requests that come in over the whole deployment [1/s].
    faults : sequence of str
        Why a row cannot be read; empty where it can, one a row.

    Examples
    --------
    >>> row = dict(accelerator="h100-sxm", model="gpt-oss-20b", weight_precision="fp4", isl=1000, osl="many")
    >>> answer_each([row], [""])[0]["reason"]
    "column 'osl': 'many' is not a number"
    """
    used = load_parameters()
    out = [_refused(fault) for fault in faults]
    good: dict[int, dict[str, Any]] = {}
    rates: dict[int, float] = {}
    for i, row in enumerate(rows):
        if not faults[i]:
            try:
                good[i], rates[i] = _checked(row)
            except InputError as fault:
                out[i] = _refused(re.sub(r"^row 2:? ", "", str(fault)))
    alone, over = _loaded(good, {i: rate for i, rate in rates.items() if math.isfinite(rate)}, used)
    for i, reason in over.items():
        out[i] = _refused(reason)
    kept = {i: row for i, row in good.items() if i not in over}
    if kept:
        found = _answered(list(kept.values()), Points.from_rows(kept.values()), used, [alone.get(i, 1.0) for i in kept])
        for i, answered in zip(kept, found, strict=True):
            out[i] = answered
    return out


def _refused(reason: str) -> dict[str, Any]:
    return dict.fromkeys(ADDED_COLUMNS, "") | {"status": "refused" if reason else "", "reason": reason}


def _checked(row: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """Conditions of a row that can be read, and its request rate; NaN where it has none."""
    out = {name: row.get(name, "") for name in POINT_COLUMNS}
    share = str(out["prefix_cache_hit"]).strip()
    rate = str(row.get(RATE, "") or "").strip()
    try:
        value = float(rate) if rate else math.nan
    except ValueError:
        raise InputError(f"column '{RATE}': '{rate[:60]}' is not a number") from None
    if value <= 0.0:
        raise InputError(f"column '{RATE}': {value:g} is not above 0")
    if math.isinf(value):  # as some tools write: all at once
        value = math.nan
    if rate and math.isfinite(value):
        if not str(out["tp"]).strip() or not str(out["gpus"]).strip():
            raise InputError(f"column '{RATE}': a rate needs tp and gpus, the deployment that it comes to")
        out["mode"] = str(out["mode"]).strip() or "aggregated"
    _ = Points.from_rows(
        [out | ({"concurrency": "1"} if math.isfinite(value) and not out["concurrency"] else {})]
    ).years
    if share and not 0.0 <= float(share) < 1.0:
        meant = f"; {float(share) / 100:g} meant?" if 1.0 < float(share) < 100.0 else ""
        raise InputError(f"prefix_cache_hit {share} is not a share of 0 to 1{meant}")
    return out, value


def _loaded(
    good: Mapping[int, dict[str, Any]], rates: Mapping[int, float], used: ServingParameters
) -> tuple[dict[int, float], dict[int, str]]:
    """Put the load that a request rate is into its row; requests in flight below one, and what is too much, by row."""
    if not rates:
        return {}, {}
    from rackecon.serving.offered import in_flight

    points = Points.from_rows([good[i] | {"concurrency": "1"} for i in rates])
    load, most = in_flight(points, np.array(list(rates.values())), used)
    alone: dict[int, float] = {}
    over: dict[int, str] = {}
    for (i, rate), flight, limit in zip(rates.items(), load, most, strict=True):
        stated = str(good[i]["concurrency"]).strip()
        if stated and not float(stated) >= flight:
            continue  # as many at once at most: the client waits
        if math.isfinite(limit) and not math.isfinite(flight):
            over[i] = f"{rate:g} requests a second are more than this deployment serves: at most {limit:.3g}"
        good[i]["concurrency"] = f"{max(flight, 1.0):.6g}" if math.isfinite(flight) else "1"
        alone[i] = min(float(flight), 1.0)
    return alone, over


def _columns(row: Mapping[str, Any], found: Mapping[str, Any], alone: float, searched: bool) -> dict[str, Any]:
    out: dict[str, Any] = dict.fromkeys(ADDED_COLUMNS, "")
    out.update(status=str(found["status"]), reason=str(found["reason"]))
    if out["status"] != "ok" or not math.isfinite(float(found["total_tok_s_per_gpu"])):
        return out
    mode, date = str(found["mode"]), str(row.get("date", "") or "").strip()
    chip = accelerator(str(row["accelerator"]).strip())
    late = years_beyond(chip, date) if date else 0.0
    also = also_new(
        chip.id,
        str(row["model"]).strip(),
        str(row.get("engine", "") or "").strip(),
        float(row["isl"]),
        float(row["osl"]),
    )
    for name in QUANTITIES:
        value = float(found[name]) * (alone if name in OF_THE_WHOLE else 1.0)
        scale = OF_A_SEARCH[name] if searched else name
        low, high = interval_factors(chip.id, str(row["model"]).strip(), mode, scale, late, also=also)
        out[f"predicted_{name}"] = _short(value)
        out[f"predicted_{name}_low"] = _short(value * low)
        out[f"predicted_{name}_high"] = _short(value * high)
    out["predicted_ttft_ms"] = _short(float(found["ttft_ms"]))
    out["bottleneck"] = str(found["bottleneck"])
    out["served_as"] = f"{mode}, {found['layout']}, {float(found['gpus']):g} GPUs"
    out["served_concurrency"] = _short(float(found["concurrency"]) * alone)
    if not out["reason"] and chip.kernel_inherited:
        out["reason"] = f"no kernel measurements of {chip.name}: inherited, with a wider interval"
    return out


def _short(value: float) -> str:
    return f"{value:.6g}"


def write_answers(
    path: Path, header: Sequence[str], rows: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]]
) -> None:
    """Write the rows with their answers, the file whole or not at all."""
    names = [*(name for name in header if name not in ADDED_COLUMNS), *ADDED_COLUMNS]
    check_output(path)
    write_file(path, csv_text(names, ({**row, **found} for row, found in zip(rows, answers, strict=True))))
