"""Dated predictions for what nobody has measured, kept unchanged, and their score once somebody has.

data/forecasts/ holds one file a date: rates of the searched front at a speed, with 90 % intervals and the digests of the
code and the data that made them. A file is never edited; a later edition is a new one.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from rackecon import catalog
from rackecon.catalog.paths import PACKAGE, data_dir, listed
from rackecon.catalog.written import csv_text, write_file
from rackecon.errors import InputError
from rackecon.evidence.intervals import AT_SPEED, evidence_class, interval_factors, weighted_score
from rackecon.serving.frontier import search
from rackecon.serving.query import default_date, years_beyond

SPEEDS = (30.0, 60.0, 100.0)
"""Speeds at which rates are forecast [tok/s/user]."""
KEY = ("accelerator", "model", "weight_precision", "isl", "osl")
COLUMNS = (
    "made", *KEY, "tok_s_per_user", "mode", "layout", "total_tok_s_per_gpu", "total_tok_s_per_gpu_low",
    "total_tok_s_per_gpu_high", "evidence", "software_date", "code_digest", "data_digest",
)  # fmt: skip
NEAR = 0.05
"""Share of the speed within which a measured point answers a forecast."""
LENGTH_SHARE = 0.9
"""Mean over nominal length of the public benchmark's draws."""


def code_digest() -> str:
    """First 12 hexadecimal digits of the SHA-256 of the library's source."""
    return _digest(sorted(PACKAGE.rglob("*.py")), PACKAGE)


def data_digest() -> str:
    """First 12 hexadecimal digits of the SHA-256 of the shipped tables."""
    return _digest(listed(data_dir(), "*.csv"), data_dir())


def _digest(files: Iterable[Path], root: Path) -> str:
    found = hashlib.sha256()
    for path in files:
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def named_pairs(names: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Platforms and models to forecast: those named, else those of the newest forecasts on record.

    Examples
    --------
    >>> named_pairs(["vr-nvl72:deepseek-r1"])
    [('vr-nvl72', 'deepseek-r1')]
    """
    if not names:
        rows = ledger()
        return list(
            dict.fromkeys((row["accelerator"], row["model"]) for row in rows if row["made"] == rows[-1]["made"])
        )
    parts = [name.partition(":") for name in names]
    return [(catalog.accelerator(chip).id, catalog.model(arch).id) for chip, _, arch in parts]


def forecasts(
    pairs: Iterable[tuple[str, str]], made: str, isl: int = 8192, osl: int = 1024
) -> Iterator[dict[str, Any]]:
    """Rates of the searched front of each platform and model at :data:`SPEEDS`; speeds out of reach are left out."""
    code, data = code_digest(), data_digest()
    for chip, arch in pairs:
        record = catalog.accelerator(chip)
        software = default_date(record)
        front = search(chip, arch, LENGTH_SHARE * isl, LENGTH_SHARE * osl, date=software)
        for speed in SPEEDS:
            rate = front.rate_at(speed)
            if not np.isfinite(rate):
                continue
            i = int(np.searchsorted(front.rows["tok_s_per_user"], speed))
            mode = str(front.rows["mode"][i])
            low, high = interval_factors(chip, arch, mode, AT_SPEED, years_beyond(record, made), also=())
            ends = [f"{rate * x:.5g}" for x in (1.0, low, high)]
            precision, layout = str(front.rows["weight_precision"][i]), str(front.rows["layout"][i])
            values = [made, chip, arch, precision, isl, osl, speed, mode, layout, *ends]
            values += [evidence_class(chip, arch, mode), software, code, data]
            yield dict(zip(COLUMNS, values, strict=True))


def write_forecasts(rows: Iterable[dict[str, Any]], folder: Path, made: str) -> Path:
    """Write a new file of forecasts; one that exists is never touched."""
    try:
        date.fromisoformat(made)
    except ValueError:
        raise InputError(f"'{made}' is no date: write it as 2026-11-30") from None
    target = folder / f"{made}.csv"
    if target.exists():
        raise InputError(f"{target.name}: forecasts of that date exist and are never edited")
    write_file(target, csv_text(list(COLUMNS), list(rows)))
    return target


def forecast_dir() -> Path:
    """Folder of the forecasts on record."""
    return data_dir() / "forecasts"


def ledger() -> list[dict[str, str]]:
    """All forecasts on record, oldest file first."""
    out: list[dict[str, str]] = []
    for path in listed(forecast_dir(), "*.csv"):
        with open(path, encoding="utf-8", newline="") as handle:
            out += list(csv.DictReader(handle))
    return out


def score(
    measured: Iterable[Mapping[str, str]], made: Iterable[Mapping[str, str]] | None = None
) -> list[dict[str, Any]]:
    """Forecasts beside what was measured after they were made.

    Parameters
    ----------
    measured : iterable of mapping
        Rows as of data/measured_serving.csv: the columns of ``KEY``, ``date``, ``tok_s_per_user`` and
        ``total_tok_s_per_gpu``.
    made : iterable of mapping, optional
        Forecasts; all on record by default.

    Returns
    -------
    list of dict
        One for each forecast with a measured point within 5 % of its speed; the highest rate counts. ``log_ratio`` is
        measured over forecast, ``inside`` whether it lies in the interval, ``weighted_score`` the weighted interval score
        of the log (:func:`~rackecon.evidence.intervals.weighted_score`).

    Examples
    --------
    >>> row = dict(accelerator="a", model="m", weight_precision="fp8", isl="1", osl="1", tok_s_per_user="30")
    >>> made = row | dict(made="2026-11-28", total_tok_s_per_gpu="100", total_tok_s_per_gpu_low="50",
    ...     total_tok_s_per_gpu_high="200")
    >>> found = score([row | dict(total_tok_s_per_gpu="200", date="2027-01-01", tok_s_per_user="30.5")], [made])
    >>> found[0]["inside"], round(found[0]["log_ratio"], 3), round(found[0]["weighted_score"], 3)
    (True, 0.693, 0.277)
    """
    rows = list(measured)
    out = []
    for one in ledger() if made is None else made:
        speed = float(one["tok_s_per_user"])
        rates = [float(row["total_tok_s_per_gpu"]) for row in rows if _answers(row, one, speed)]
        if not rates:
            continue
        middle, low, high = (np.log(float(one[f"total_tok_s_per_gpu{end}"])) for end in ("", "_low", "_high"))
        y = float(np.log(max(rates)))
        out.append(
            {
                **{name: one[name] for name in ("made", *KEY, "tok_s_per_user", "total_tok_s_per_gpu")},
                "measured": max(rates),
                "log_ratio": float(y - middle),
                "inside": bool(low <= y <= high),
                "weighted_score": float(weighted_score(y, middle, low, high)),
            }
        )
    return out


def _answers(row: Mapping[str, str], one: Mapping[str, str], speed: float) -> bool:
    """Whether a measured row has a forecast's conditions, near its speed, and a later date."""
    if not row.get("tok_s_per_user") or not row.get("total_tok_s_per_gpu") or row.get("date", "") <= one["made"]:
        return False
    same = all(_plain(row.get(name, "")) == _plain(one[name]) for name in KEY)
    return same and abs(float(row["tok_s_per_user"]) / speed - 1.0) <= NEAR


def _plain(cell: str) -> str:
    try:
        return f"{float(cell):g}"
    except ValueError:
        return cell.strip()
