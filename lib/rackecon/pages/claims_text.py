"""Sentences about claims, computed from their assessments: exact, fair, and new on every run."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon.catalog import accelerator, accelerators, base_case
from rackecon.claims import arithmetic, conditions_needed, measured, quotes, source
from rackecon.claims import claim as one_claim
from rackecon.claims.model import VINTAGES, Side, cases, cost_per_gpu_hour, operating_speeds, rack_gpus, side
from rackecon.claims.required import holding_speeds, rate_needed
from rackecon.claims.special import GPUS_PER_NODE, blended_range, fleet_day, gain_days
from rackecon.claims.verdict import MEANING, VERDICTS
from rackecon.economics.cost import select_cost
from rackecon.economics.power_table import all_in_kw
from rackecon.figures.results import Figure
from rackecon.pages.sentences import say
from rackecon.units import SECONDS_PER_DAY
from rackecon.words import money, number, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rackecon.claims import Assessment, Claim

__all__ = [
    "claim_figures",
    "evidence_text",
    "lengths",
    "model_text",
    "open_sentence",
    "pair_text",
    "required_text",
    "span_text",
    "value_text",
    "verdict_text",
    "verdicts_sentence",
    "weak_sentence",
]

PAGE: Final = "11_claims"
UNITS: Final = {
    "rack_revenue_usd": "USD",
    "cost_usd_per_mtok": "USD/Mtok",
    **dict.fromkeys(("tok_s_per_gpu", "tok_s_per_user", "rack_tok_s", "tok_s_per_mw"), "tok/s"),
}
MOST = 5
MOST_SPEEDS = 4
MOST_MISSING = 3
WIDE_LOG = 1.6
"""Spread of public fronts round searched ones, in logarithms, from which a section warns."""
MISSING = {
    "subject": "the machine",
    "baseline": "the machine compared with",
    "model": "the model",
    "workload": "lengths",
    "tok_s_per_user": "speed per user",
    "weight_precision": "precision",
    "speculative": "drafting",
    "horizon_years": "years sold",
    "utilisation": "share sold",
    "token_price": "token price",
    "counting": "tokens counted",
    "baseline_tok_s_per_gpu": "settings of the older machine",
    "baseline_precision": "settings of the older machine",
    "baseline_speculative": "settings of the older machine",
    "baseline_software_date": "settings of the older machine",
}
RATIOS = ("ratio_tok_s_per_gpu", "ratio_tok_s_per_mw", "ratio_cost", "software_gain")
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
    if metric == "rack_revenue_usd":
        return money(value)
    if metric == "cost_usd_per_mtok":
        return money(value, 2)
    if metric == "margin_over_cost":
        return percent(value)
    if metric in RATIOS:
        return f"{number(value, 2) if value != 1 else '1.0'} times"
    return number(value)


def span_text(metric: str, low: float, high: float) -> str:
    """Both ends of a range, the unit of a ratio once.

    Examples
    --------
    >>> span_text("ratio_cost", 1.8, 210.0), span_text("rack_revenue_usd", 3e6, 9e6)
    ('1.8 to 210 times', '$3.00M to $9.00M')
    """
    return f"{value_text(metric, low).removesuffix(' times')} to {value_text(metric, high)}"


def lengths(workload: str) -> str:
    """Nominal lengths in the field's short form.

    Examples
    --------
    >>> lengths("8192/1024")
    '8k/1k'
    """
    return "/".join(f"{round(int(part) / 1024)}k" for part in workload.split("/"))


def verdicts_sentence(results: Sequence[Assessment]) -> str:
    """The count of each verdict."""
    counts = [(sum(r.verdict == verdict for r in results), verdict) for verdict in VERDICTS]
    return say(PAGE, "verdicts", total=len(results), counts=[pair for pair in counts if pair[0]])


def open_sentence(results: Sequence[Assessment]) -> str:
    """How many claims leave a condition open, and what they leave open most often."""
    left = [{MISSING.get(name, name) for name in r.claim.open_conditions} for r in results]
    counted = Counter(name for names in left for name in sorted(names))
    most = [f"{name} ({n})" for name, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_MISSING]]
    return say(PAGE, "left_open", claims=sum(map(bool, left)), most=most)


def weak_sentence(results: Sequence[Assessment]) -> str:
    """Where the model behind the verdicts is weakest: what nothing measures, and whose fronts lie far off."""
    unmeasured, far = set(), set()
    for result in results:
        for one in _sides(result.claim):
            label = accelerator(one.accelerator).label
            if one.extra_log != (0.0, 0.0):
                unmeasured.add(label)
            elif one.scale.log_high - one.scale.log_low > WIDE_LOG:
                far.add(label)
    return say(PAGE, "weakest", unmeasured=sorted(unmeasured), far=sorted(far)) if unmeasured or far else ""


def verdict_text(result: Assessment) -> str:
    """The verdict and the figures that it follows from."""
    claim = result.claim
    claimed, span = value_text(claim.metric, claim.value), span_text(claim.metric, result.low, result.high)
    if result.verdict == "misattributed":
        return say(
            PAGE,
            "misattributed",
            named=_subject(claim.named_subject),
            source=_subject(claim.source_subject),
            claimed=claimed,
            inside=result.everywhere.holds(claim.value, claim.value_step, one_sided=bool(claim.bound)),
            span=span,
        )
    meaning = MEANING[result.verdict]
    return say(
        PAGE,
        "verdict",
        verdict=result.verdict.capitalize(),
        meaning=meaning,
        bound=claim.bound,
        claimed=claimed,
        stated=result.stated,
        span=span,
    )


def claim_figures(results: Sequence[Assessment]) -> list[Figure]:
    """The results of the page: what each claim says, what its conditions give, and the verdict."""
    made = []
    for result in results:
        key, unit = result.claim.id, UNITS.get(result.claim.metric, "-")
        values = {"claimed": result.claim.value, "computed": result.computed, "low": result.low, "high": result.high}
        made += [Figure(f"{key}/{name}", value, unit) for name, value in values.items()]
        made.append(Figure(f"{key}/verdict", result.verdict, "text"))
    return made


def _subject(name: str) -> str:
    """A platform's chart name, or a model's id as it is."""
    return accelerators()[name].label if name in accelerators() else name


def evidence_text(claim: Claim) -> str:
    """What public measurements say at the claim's conditions; where there are none, so."""
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
    parts: list[str] = []
    told: set[str] = set()
    for row in measured(claim):
        chip = accelerator(row["accelerator"]).label
        where = f"{chip}, {row['model']}, {lengths(row['workload'])}, {row['weight_precision']}"
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
            )
        )
    return f"{'; '.join(parts)}. {_cited(claim)}".strip()


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
        rate = float(one.rate(np.array([float(claim.only("tok_s_per_user"))]))[0][0])
        day = fleet_day()
        fleet = (day.input_tokens + day.output_tokens) / SECONDS_PER_DAY / (GPUS_PER_NODE * day.nodes)
        computed = value_text(claim.metric, result.computed)
        return say(PAGE, "model_fleet", computed=computed, rate=rate, fleet=fleet)
    return say(
        PAGE,
        "model",
        stated=result.stated,
        computed=value_text(claim.metric, result.computed),
        span=span_text(claim.metric, result.low, result.high),
        needed=conditions_needed(result),
        speed_open="tok_s_per_user" in claim.open_conditions,
        weak=_weak(claim),
    )


