"""Vendor claims as records: what was said, by whom, under which stated conditions, and what was left unsaid.

A condition cell of data/claims.csv holds one stated value, or ``?`` and the values that an unstated condition may take
(``?1024/1024|8192/1024``), or nothing where it does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rackecon import catalog
from rackecon.catalog.fields import rows_of
from rackecon.errors import InputError, check_known, unknown_name

METRICS: Final = {
    "tok_s_per_gpu": "total tok/s/GPU",
    "tok_s_per_user": "tok/s/user",
    "rack_tok_s": "total tok/s per rack",
    "tok_s_per_mw": "total tok/s/MW",
    "cost_usd_per_mtok": "$ per million total tokens",
    "ratio_tok_s_per_gpu": "times per GPU",
    "ratio_tok_s_per_mw": "times per MW",
    "ratio_cost": "times lower cost per token",
    "rack_revenue_usd": "$ of token revenue per rack",
    "software_gain": "times by software",
    "margin_over_cost": "profit over cost",
    "revenue_over_cost": "times its cost",
    "limit_cost": "times the rate within the limits",
    "profit_usd_per_gw_year": "$ of profit per GW and year",
    "price_over_cost": "times the cost of a token",
}
CLAIM_APART: Final = ("id", "conditions", "stated", "by_reference", "not_stated", "primary", "repeats")
BOUNDS: Final = ("", "up_to", "at_least", "equals")
CONDITIONS: Final = (
    "subject",
    "baseline",
    "compared_with",
    "model",
    "scenario",
    "workload",
    "tok_s_per_user",
    "baseline_tok_s_per_gpu",
    "mode",
    "baseline_mode",
    "weight_precision",
    "baseline_precision",
    "speculative",
    "baseline_speculative",
    "engine",
    "baseline_engine",
    "software_date",
    "baseline_software_date",
    "layout",
    "vintage",
    "cost_basis",
    "horizon_years",
    "utilisation",
    "token_price",
    "prefix_cache_hit",
    "counting",
)


@dataclass(frozen=True)
class Condition:
    """One condition of a claim: its value, or the values it may take where the source does not say."""

    name: str
    options: tuple[str, ...]
    stated: bool


@dataclass(frozen=True)
class Claim:
    """One claim with its conditions and sources.

    ``value`` is in the unit of its metric, ``value_step`` half of its last printed digit; ``bound`` is ``up_to`` or
    ``at_least`` where the source says so, ``equals`` where a greater value would be as wrong as a smaller one.
    ``identity`` says what disclosure the number is arithmetic on, ``unpublished`` what it rests on and nobody published.
    """

    id: str
    title: str
    claimant: str
    date: str
    metric: str
    value: float
    value_step: float
    bound: str
    value_text: str
    token_counting: str
    statement: str
    subject_text: str
    conditions: Mapping[str, Condition]
    stated: str
    by_reference: str
    not_stated: str
    named_subject: str
    source_subject: str
    investment_usd: float
    stated_tok_s_per_gpu: float
    primary: tuple[str, ...]
    repeats: tuple[str, ...]
    distortion: str
    note: str
    identity: str
    unpublished: str
    honest: str

    @property
    def unit(self) -> str:
        """Unit of the value."""
        return METRICS[self.metric]

    @property
    def falls_with_rate(self) -> bool:
        """Whether a smaller number is the stronger claim."""
        return self.metric == "cost_usd_per_mtok"

    @property
    def misattributed(self) -> bool:
        """Whether the source's own conditions name another subject than this record does."""
        return bool(self.source_subject) and self.source_subject != self.named_subject

    @property
    def open_conditions(self) -> tuple[str, ...]:
        """Conditions that the source leaves open, in a fixed order."""
        return tuple(n for n in CONDITIONS if n in self.conditions and not self.conditions[n].stated)

    def says(self, name: str) -> bool:
        """Whether the source states a condition."""
        return name in self.conditions and self.conditions[name].stated

    def only(self, name: str) -> str:
        """The first value of a condition; empty where it does not apply."""
        found = self.conditions.get(name)
        return found.options[0] if found and found.options else ""


@dataclass(frozen=True)
class Source:
    """A publication: title, publisher, address, date."""

    id: str
    title: str
    publisher: str
    address: str
    date: str


