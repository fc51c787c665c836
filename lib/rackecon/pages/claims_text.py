"""Sentences about claims, computed from their assessments: exact, fair, and new on every run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from rackecon.catalog import accelerator, accelerators, base_case
from rackecon.claims import (
    Assessment,
    Claim,
    arithmetic,
    coverage,
    measured,
    published,
    quotes,
    source,
    true_when,
    undecided,
    what_is_missing,
)
from rackecon.claims import claim as one_claim
from rackecon.claims.assess import own_runs
from rackecon.claims.conditions import MOST_BOXES, Move, fewest
from rackecon.claims.deciding import Deciding, deciding
from rackecon.claims.evidence import repeat_spread
from rackecon.claims.model import VINTAGES, cases, cost_per_gpu_hour, option_words, rack_gpus, side
from rackecon.claims.records import Published
from rackecon.claims.required import price_needed, prices_needed, rate_needed, required
from rackecon.claims.special import GPUS_PER_NODE, SPECIAL, blended_range, fleet_day, gain_days
from rackecon.claims.verdict import TRUE, widest_ratio
from rackecon.economics.cost import select_cost
from rackecon.economics.power_table import all_in_kw
from rackecon.figures.results import Figure
from rackecon.pages.sentences import say
from rackecon.units import SECONDS_PER_DAY
from rackecon.words import engine_words, lengths, money, money_span, number, percent, times

PAGE: Final = "11_claims"
UNITS: Final = {
    "rack_revenue_usd": "USD",
    "profit_usd_per_gw_year": "USD/GW-year",
    "cost_usd_per_mtok": "USD/Mtok",
    "tok_s_per_gpu": "tok/s/GPU",
    "tok_s_per_user": "tok/s/user",
    "tok_s_per_mw": "tok/s/MW",
    "rack_tok_s": "tok/s/rack",
}
TRUE_VERDICTS: Final = ("measured", "holds if")
MOST = 5
MOST_MISSING = 3
MISSING = {
    "subject": "the machine",
    "baseline": "the machine compared with",
    "model": "the model",
    "workload": "the lengths",
    "tok_s_per_user": "the speed",
    "weight_precision": "the precision",
    "engine": "the engine",
    "speculative": "drafting",
    "horizon_years": "years sold",
    "utilisation": "the share sold",
    "token_price": "the token price",
    "counting": "tokens counted",
    "baseline_tok_s_per_gpu": "the older machine's settings",
    "baseline_precision": "the older machine's settings",
    "baseline_speculative": "the older machine's settings",
    "baseline_software_date": "the older machine's settings",
}
RATIOS = (
    *("ratio_tok_s_per_gpu", "ratio_tok_s_per_mw", "ratio_cost", "software_gain"),
    *("revenue_over_cost", "limit_cost", "price_over_cost"),
)
AMOUNTS = ("rack_revenue_usd", "profit_usd_per_gw_year")
PER = {"ratio_tok_s_per_gpu": "per GPU", "ratio_tok_s_per_mw": "per MW", "ratio_cost": "per dollar"}


def value_text(metric: str, value: float) -> str:
    """A value of a metric with its unit.

    Examples
    --------
    >>> value_text("rack_revenue_usd", 75e6), value_text("ratio_cost", 35.0), value_text("margin_over_cost", 5.45)
    ('$75.0M', '35 times', '545 %')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if metric in AMOUNTS:
        return money(value)
    if metric == "cost_usd_per_mtok":
        return money(value, 2)
    if metric == "margin_over_cost":
        return percent(value)
    if metric in RATIOS:
        return times(float(f"{value:.2g}"))
    return number(value)


def span_text(metric: str, low: float, high: float) -> str:
    """Both ends of a range, the unit of a ratio once.

    Examples
    --------
    >>> span_text("ratio_cost", 1.8, 210.0), span_text("rack_revenue_usd", 3e6, 9e6)
    ('1.8 to 210 times', '$3.00M to $9.00M')
    >>> span_text("ratio_cost", 2.0, 18.0), span_text("ratio_cost", 0.997, 1.004)
    ('2.0 to 18 times', '1.0 to 1.0 times')
    """
    if metric in AMOUNTS:
        return money_span([low, high])
    return f"{value_text(metric, low).removesuffix(' times')} to {value_text(metric, high)}"