def _weak(claim: Claim) -> list[tuple[str, float | None, float | None]]:
    """Platforms whose public fronts lie far from the searched ones, with the ends; without ends, measured by nobody."""
    out: list[tuple[str, float | None, float | None]] = []
    for one in _sides(claim):
        label = accelerator(one.accelerator).label
        if one.extra_log != (0.0, 0.0):
            out.append((label, None, None))
        elif one.scale.log_high - one.scale.log_low > WIDE_LOG:
            out.append((label, math.exp(one.scale.log_low), math.exp(one.scale.log_high)))
    return out


def _sides(claim: Claim) -> list[Side]:
    """The first side of each platform that a claim is about."""
    found: dict[str, Side] = {}
    for case in cases(claim) if claim.metric != "margin_over_cost" else []:
        for which in ("subject", "baseline"):
            if case.get(which):
                one = side(case, which)
                found.setdefault(one.accelerator, one)
    return list(found.values())


def pair_text(claim: Claim) -> str:
    """The pair of operating points behind a ratio whose baseline rate the source gives."""
    rate = float(claim.only("baseline_tok_s_per_gpu"))
    parts = []
    for case in cases(claim):
        new, old = side(case), side(case, "baseline")
        speed = float(operating_speeds(case, [new, old])[0])
        parts.append(
            say(
                PAGE,
                "pair_part",
                mtp=case["baseline_speculative"] == "mtp",
                rate=rate,
                speed=speed,
                low=float(old.sweep[0]),
                high=float(old.sweep[1]),
                met=float(new.rate(np.array([speed]))[0][0]),
            )
        )
    case = cases(claim)[0]
    old_label, new_label = (accelerator(case[which]).label for which in ("baseline", "subject"))
    front, gap = side(case).published, {}
    if len(front.point_ids) > 1:
        steep = np.diff(np.log(front.total_tok_s_per_gpu)) / np.diff(np.log(front.tok_s_per_user))
        at = int(np.argmin(steep))
        gap = {
            "points": len(front.point_ids),
            "rates": [float(x) for x in front.total_tok_s_per_gpu[at : at + 2]],
            "speeds": [float(x) for x in front.tok_s_per_user[at : at + 2]],
        }
    return say(
        PAGE, "pair", old=old_label, new=new_label, rate=rate, lengths=lengths(case["workload"]), parts=parts, **gap
    )


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
        speeds=_speeds(claim),
        **paid,
    )


def _speeds(claim: Claim) -> list[str]:
    """Speeds at which the middle estimate meets a claim, the first few."""
    roots = holding_speeds(claim)
    shown = [f"{speed:.0f} tok/s/user" + (f" ({name})" if name else "") for name, speed in roots[:MOST_SPEEDS]]
    return [*shown, "…"] if len(roots) > MOST_SPEEDS else shown


def _ratio_text(claim: Claim) -> str:
    case = cases(claim)[0]
    ours, theirs = case["subject"], case["baseline"]
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
    return say(PAGE, "needed_ratio", speeds=_speeds(claim), **labels, **given)


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
    case = cases(claim)[-1]
    years, gpus = float(case["horizon_years"]), rack_gpus(case["subject"])
    speed = float(case.get("tok_s_per_user") or 50.0)
    rate = float(side(case).rate(np.array([speed]))[0][0])
    full = float(arithmetic.price_needed_usd_per_mtok(claim.value, rate, gpus, years))
    sold = base_case().utilisation
    partly = float(arithmetic.price_needed_usd_per_mtok(claim.value, rate, gpus, years, sold))
    prices = blended_range(case["model"], case["workload"], claim.date)
    text = say(
        PAGE,
        "revenue",
        model=case["model"],
        lengths=lengths(case["workload"]),
        speed=speed,
        years=years,
        rate=rate,
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