@dataclass(frozen=True)
class Quote:
    """A rate that a publication gives for a claim's conditions and that is in no table of measurements here."""

    claim_id: str
    accelerator: str
    model: str
    workload: str
    weight_precision: str
    speculative: str
    tok_s_per_user: float
    total_tok_s_per_gpu: float
    kind: str
    note: str
    source_id: str
    date: str


@dataclass(frozen=True)
class Published:
    """A claim's number as somebody measured it, where the sides are in no table of measurements here; ``own_run`` by its author."""

    compared_with: str
    tok_s_per_user: float
    value: float
    low: float
    high: float
    own_run: bool
    note: str
    source_id: str
    date: str


@dataclass(frozen=True)
class Statement:
    """A sentence of an article, exact or in other words, and the claims that try it."""

    statement: str
    exact: bool
    claim_ids: tuple[str, ...]
    note: str
    source_id: str


def _condition(name: str, cell: str) -> Condition | None:
    if not cell:
        return None
    stated = not cell.startswith("?")
    options = tuple(part.strip() for part in cell.removeprefix("?").split("|") if part.strip())
    return Condition(name, options, stated)


def _ids(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())


def claims() -> dict[str, Claim]:
    """All claims, in file order.

    Returns
    -------
    dict of Claim
        By id. Read afresh, so that an edited table counts at once.

    Raises
    ------
    InputError
        A duplicate id, an unknown metric, a value that is no number, a stated condition with several values.
    """
    out: dict[str, Claim] = {}
    for row in rows_of("claims"):
        key, metric, where = row.text("claim_id"), row.text("metric"), row.where
        if key in out:
            raise InputError(f"{where}: claim_id '{key}' is given twice")
        check_known("metric", metric, METRICS, where)
        value = row.number("value")
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{where} column 'value': needs a positive number")
        bound = row.text("bound")
        check_known("bound", bound, BOUNDS, where)
        conditions = {}
        for name in CONDITIONS:
            found = _condition(name, row.text(name))
            if found is None:
                continue
            if found.stated and len(found.options) != 1:
                raise InputError(f"{where} column '{name}': several values need a leading '?'")
            conditions[name] = found
        out[key] = Claim(
            **row.fields_of(Claim, *CLAIM_APART, value_step=0.0),
            id=key,
            conditions=conditions,
            stated=row.text("conditions_stated"),
            by_reference=row.text("conditions_by_reference"),
            not_stated=row.text("conditions_not_stated"),
            primary=_ids(row.text("source_id")),
            repeats=_ids(row.text("repeated_by")),
        )
    return out


def claim(claim_id: str) -> Claim:
    """One claim; an unknown id is refused with the nearest one."""
    every = claims()
    check_known("claim", claim_id, every)
    return every[claim_id]


def source(source_id: str) -> Source:
    """A publication of data/sources.csv."""
    for cells in catalog.read_rows("sources"):
        if cells["source_id"] == source_id:
            return Source(source_id, cells["title"], cells["publisher"], cells["address"], cells["date"])
    raise unknown_name("source", source_id, [r["source_id"] for r in catalog.read_rows("sources")], "data/claims.csv")


def quotes(claim_id: str | None = None) -> list[Quote]:
    """Second-hand and interpolated rates of data/claim_evidence.csv, of one claim or all."""
    out = []
    for row in rows_of("claim_evidence"):
        if claim_id is None or claim_id in _ids(row.text("claim_ids")):
            out.append(Quote(claim_id=row.text("claim_ids"), **row.fields_of(Quote, "claim_id")))
    return out


def published(claim_id: str) -> list[Published]:
    """Readings of data/claim_readings.csv for a claim; empty where its number follows from tables of measurements."""
    out = []
    for row in rows_of("claim_readings"):
        if row.text("claim_id") == claim_id:
            value = row.number("value")
            out.append(Published(**row.fields_of(Published, low=value, high=value)))
    return out


def statements() -> list[Statement]:
    """The statements of data/claim_statements.csv, in their order.

    Raises
    ------
    InputError
        A statement without claims, or with an unknown one.
    """
    known, out = claims(), []
    for row in rows_of("claim_statements"):
        ids = _ids(row.text("claim_ids"))
        for key in ids or ("",):
            check_known("claim", key, known, row.where)
        one = Statement(row.text("statement"), row.flag("exact"), ids, row.text("note"), row.text("source_id"))
        out.append((row.whole("order"), one))
    return [one for _, one in sorted(out, key=lambda item: item[0])]
