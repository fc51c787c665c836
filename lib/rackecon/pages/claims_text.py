"""Sentences about claims, computed from their assessments: exact, fair, and new on every run."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from rackecon.catalog import accelerator, accelerators, base_case
from rackecon.claims import arithmetic, conditions_needed, measured, quotes, source
from rackecon.claims import claim as one_claim
from rackecon.claims.model import VINTAGES, Side, cases, cost_per_gpu_hour, operating_speeds, rack_gpus, side
from rackecon.claims.required import holding_speeds, rate_needed
from rackecon.claims.special import GPUS_PER_NODE, HOURS_PER_DAY, blended_range, fleet_day, gain_days
from rackecon.claims.verdict import MEANING, VERDICTS
from rackecon.economics.cost import select_cost
from rackecon.economics.power_table import all_in_kw
from rackecon.units import SECONDS_PER_HOUR
from rackecon.words import join_words, money, number, percent, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rackecon.claims import Assessment, Claim

__all__ = [
    "answer_sentences",
    "evidence_text",
    "lengths",
    "model_text",
    "pair_text",
    "required_text",
    "span_text",
    "value_text",
    "verdict_text",
    "weak_sentence",
]

MOST = 5
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


def answer_sentences(results: Sequence[Assessment]) -> list[str]:
    """The page's answer in two sentences: the count of each verdict, and what decides most of them."""
    counts = {verdict: sum(r.verdict == verdict for r in results) for verdict in VERDICTS}
    shown = join_words(f"{n} {'is' if n == 1 else 'are'} {verdict}" for verdict, n in counts.items() if n)
    left = [{MISSING.get(name, name) for name in r.claim.open_conditions} for r in results]
    counted = Counter(name for names in left for name in sorted(names))
    most = [f"{name} ({n})" for name, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_MISSING]]
    return [
        f"Of {len(results)} claims, {shown}.",
        f"{sum(map(bool, left))} leave open at least one condition that the number depends on, most often {join_words(most)}.",
    ]


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
    told = [f"no measured row in a claim's mode for {join_words(sorted(unmeasured))}"] if unmeasured else []
    told += [f"public fronts far from the searched ones for {join_words(sorted(far))}"] if far else []
    return f"Where the model is weakest: {'; '.join(told)}. Each section says so." if told else ""


def verdict_text(result: Assessment) -> str:
    """The verdict and the figures that it follows from."""
    claim = result.claim
    claimed = value_text(claim.metric, claim.value)
    if result.verdict == "misattributed":
        return (
            f"Misattributed: the record names {_subject(claim.named_subject)}, the primary source names"
            f" {_subject(claim.source_subject)}."
            f" Taken on its own, {claimed} {_own_words(result)}."
        )
    span = span_text(claim.metric, result.low, result.high)
    basis = "the 90 % interval at the stated conditions is" if result.stated else "over what is not stated it runs from"
    up = {"up_to": "up to ", "at_least": "at least "}.get(claim.bound, "")
    return f"{result.verdict.capitalize()}: {MEANING[result.verdict]}. Claimed: {up}{claimed}; {basis} {span}."


def _own_words(result: Assessment) -> str:
    inside = result.everywhere.holds(result.claim.value, result.claim.value_step, one_sided=bool(result.claim.bound))
    span, subject = span_text(result.claim.metric, result.low, result.high), _subject(result.claim.named_subject)
    if inside:
        return f"lies between the extremes for {subject} ({span}), but no source gives it"
    return f"lies outside the extremes for {subject} ({span})"


def _subject(name: str) -> str:
    """A platform's chart name, or a model's id as it is."""
    return accelerators()[name].label if name in accelerators() else name


