"""The summary's sentences: who earns most, by how much, how surely, on the other measures, and for which case."""

from __future__ import annotations

from typing import Any, Final

from rackecon.answer.summary import Summary
from rackecon.economics.measures import MEASURES
from rackecon.lazy import pd
from rackecon.pages.sentences import say
from rackecon.uncertainty.ranking import ALONE, sharing, tied

PAGE: Final = "00_executive_summary"


def _known(story: Summary, measure: str) -> pd.DataFrame:
    ranked = story.rankings[measure]
    return ranked[ranked["value"].notna()]


def close(known: pd.DataFrame) -> bool:
    """Whether the first of a comparison earns and its lead over others is too close to call."""
    return str(known["verdict"].iloc[0]) == "too close to call" and len(known) > 1


def headline_words(story: Summary) -> str:
    """Who earns most, and by how much over the next."""
    known, measure = _known(story, story.measure), MEASURES[story.measure]
    if known.empty:
        return say(PAGE, "unserved")
    values = [float(value) for value in known["value"]]
    ahead = measure.amount(values[0] - values[1]) if len(values) > 1 else ""
    names = [str(name) for name in known["platform"]]
    rows = tied(known) if close(known) else known.iloc[:0]
    return say(
        PAGE,
        "headline",
        tied=[str(name) for name in rows["platform"]],
        amounts=measure.ends(*rows["value"]),
        platform=names[0],
        rival=names[1] if len(names) > 1 else "",
        per=measure.name,
        earns=values[0] > 0,
        amount=measure.amount(abs(values[0])),
        ahead=ahead,
    )


def sure_words(story: Summary) -> str:
    """How surely the first comes first, and between which ends; the reasons where nobody serves."""
    known, measure = _known(story, story.measure), MEASURES[story.measure]
    if known.empty:
        reasons = [f"{row.platform}: {row.reason}" for row in story.table.itertuples()]
        return say(PAGE, "reasons", reasons=reasons)
    first = known.iloc[0]
    rivals = known.iloc[1:].sort_values("win_share", ascending=False, kind="stable")
    return say(
        PAGE,
        "sure",
        wins=float(first["win_share"]),
        platform=str(first["platform"]),
        close=close(known),
        only=str(first["verdict"]) == ALONE,
        earns=str(first["verdict"]) != "nobody earns",
        inputs=story.inputs,
        ends=measure.ends(float(first["value_low"]), float(first["value_high"])),
        rival=str(rivals["platform"].iloc[0]) if len(rivals) else "",
        rival_wins=float(rivals["win_share"].iloc[0]) if len(rivals) else 0.0,
    )


def other_measures(story: Summary) -> str:
    """Who leads on the measures that do not lead the page."""
    if _known(story, story.measure).empty:
        return ""
    said: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for key, measure in MEASURES.items():
        if key not in (story.measure, "position"):
            said.setdefault(_winner(story, key), []).append(measure.name)
    return say(PAGE, "others", found=[(where, kind, list(names)) for (kind, names), where in said.items()])


def _winner(story: Summary, measure: str) -> tuple[str, tuple[str, ...]]:
    known = _known(story, measure)
    if known.empty:
        return "unserved", ()
    verdict = str(known["verdict"].iloc[0])
    if verdict == "nobody earns":
        return verdict, ()
    if verdict == "too close to call":
        return "tied", tuple(sharing(known))
    return "first", (str(known["platform"].iloc[0]),)


def case_words(story: Summary) -> str:
    """The case in words: model, workload, limits, cost, prices, share sold, years, power."""
    from rackecon.market.succession import measured_platforms, most_sold

    case, assume, counts = story.case, story.assume, measured_platforms()
    measured = [name for name, platforms in counts.items() if platforms == max(counts.values())]
    known: dict[str, Any] = {
        name: getattr(assume, name)
        for name in (
            *("cost_basis", "cost_tier", "cost_vintage", "cost_factor", "utilisation", "horizon_years"),
            *("price_factor", "price_level", "price_decline_per_year", "power_vintage"),
        )
    }
    return say(
        PAGE,
        "case",
        **known,
        model=story.model,
        most_measured=set(measured) == {story.model},
        sold=most_sold(),
        workload=case.name,
        meaning=case.meaning,
        isl=f"{case.isl_tokens:,}",
        osl=f"{case.osl_tokens:,}",
        speed=case.promised_tok_s_per_user,
        first=case.ttft_limit_ms / 1e3 if case.ttft_limit_ms else 0.0,
        statistic=case.latency_statistic or "median",
        own_prices=story.own_prices,
        priced=str(story.table["price_date"].iloc[0]),
        precision=(case.weight_precision or "").upper(),
        software=case.software_date or "",
    )