def verdicts_sentence(results: Sequence[Assessment]) -> str:
    """The count of each verdict."""
    found = Counter(r.verdict for r in results)
    return say(
        PAGE,
        "verdicts",
        total=len(results),
        measured=found["measured"],
        conditional=found["holds if"],
        contradicted=found["contradicted"],
        exaggerated=found["exaggerated"],
        unchecked=found["not checkable"],
        apart=found["misattributed"] + found["arithmetic"],
    )


def open_sentence(results: Sequence[Assessment]) -> str:
    """How many claims leave a condition open, and what they leave open most often."""
    left = [{MISSING.get(name, name) for name in r.claim.open_conditions} for r in results]
    counted = Counter(name for names in left for name in sorted(names))
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_MISSING]
    return say(PAGE, "left_open", claims=sum(map(bool, left)), most=most)


def sure_sentence(results: Sequence[Assessment]) -> str:
    """How far a verdict by the model may be trusted, for the page's first lines."""
    found = coverage(list(results))
    return say(PAGE, "sure", cells=found.cells, share=found.share)


def allowances_sentence() -> str:
    """How near a number must come to a claim, and what stands in for a machine that was not measured."""
    return say(PAGE, "allowances", repeats=repeat_spread() - 1.0)


def coverage_sentence(results: Sequence[Assessment]) -> str:
    """How often a measured number lies inside the model's interval at the same conditions."""
    found = coverage(list(results))
    return say(
        PAGE,
        "coverage",
        cells=found.cells,
        share=found.share,
        above=found.above,
        below=found.below,
        widest=widest_ratio(),
    )


def line_text(result: Assessment) -> str:
    """When a claim is true, or by how much it is not, or what is missing, in one line."""
    claim = result.claim
    if result.verdict == "misattributed":
        return say(
            PAGE, "line_misattributed", source=_subject(claim.source_subject), named=_subject(claim.named_subject)
        )
    if result.verdict == "arithmetic":
        return claim.identity
    missing = what_is_missing(result)
    if missing:
        return say(PAGE, "line_missing", missing=missing)
    if result.verdict in ("contradicted", "exaggerated"):
        return say(
            PAGE,
            "line_false",
            times=result.exaggeration,
            measured=result.verdict == "contradicted",
            best=value_text(claim.metric, result.best),
        )
    return _true_line(result, 1)


def _true_line(result: Assessment, most: int = MOST_BOXES, *, bare: bool = False) -> str:
    """When a claim is true, what its price needs, and what nothing decides; ``bare`` without the word true."""
    line = say(PAGE, "line_true", when=true_when(result, most), bare=bare)
    own = say(PAGE, "line_own") if own_runs(result.claim) else ""
    return line + own + _price_words(result) + _open_words(result)


def verdict_text(result: Assessment) -> str:
    """The verdict with the whole set under which the claim holds, and the figures that it follows from."""
    return say(
        PAGE,
        "verdict",
        verdict=result.verdict.capitalize(),
        line=_true_line(result, bare=result.verdict == "holds if")
        if result.verdict in TRUE_VERDICTS
        else line_text(result),
        readings=len(result.readings),
        holding=sum(one.state == TRUE for one in result.readings),
        apart=result.verdict in ("misattributed", "arithmetic"),
    )


def _price_words(result: Assessment) -> str:
    """What a rack's revenue at a stated speed needs per million tokens, over the readings that its chart draws."""
    claim = result.claim
    if claim.metric != "rack_revenue_usd" or not claim.conditions["tok_s_per_user"].stated:
        return ""
    least, most = prices_needed(required(claim).frame)
    return say(PAGE, "prices_needed", least=least, most=most)


def _open_words(result: Assessment) -> str:
    """What of a claim that holds elsewhere nothing decides."""
    names, width = undecided(result)
    return say(PAGE, "line_undecided", names=names, width=width, allowed=widest_ratio()) if names else ""


def moves_text(moved: Sequence[Move], states: Sequence[str]) -> str:
    """Which single changes of a condition leave a claim true, which do not, and which leave it undecided."""
    told = {state: [one.words for one in moved if one.state == state] for state in states}
    return say(PAGE, "moved", told=[told[state] for state in states]) if any(told.values()) else ""


def fewest_text(result: Assessment) -> str:
    """The fewest conditions that make a claim true, where one alone is not enough or it is true in no reading."""
    found = fewest(result)
    return (
        say(PAGE, "fewest", words=list(found.words), moved=found.moved)
        if found and (found.words or found.moved)
        else ""
    )