def evidence_text(claim: Claim) -> str:
    """What public measurements say at the claim's conditions; where there are none, so."""
    if claim.metric == "margin_over_cost":
        day = fleet_day()
        return (
            f"The operator's own figures for one day: {number(day.input_tokens)} input and {number(day.output_tokens)}"
            f" output tokens on {day.nodes:g} nodes at ${day.usd_per_gpu_hour:g} per GPU-hour."
        )
    if claim.metric == "software_gain":
        from rackecon.claims.evidence import software_gains

        gains = software_gains(gain_days(cases(claim)[0]), same_layout=False)
        most, typical = float(np.max(gains)), float(np.median(gains))
        share = float(np.mean(gains >= claim.value))
        return (
            f"Of {len(gains)} pairs of public runs of one platform and load, one to two months apart, the median"
            f" gain is {typical:.2f} times, the largest {most:.1f} times; {percent(share, 1)} reach {claim.value:g}."
            " No public row has the launch run itself."
        )
    parts: list[str] = []
    told: set[str] = set()
    for row in measured(claim):
        chip = accelerator(row["accelerator"]).label
        where = f"{chip}, {row['model']}, {lengths(row['workload'])}, {row['weight_precision']}"
        if (where in told and row["kind"] == "none") or len(parts) == MOST:
            continue
        told.add(where)
        if row["kind"] != "none":
            parts.append(
                f"{where}: {number(row['total_tok_s_per_gpu'])} total tok/s/GPU at {row['tok_s_per_user']:g} tok/s/user"
                f" ({row['kind']})"
            )
        elif row["published"]:
            parts.append(
                f"{where}: {plural(row['published'], 'public rate')}, the highest {number(row['peak_tok_s_per_gpu'])} total"
                " tok/s/GPU" + ("; none near the claim's speed" if math.isfinite(row["tok_s_per_user"]) else "")
            )
        else:
            parts.append(f"{where}: no public measurement here")
    return "; ".join(parts) + "." + _cited(claim)


def _cited(claim: Claim) -> str:
    """Rates that other publications give at the claim's conditions, said to be second hand."""
    told = []
    for one in quotes(claim.id)[:MOST]:
        speed = f" at {one.tok_s_per_user:g} tok/s/user" if math.isfinite(one.tok_s_per_user) else ""
        chip = accelerator(one.accelerator).label
        told.append(
            f"{chip} {number(one.total_tok_s_per_gpu)} total tok/s/GPU{speed}, {lengths(one.workload)}"
            f" ({one.kind}; {source(one.source_id).publisher}, {one.date})"
        )
    return f" Cited: {'; '.join(told)}." if told else ""


def model_text(result: Assessment) -> str:
    """The model's answer with its interval, and where the model is weak."""
    claim = result.claim
    if claim.metric == "margin_over_cost":
        one = side(cases(claim)[0])
        rate = float(one.rate(np.array([float(claim.only("tok_s_per_user"))]))[0][0])
        day = fleet_day()
        seconds = HOURS_PER_DAY * SECONDS_PER_HOUR
        fleet = (day.input_tokens + day.output_tokens) / seconds / (GPUS_PER_NODE * day.nodes)
        return (
            f"The arithmetic gives {value_text(claim.metric, result.computed)}. The model is poor here: for the small"
            f" pools that it searches it expects {number(rate)} total tok/s/GPU, and the fleet, which spreads experts"
            f" over many more GPUs, served {number(fleet)}, idle hours included."
        )
    text = f"{'At the stated conditions' if result.stated else 'Median over what is open'}: "
    text += f"{value_text(claim.metric, result.computed)} ({span_text(claim.metric, result.low, result.high)}); "
    text += f"{_where(result)}."
    return text + _weak(claim)


def _where(result: Assessment) -> str:
    needed = conditions_needed(result)
    if not needed.startswith("at "):
        return f"the claimed value is reached {needed}" if needed.startswith("nowhere") else needed
    if "tok_s_per_user" in result.claim.open_conditions:
        return f"the claimed value is met {needed}"
    return f"the claimed value lies inside the interval {needed}"


def _weak(claim: Claim) -> str:
    """Where public fronts lie far from the searched ones, or nothing is measured."""
    out = []
    for one in _sides(claim):
        label = accelerator(one.accelerator).label
        if one.extra_log != (0.0, 0.0):
            out.append(f"{label} or its mode has no measured serving row")
        elif one.scale.log_high - one.scale.log_low > WIDE_LOG:
            low, high = math.exp(one.scale.log_low), math.exp(one.scale.log_high)
            out.append(f"at equal speed public {label} fronts lie {low:.2g} to {high:.2g} times the searched one")
    return f" Weak here: {'; '.join(out)}." if out else ""


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
        low, high = old.sweep
        met = float(new.rate(np.array([speed]))[0][0])
        mtp = "with MTP" if case["baseline_speculative"] == "mtp" else "without MTP"
        parts.append(
            f"{mtp} the older machine gives {rate:g} at {speed:.0f} tok/s/user, where its published sweep runs from"
            f" {low:.0f} to {high:.0f} and the new one is expected to give {number(met)}"
        )
    case = cases(claim)[0]
    chips = accelerator(case["baseline"]).label, accelerator(case["subject"]).label
    front = side(case).published
    text = (
        f"The pair: {chips[0]} at {rate:g} total tok/s/GPU against {chips[1]}, {lengths(case['workload'])}:"
        f" {'; '.join(parts)}."
    )
    if len(front.point_ids) > 1:
        steep = np.diff(np.log(front.total_tok_s_per_gpu)) / np.diff(np.log(front.tok_s_per_user))
        at = int(np.argmin(steep))
        text += (
            f" Public runs of {chips[1]} here are few: its front has {len(front.point_ids)} points and falls from"
            f" {number(front.total_tok_s_per_gpu[at])} at {front.tok_s_per_user[at]:.0f} to"
            f" {number(front.total_tok_s_per_gpu[at + 1])} at {front.tok_s_per_user[at + 1]:.0f} tok/s/user, a gap of the"
            " sweep rather than of the machine."
        )
    return text


def required_text(claim: Claim) -> str:
    """What must be true, solved from the claim's own number."""
    if claim.metric == "rack_revenue_usd":
        return _revenue_text(claim)
    if claim.metric == "software_gain":
        case = cases(claim)[0]
        cost = cost_per_gpu_hour(case["subject"], case["vintage"])
        reached = one_claim("b200-2cents").value
        now, then = (float(arithmetic.rate_from_cost(cost, factor * reached)) for factor in (1.0, claim.value))
        return (
            f"At ${cost:.2f} per GPU-hour (published ownership) {money(reached, 2)} per million total tokens is"
            f" {number(now, 5)} total tok/s/GPU, and {claim.value:g} times that cost is {number(then, 4)}: the launch"
            " software must have run that slowly."
        )
    if claim.metric == "margin_over_cost":
        return (
            "Every token must be paid at the list price: with half of them unpaid the figure is"
            f" {percent((claim.value + 1) / 2 - 1)}, and break-even needs {percent(1 / (claim.value + 1))} of the list"
            " revenue."
        )
    if claim.metric == "tok_s_per_user":
        return f"One step of the model must deliver {claim.value:g} tokens a second to a user who is almost alone."
    if claim.metric in PER:
        return _ratio_text(claim)
    case = cases(claim)[0]
    need = rate_needed(claim, case)
    isl, osl = (float(part) for part in case["workload"].split("/"))
    output = number(need * osl / (isl + osl))
    text = f"{number(need, 5)} total tok/s/GPU, of which {output} output at {lengths(case['workload'])}"
    if claim.metric == "cost_usd_per_mtok":
        cost = cost_per_gpu_hour(case["subject"], case["vintage"])
        text += (
            f", sold at every hour, at ${cost:.2f} per GPU-hour (published ownership, {VINTAGES[case['vintage']][0]});"
            f" with all cost on outputs {money(claim.value * (isl + osl) / osl, 2)} per million output tokens"
        )
    return f"{text}. {_speed_text(claim)}"


def _speed_text(claim: Claim) -> str:
    roots = holding_speeds(claim)
    if not roots:
        return "The middle estimate meets it at no speed; see the interval."
    shown = "; ".join(f"{speed:.0f} tok/s/user" + (f" ({name})" if name else "") for name, speed in roots[:4])
    return f"The middle estimate meets it at {shown}{'; …' if len(roots) > 4 else ''}."