def claim_figures(results: Sequence[Assessment]) -> list[Figure]:
    """The results of the page: what each claim says, what its conditions give, and the verdict."""
    made = []
    for result in results:
        key, unit = result.claim.id, UNITS.get(result.claim.metric, "-")
        low, high = result.shown
        values = {"claimed": result.claim.value, "computed": result.computed, "low": low, "high": high}
        values |= dict(zip(("measured_low", "measured_high"), result.span("measured"), strict=True))
        made += [Figure(f"{key}/{name}", value, unit) for name, value in values.items()]
        for one in deciding(result):
            made += [Figure(f"{key}/{one.kind}/{name}", getattr(one, name), unit) for name in ("least", "most")]
            made += [Figure(f"{key}/{one.kind}/{name}", getattr(one, name), "-") for name in ("points", "allowed")]
        made.append(Figure(f"{key}/verdict", result.verdict, "text"))
        made.append(Figure(f"{key}/true_when", line_text(result), "text"))
        runs = sorted({name for cells in result.cells for points in cells.used.points for name in points})
        made += [Figure(f"{key}/runs", "; ".join(runs), "text")] if runs else []
    return made


def _subject(name: str) -> str:
    """A platform's chart name, or a model's id as it is."""
    return accelerators()[name].label if name in accelerators() else name


def evidence_text(result: Assessment) -> str:
    """What public measurements say at the claim's conditions; where there are none, so."""
    claim = result.claim
    if claim.metric == "margin_over_cost":
        day = fleet_day()
        return say(PAGE, "evidence_fleet", **vars(day))
    if claim.metric == "software_gain":
        from rackecon.claims.evidence import software_gains

        gains = software_gains(gain_days(cases(claim)[0]), same_layout=False)
        return say(
            PAGE,
            "evidence_gain",
            pairs=len(gains),
            typical=float(np.median(gains)),
            most=float(np.max(gains)),
            reached=float(np.mean(gains >= claim.value)),
            claimed=claim.value,
        )
    read = published(claim.id)
    if read:
        own = say(PAGE, "own_runs") + " " if own_runs(claim) else ""
        return own + " ".join(_published_text(claim, one) for one in read)
    parts: list[str] = []
    told: set[str] = set()
    for row in measured(claim):
        chip = accelerator(row["accelerator"]).label
        where = f"{chip}, {row['model']}, {lengths(row['workload'])}, {row['weight_precision'].upper()}"
        where += f", {engine_words(row['engine'])}" if row["engine"] else ""
        if (where in told and row["kind"] == "none") or len(parts) == MOST:
            continue
        told.add(where)
        parts.append(
            say(
                PAGE,
                "evidence_point",
                where=where,
                kind=row["kind"],
                rate=row["total_tok_s_per_gpu"],
                speed=row["tok_s_per_user"],
                published=int(row["published"]),
                peak=row["peak_tok_s_per_gpu"],
                asked=math.isfinite(row["tok_s_per_user"]),
                between=[row["low"], row["high"]] if row["kind"] == "interpolated" else [],
            )
        )
    return f"{_measured_number(result)}{'; '.join(parts)}. {_cited(claim)}".strip() if parts else ""


def _published_text(claim: Claim, one: Published) -> str:
    """A number that somebody measured, with its conditions and its source."""
    return say(
        PAGE,
        "published",
        number=value_text(claim.metric, one.value),
        between=[value_text(claim.metric, x) for x in (one.low, one.high)] if one.low < one.high else [],
        compared_with=one.compared_with,
        speed=one.tok_s_per_user if math.isfinite(one.tok_s_per_user) else None,
        note=one.note,
        publisher=source(one.source_id).publisher,
        date=one.date,
    )


def _measured_number(result: Assessment) -> str:
    """The claimed number as measured on both sides, where it was."""
    low, high = result.span("measured")
    if not math.isfinite(low):
        return ""
    metric = result.claim.metric
    text = value_text(metric, low) if low == high else span_text(metric, low, high)
    runs = {name for cells in result.cells for points in cells.used.points for name in points}
    points = sum(map(math.isfinite, result.column("measured")))
    between = [result.span("measured", "low")[0], result.span("measured", "high")[1]] if points == 1 else []
    ends = [value_text(metric, x) for x in between]
    return say(PAGE, "evidence_number", number=text, between=ends, points=points, count=len(runs)) + " "