def _ratio_text(claim: Claim) -> str:
    case = cases(claim)[0]
    ours, theirs = case["subject"], case["baseline"]
    pair = f"{accelerator(ours).label} against {accelerator(theirs).label}"
    if claim.metric == "ratio_tok_s_per_gpu":
        return f"{claim.value:g} times the rate at equal speed ({pair}). {_speed_text(claim)}"
    if claim.metric == "ratio_tok_s_per_mw":
        vintage = VINTAGES[case["vintage"]][1]
        kw, other = all_in_kw(ours, vintage), all_in_kw(theirs, vintage)
        return (
            f"{claim.value * kw / other:.3g} times the rate per GPU ({pair}: {kw:.3g} against {other:.3g} kW"
            f" provisioned, vintage {vintage}). {_speed_text(claim)}"
        )
    vintage = case["vintage"]
    cost, other = cost_per_gpu_hour(ours, vintage), cost_per_gpu_hour(theirs, vintage)
    need = float(arithmetic.throughput_ratio_for_cost_ratio(claim.value, cost, other))
    return (
        f"{need:.3g} times the rate per GPU ({pair}: ${cost:.3g} against ${other:.3g} per GPU-hour, published"
        f" ownership, {VINTAGES[vintage][0]}). {_speed_text(claim)}"
    )


def _stated_rate_text(claim: Claim) -> str:
    """The price that the source's own rate needs, by horizon."""
    case, rate = cases(claim)[0], claim.stated_tok_s_per_gpu
    gpus = rack_gpus(case["subject"])
    isl, osl = (float(part) for part in case["workload"].split("/"))
    parts = []
    for horizon in claim.conditions["horizon_years"].options:
        price = float(arithmetic.price_needed_usd_per_mtok(claim.value, rate, gpus, float(horizon)))
        parts.append(f"{money(price)} over {horizon} year{'' if horizon == '1' else 's'}")
    text = f"At {number(rate, 5)} total tok/s/GPU on {gpus} GPUs, sold at every hour, a million total tokens must bring"
    text += f" {join_words(parts)}"
    if claim.conditions["workload"].stated:
        alone = price * (isl + osl) / osl
        text += f"; {money(alone)} per million output tokens if inputs are not paid for"
    return f"{text}. With the modelled rate instead: "


def _revenue_text(claim: Claim) -> str:
    case = cases(claim)[-1]
    years, gpus = float(case["horizon_years"]), rack_gpus(case["subject"])
    speed = float(case.get("tok_s_per_user") or 50.0)
    rate = float(side(case).rate(np.array([speed]))[0][0])
    full = float(arithmetic.price_needed_usd_per_mtok(claim.value, rate, gpus, years))
    sold = base_case().utilisation
    partly = float(arithmetic.price_needed_usd_per_mtok(claim.value, rate, gpus, years, sold))
    prices = blended_range(case["model"], case["workload"], claim.date)
    text = (
        f"{case['model']}, {lengths(case['workload'])}, {speed:.0f} tok/s/user, {years:g} years: at the modelled"
        f" {number(rate)} total tok/s/GPU each million total tokens must sell for {money(full)} at full utilisation and"
        f" {money(partly)} at {percent(sold)}; list prices of {claim.date} blend to {money(prices['cheapest'])} to"
        f" {money(prices['dearest'])}, median {money(prices['list'])}."
    )
    kept = float(arithmetic.level_revenue_years(0.5, years)) / years
    if math.isfinite(claim.stated_tok_s_per_gpu):
        text = _stated_rate_text(claim) + text
    text += f" With prices halving every year the same sales bring {percent(kept)} of it."
    if math.isfinite(claim.investment_usd):
        rates = {}
        for tier in ("hyperscaler", "neocloud"):
            found = select_cost(case["subject"], basis="ownership", tier=tier, vintage=VINTAGES["2025"][0])
            if found is not None:
                rates[tier] = found.usd_per_gpu_hour
        owned = join_words(
            f"{money(float(arithmetic.ownership_usd(value, gpus, 3)))} at the {tier} rate of ${value:.2f}"
            for tier, value in rates.items()
        )
        text += (
            f" The {money(claim.investment_usd)}: three years of owning {gpus} GPUs cost {owned} (published ownership)."
        )
    return text