def deciding_text(result: Assessment) -> str:
    """The numbers that the verdict rests on: which machines were measured in them, their interval, and any allowance."""
    found = deciding(result)
    return say(PAGE, "deciding", found=[_deciding(result.claim.metric, one) for one in found]) if found else ""


def _deciding(metric: str, one: Deciding) -> dict[str, object]:
    alone = one.points == 1
    return {
        "kind": one.kind,
        "points": one.points,
        "span": value_text(metric, one.least) if one.least == one.most else span_text(metric, one.least, one.most),
        "between": span_text(metric, one.low, one.high) if alone and one.low < one.high else "",
        "narrowest": f"{one.narrowest:.2g}",
        "widest": f"{one.widest:.2g}",
        "speed": one.slowest if math.isfinite(one.slowest) else None,
        "allowed": one.allowed,
    }


def honest_text(result: Assessment) -> str:
    """How the claim would be said honestly; of an exaggerated one with what the model allows."""
    claim = result.claim
    if result.verdict != "exaggerated":
        return claim.honest
    span = span_text(claim.metric, *result.shown)
    return say(PAGE, "honest_short", computed=value_text(claim.metric, result.computed), span=span, honest=claim.honest)


def _cited(claim: Claim) -> str:
    """Rates that other publications give at the claim's conditions, said to be second hand."""
    told = []
    for one in quotes(claim.id)[:MOST]:
        told.append(
            say(
                PAGE,
                "cited_point",
                platform=accelerator(one.accelerator).label,
                rate=one.total_tok_s_per_gpu,
                speed=one.tok_s_per_user if math.isfinite(one.tok_s_per_user) else None,
                lengths=lengths(one.workload),
                kind=one.kind,
                publisher=source(one.source_id).publisher,
                date=one.date,
            )
        )
    return say(PAGE, "cited", points=told) if told else ""


def model_text(result: Assessment) -> str:
    """The model's answer with its interval, and where the model is weak."""
    claim = result.claim
    if claim.metric == "margin_over_cost":
        one = side(cases(claim)[0])
        rate = float(one.modelled(np.array([float(claim.only("tok_s_per_user"))])).value[0])
        day = fleet_day()
        fleet = (day.input_tokens + day.output_tokens) / SECONDS_PER_DAY / (GPUS_PER_NODE * day.nodes)
        computed = value_text(claim.metric, result.computed)
        return say(PAGE, "model_fleet", computed=computed, rate=rate, fleet=fleet)
    low, high = result.shown
    widths = result.column("modelled", "high") / result.column("modelled", "low")
    widths = widths[np.isfinite(widths)]
    if not len(widths):
        return ""
    return say(
        PAGE,
        "model",
        single=len(widths) == 1,
        computed=value_text(claim.metric, result.computed),
        span=span_text(claim.metric, low, high),
        narrowest=float(widths.min()) if len(widths) else math.nan,
        widest=widest_ratio(),
        unmeasured=_unmeasured(result),
    )


def _unmeasured(result: Assessment) -> list[str]:
    """Platforms of a claim that nothing measures, or not with its kind of speculation."""
    if result.claim.metric in SPECIAL and result.claim.metric != "tok_s_per_user":
        return []
    found = [side(case, which) for case in result.cases for which in ("subject", "baseline") if case.get(which)]
    return sorted({accelerator(one.accelerator).label for one in found if one.unmeasured})


def required_text(claim: Claim) -> str:
    """What must be true, solved from the claim's own number."""
    if claim.metric == "rack_revenue_usd":
        return _revenue_text(claim)
    if claim.metric == "software_gain":
        case = cases(claim)[0]
        cost = cost_per_gpu_hour(case["subject"], case["vintage"])
        reached = one_claim("b200-2cents").value
        now, then = (float(arithmetic.rate_from_cost(cost, factor * reached)) for factor in (1.0, claim.value))
        return say(PAGE, "needed_gain", cost=cost, reached=reached, now=now, factor=claim.value, then=then)
    if claim.metric == "margin_over_cost":
        return say(PAGE, "needed_margin", half=(claim.value + 1) / 2 - 1, even=1 / (claim.value + 1))
    if claim.metric == "tok_s_per_user":
        return say(PAGE, "needed_speed", speed=claim.value)
    if claim.metric in (*SPECIAL, "profit_usd_per_gw_year", "price_over_cost") or published(claim.id):
        return ""
    if claim.metric in PER:
        return _ratio_text(claim)
    case = cases(claim)[0]
    need = rate_needed(claim, case)
    isl, osl = (float(part) for part in case["workload"].split("/"))
    paid: dict[str, object] = {"cost": None}
    if claim.metric == "cost_usd_per_mtok":
        paid = {
            "cost": cost_per_gpu_hour(case["subject"], case["vintage"]),
            "vintage": VINTAGES[case["vintage"]][0],
            "alone": money(claim.value * (isl + osl) / osl, 2),
        }
    return say(
        PAGE,
        "needed_rate",
        need=need,
        output=need * osl / (isl + osl),
        lengths=lengths(case["workload"]),
        **paid,
    )


def _ratio_text(claim: Claim) -> str:
    case = cases(claim)[0]
    ours, theirs = case["subject"], case["baseline"]
    if ours == theirs:
        return ""
    given: dict[str, object] = {"need": claim.value, "basis": "GPU"}
    if claim.metric == "ratio_tok_s_per_mw":
        vintage = VINTAGES[case["vintage"]][1]
        kw, other = all_in_kw(ours, vintage), all_in_kw(theirs, vintage)
        given = {"need": claim.value * kw / other, "basis": "MW", "a": kw, "b": other, "vintage": vintage}
    elif claim.metric == "ratio_cost":
        cost, other = cost_per_gpu_hour(ours, case["vintage"]), cost_per_gpu_hour(theirs, case["vintage"])
        need = float(arithmetic.throughput_ratio_for_cost_ratio(claim.value, cost, other))
        given = {"need": need, "basis": "$", "a": cost, "b": other, "vintage": VINTAGES[case["vintage"]][0]}
    labels = {"ours": accelerator(ours).label, "theirs": accelerator(theirs).label}
    return say(PAGE, "needed_ratio", **labels, **given)


def _stated_rate_text(claim: Claim) -> str:
    """The price that the source's own rate needs, by horizon."""
    case, rate = cases(claim)[0], claim.stated_tok_s_per_gpu
    gpus = rack_gpus(case["subject"])
    isl, osl = (float(part) for part in case["workload"].split("/"))
    prices = [
        (float(arithmetic.price_needed_usd_per_mtok(claim.value, rate, gpus, float(years))), int(years))
        for years in claim.conditions["horizon_years"].options
    ]
    alone = prices[-1][0] * (isl + osl) / osl if claim.conditions["workload"].stated else None
    return say(PAGE, "needed_price", rate=rate, gpus=gpus, prices=prices, alone=alone)


def _revenue_text(claim: Claim) -> str:
    case = [one for one in cases(claim) if one.get("engine", "") == claim.only("engine")][-1]
    years, gpus = float(case["horizon_years"]), rack_gpus(case["subject"])
    speed = float(case.get("tok_s_per_user") or 50.0)
    rate = float(side(case).modelled(np.array([speed])).value[0])
    full = float(price_needed(claim, case, speed, 1.0))
    sold = base_case().utilisation
    partly = float(price_needed(claim, case, speed, sold))
    prices = blended_range(case["model"], case["workload"], claim.date)
    text = say(
        PAGE,
        "revenue",
        model=case["model"],
        lengths=lengths(case["workload"]),
        draft=option_words("speculative", case["speculative"]),
        speed=speed,
        years=years,
        rate=rate,
        software=option_words("software_date", case["software_date"]) if case.get("software_date") else "",
        full=full,
        partly=partly,
        sold=sold,
        date=claim.date,
        cheapest=prices["cheapest"],
        dearest=prices["dearest"],
        middle=prices["list"],
        kept=float(arithmetic.level_revenue_years(0.5, years)) / years,
    )
    if math.isfinite(claim.stated_tok_s_per_gpu):
        text = f"{_stated_rate_text(claim)} {text}"
    if math.isfinite(claim.investment_usd):
        owned = []
        for tier in ("hyperscaler", "neocloud"):
            found = select_cost(case["subject"], basis="ownership", tier=tier, vintage=VINTAGES["2025"][0])
            if found is not None:
                rate = found.usd_per_gpu_hour
                owned.append((float(arithmetic.ownership_usd(rate, gpus, 3)), tier, rate))
        text += " " + say(PAGE, "investment", invested=claim.investment_usd, gpus=gpus, owned=owned)
    return text
