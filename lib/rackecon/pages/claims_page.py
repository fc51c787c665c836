"""The claims page's pieces: a line a claim, a card for each, the statements of one article, charts of where ratios hold."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rackecon.catalog import accelerator, label
from rackecon.catalog.cached import one_state
from rackecon.catalog.kept import digest_of, kept
from rackecon.claims import Assessment, Claim, claim, meanings, source, statements, verdicts
from rackecon.claims.conditions import moves
from rackecon.claims.model import VINTAGES
from rackecon.claims.operating_point import citations, ratio_points, variants
from rackecon.claims.required import prices_needed, required
from rackecon.claims.verdict import FALSE, OPEN, TRUE
from rackecon.figures import charts
from rackecon.figures.display import Html
from rackecon.figures.tables import spans, table
from rackecon.lazy import pd
from rackecon.pages.claims_text import (
    deciding_text,
    evidence_text,
    fewest_text,
    honest_text,
    line_text,
    model_text,
    moves_text,
    required_text,
    value_text,
    verdict_text,
)
from rackecon.pages.sentences import say
from rackecon.words import even, lengths, money, number, percent

if TYPE_CHECKING:
    import altair as alt

FAMILIES = {
    "What a rack earns": (
        *("rack_revenue_usd", "margin_over_cost", "profit_usd_per_gw_year"),
        *("revenue_over_cost", "limit_cost"),
    ),
    "Ratios between machines": (
        *("ratio_tok_s_per_gpu", "ratio_tok_s_per_mw", "ratio_cost", "software_gain", "price_over_cost"),
    ),
    "Cost per million tokens": ("cost_usd_per_mtok",),
    "Tokens per second": ("tok_s_per_gpu", "tok_s_per_user", "rack_tok_s", "tok_s_per_mw"),
}
PARAPHRASED = "(paraphrased"
PLACES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_SERIES = 8
DECIDES = "decides the verdict"


def families(results: Sequence[Assessment]) -> dict[str, list[Assessment]]:
    """The assessments by what kind of figure they claim, in a fixed order."""
    return {name: [r for r in results if r.claim.metric in kinds] for name, kinds in FAMILIES.items()}


def _linked(one: Claim, page: str = "") -> str:
    return f'<a href="{page}#{html.escape(one.id, quote=True)}">{html.escape(one.title)}</a>'


@one_state()
def claims_table(results: Sequence[Assessment], page: str = "") -> Html:
    """A line a claim: who, the number, the verdict, and when it is true, or why nothing decides.

    Parameters
    ----------
    page : str
        File that holds the cards, where it is another one than the table's; there the table is folded.
    """
    frame = pd.DataFrame(
        {
            "claim": [_linked(r.claim, page) for r in results],
            "who": [r.claim.claimant for r in results],
            "number": [r.claim.value_text for r in results],
            "verdict": [r.verdict for r in results],
            "finding": [line_text(r) for r in results],
        }
    )
    caption = "Claims and verdicts; total tokens, provisioned power and published cost of ownership of the time"
    return table(frame, caption, searchable=True, folded=bool(page), ready=["claim"])


def verdict_key() -> Html:
    """The verdicts and what each needs, as the rule's table has them."""
    told = meanings()
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(told[name])}</dd>" for name in verdicts())
    return Html(f'<dl class="verdicts">{items}</dl>', "; ".join(f"{name}: {told[name]}" for name in verdicts()))


def statements_table(results: Sequence[Assessment]) -> Html:
    """What one article says, statement by statement in its own words or marked as restated, each with its verdict."""
    by_id = {r.claim.id: r for r in results}
    rows = []
    for one in statements():
        found = [by_id[key] for key in one.claim_ids]
        said = html.escape(one.statement)
        rows.append(
            {
                "statement": f"<q>{said}</q>" if one.exact else f"{said} (restated)",
                "verdict": "; ".join(dict.fromkeys(r.verdict for r in found)),
                "note": one.note,
                "its card": ", ".join(_linked(r.claim) for r in found),
            }
        )
    first = source(statements()[0].source_id)
    caption = f"Claims of “{first.title}” ({first.publisher}, {first.date}), in its own words"
    return table(pd.DataFrame(rows), caption, folded=False, ready=["statement", "its card"])


def coverage_table(results: Sequence[Assessment]) -> Html:
    """How often a measured number lies inside the modelled interval, by claim."""
    from rackecon.claims import coverage

    rows = []
    for r in results:
        one = coverage([r])
        if one.cells:
            rows.append((_linked(r.claim), one.cells, one.inside, one.above, one.below, percent(one.share)))
    names = ["claim", "points with both", "inside", "measured above", "measured below", "share inside"]
    return table(
        pd.DataFrame(rows, columns=names),
        "Claims with measured points: how many lie inside the model's 90 % interval, by claim",
        folded=True,
        ready=["claim"],
    )


def _said(text: str) -> str:
    quoted = html.escape(text)
    return quoted if PARAPHRASED in text else f"<q>{quoted}</q>"


def _named(source_id: str) -> str:
    found = source(source_id)
    title = html.escape(found.title)
    if found.address.startswith("http"):
        title = f'<a href="{html.escape(found.address, quote=True)}">{title}</a>'
    return f"{title}, {html.escape(found.publisher)}, {html.escape(found.date)}"


def _row(name: str, text: str) -> str:
    return f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" if text else ""


def _combinations(one: Claim) -> str:
    """Combinations under which a claim holds, read off the curves at some places."""
    import numpy as np

    found = required(one)
    if found.frame.empty:
        return ""
    names = list(dict.fromkeys(found.frame["series"]))[:MOST_SERIES]
    places = np.unique(np.quantile(found.frame["x"], PLACES, method="nearest"))
    head = "".join(f'<th scope="col" class="n">{number(float(x))}</th>' for x in places)
    parts = [found.frame[found.frame["series"] == name].sort_values("x", kind="stable") for name in names]
    read = [np.interp(places, part["x"], part["y"], left=np.nan, right=np.nan).tolist() for part in parts]
    ways = [even(number, column) for column in zip(*read, strict=True)]
    rows = ""
    for name, figures in zip(names, read, strict=True):
        cells = "".join(f'<td class="n">{way(y)}</td>' for way, y in zip(ways, figures, strict=True))
        rows += f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>'
    caption = f"{one.title}: {found.y_title}, by {found.x_title}" + (f"; {found.reading}" if found.reading else "")
    label, corner = html.escape(one.title, quote=True), html.escape(found.x_title)
    return (
        '<div class="scroll" tabindex="0" role="region"'
        f' aria-label="{label}"><table class="table"><caption>{html.escape(caption)}</caption>'
        f'<thead><tr><th scope="col">{corner}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def card(result: Assessment) -> Html:
    """One claim, folded: when it is true, the quote, conditions, what was measured and modelled, an honest version."""
    return Html(*kept("cards", digest_of(result), lambda: _card(result)))


@one_state()
def _card(result: Assessment) -> tuple[str, str]:
    """Markup and text of a card."""
    one = result.claim
    moved = moves(result)
    facts = "".join(
        _row(name, text)
        for name, text in (
            ("Verdict", verdict_text(result)),
            ("What decides it", deciding_text(result)),
            ("Fewest conditions", fewest_text(result)),
            ("Stated", one.stated),
            ("Taken from what it cites", one.by_reference),
            ("Not stated", one.not_stated),
            ("Tokens counted", one.token_counting),
            ("Measured", evidence_text(result)),
            ("Modelled", model_text(result)),
            ("One condition moved", moves_text(moved, (TRUE, FALSE, OPEN))),
            ("What it needs", required_text(one)),
            ("An honest version", honest_text(result)),
            ("Repeated as", one.distortion),
            ("Note", one.note),
        )
    )
    sources = "".join(f"<li>{_named(item)}</li>" for item in (*one.primary, *one.repeats))
    key, title, said = (html.escape(text, quote=True) for text in (one.id, one.title, verdict_text(result)))
    markup = (
        f'<details class="fold claim" id="{key}"><summary data-said="{said}"><strong>{title}</strong></summary>'
        f"<p>{_said(one.statement)} ({html.escape(one.claimant)}, {one.date})</p>"
        f"<dl>{facts}</dl>{_combinations(one)}<ul>{sources}</ul></details>"
    )
    return markup, f"{one.title}: {result.verdict}. {verdict_text(result)}"


def cards(results: Iterable[Assessment]) -> Html:
    """The cards of several claims, one after the other."""
    parts = [card(result) for result in results]
    return Html("".join(part.markup for part in parts), "\n".join(part.text for part in parts))


def required_chart(result: Assessment) -> alt.Chart:
    """The combinations under which a claim holds."""
    one = result.claim
    found = required(one)
    data = found.frame.copy()
    data = data[data["y"] > 0]
    title = _required_title(one, data)
    subject = ", ".join(label(name) for name in (one.only("subject"), one.named_subject) if name)
    return charts.ratio_chart(
        data,
        x="x",
        y="y",
        title=title,
        subtitle=f"{found.y_title}, list prices and published figures; {found.reading}; {subject}",
        x_title=found.x_title,
        y_title=found.y_title,
    )


def _required_title(one: Claim, data: pd.DataFrame) -> str:
    """What the claim's number asks for at least, beside what there is."""
    claimed, ends = value_text(one.metric, one.value), data.groupby("series", sort=False)["y"]
    least = {str(name): float(value) for name, value in ends.min().items()}
    if one.metric == "rack_revenue_usd":
        low, high = prices_needed(data)
        listed = next((value for name, value in least.items() if name.startswith("list price")), None)
        on = f" on {one.named_subject}" if one.named_subject else ""
        beside = f"; the list price is {money(listed)}" if listed is not None else ""
        asked = money(low) if low == high else f"{money(low)} to {money(high)}"
        return f"{claimed}{on} needs {asked} per million tokens, fully sold{beside}"
    needed = [value for name, value in least.items() if name.startswith("needed")]
    reached = [float(value) for name, value in ends.max().items() if str(name).startswith("modelled")]
    if needed and reached:
        return f"{claimed} needs {number(min(needed))} tok/s per GPU; the model reaches up to {number(max(reached))}"
    return f"What must be true for {claimed}"


def _pair(claim_id: str) -> dict[str, Any]:
    """Both sides of a ratio claim, as arguments of ``ratio_points``."""
    one = claim(claim_id)
    return {
        "subject": one.only("subject"),
        "baseline": one.only("baseline"),
        "model": one.only("model"),
        "precision": one.only("weight_precision"),
        "baseline_precision": one.only("baseline_precision"),
        "speculative": one.only("speculative"),
        "date": one.only("software_date"),
        "vintage": one.only("vintage") or "2025",
    }


def operating_chart(
    result: Assessment,
    workloads: Sequence[str],
    basis: str,
    speeds: Sequence[float],
    baseline_speculative: Sequence[str],
) -> alt.Chart:
    """A claim's ratio over interactivity, one line per workload and setting of the baseline; measured and deciding points."""
    one, pair = result.claim, _pair(result.claim.id)
    parts = []
    for setting in baseline_speculative:
        found = ratio_points(workloads=workloads, speeds=speeds, baseline_speculative=setting, **pair)
        found = found[found["basis"] == basis].copy()
        found["series"] = [_setting(str(w), setting) for w in found["workload"]]
        model = found.rename(columns={"low": "ratio_low", "high": "ratio_high"}).assign(kind="model")
        seen = found[found["kind"] != "none"].assign(ratio=lambda f: f["measured"])
        parts += [model, seen]
    data = pd.concat([*parts, _decided_points(result)], ignore_index=True).dropna(subset=["ratio"])
    labels = accelerator(pair["subject"]).label, accelerator(pair["baseline"]).label
    cost, power = VINTAGES[pair["vintage"]]
    units = {
        "MW": f"per MW provisioned, vintage {power}",
        "$": f"per dollar, published ownership {cost}",
        "GPU": "per GPU",
    }
    return charts.ratio_chart(
        data,
        x="tok_s_per_user",
        y="ratio",
        title=_operating_title(data[data["kind"] == "model"], one.value),
        subtitle=f"{labels[0]} over {labels[1]}, total tokens {units[basis]}; {one.only('model')}; 90 % bands",
        x_title="tokens per second and user",
        y_title="times",
        claim=one.value,
        claim_label=f"claimed: {one.value_text}",
    )


def _operating_title(model: pd.DataFrame, claimed: float) -> str:
    """Where a ratio reaches the claimed one: the middle estimate, and the whole interval."""
    reached, surely = (model[model[name] >= claimed] for name in ("ratio", "ratio_low"))
    return say(
        "11_claims",
        "operating_title",
        claimed=claimed,
        slowest=float(reached["tok_s_per_user"].min()),
        fastest=float(reached["tok_s_per_user"].max()),
        settings=int(reached["series"].nunique()),
        of=int(model["series"].nunique()),
        surely=float(surely["tok_s_per_user"].min()) if len(surely) else None,
    )


def _setting(workload: str, baseline_speculative: str) -> str:
    """A line of the chart by lengths and by how the older machine drafts."""
    side = "with MTP" if baseline_speculative == "mtp" else "without MTP"
    return f"{lengths(workload)}, baseline {side}"


def _decided_points(result: Assessment) -> pd.DataFrame:
    """The operating points that the verdict rests on, by the chart's lines; the same point of several engines once."""
    rows = [
        (
            _setting(case["workload"], case["baseline_speculative"]),
            cells.tok_s_per_user[i],
            cells.used.value[i],
            DECIDES,
        )
        for case, cells in zip(result.cases, result.cells, strict=True)
        for i in range(len(cells))
        if cells.state[i] == TRUE
    ]
    return pd.DataFrame(rows, columns=["series", "tok_s_per_user", "ratio", "kind"]).drop_duplicates()


def _units_words(claim_id: str) -> str:
    """Units of a ratio table with the vintages of the claim."""
    cost, power = VINTAGES[_pair(claim_id)["vintage"]]
    return f"per MW provisioned, vintage {power}; per dollar of published ownership cost, vintage {cost}"


def ratio_table(claim_id: str, workloads: Sequence[str], speeds: Sequence[float], baseline_speculative: str) -> Html:
    """The ratios at some speeds, modelled with intervals and measured where both sides were."""
    found = ratio_points(
        workloads=workloads, speeds=speeds, baseline_speculative=baseline_speculative, **_pair(claim_id)
    )
    for _, part in found.groupby("basis"):
        modelled, seen = (part[["ratio", "low", "high"]], part[["measured", "measured_low", "measured_high"]])
        found.loc[part.index, "modelled"] = spans(number, *modelled.to_numpy().T, none="beyond the older machine")
        found.loc[part.index, "seen"] = spans(number, *seen.to_numpy().T, none="–")
    rows = []
    for (workload, speed), part in found.groupby(["workload", "tok_s_per_user"], sort=False):
        entry: dict[str, Any] = {"lengths and speed": f"{lengths(str(workload))}, {speed:g} tok/s/user"}
        at = {str(line["basis"]): line for line in part.to_dict("records")}
        for basis, name in (("GPU", "per GPU"), ("MW", "per MW"), ("$", "per dollar")):
            entry[name] = at[basis]["modelled"]
        entry["measured per GPU"] = at["GPU"]["seen"]
        entry["published fronts, points"] = str(at["GPU"]["front_points"])
        rows.append(entry)
    side = "with MTP" if baseline_speculative == "mtp" else "without MTP"
    return table(
        pd.DataFrame(rows),
        f"Ratio at equal speed, baseline {side}: modelled with its 90 % interval, measured with the two points that it was"
        f" read between; total tokens; {_units_words(claim_id)}",
        folded=False,
    )


def operating_tables(claim_id: str, workloads: Sequence[str], speeds: Sequence[float]) -> Html:
    """Every table behind a claim's chart, in one fold: both settings of the older machine, others' rates, one change each."""
    parts = [
        *(ratio_table(claim_id, workloads, speeds, setting) for setting in ("none", "mtp")),
        cited_table(claim_id),
        changes_table(claim_id, speeds),
    ]
    inside = "".join(part.markup for part in parts)
    title = f"The ratios by lengths and speed, and what others give ({len(parts)} tables)"
    return Html(
        f'<details class="fold"><summary>{title}</summary>{inside}</details>', "\n".join(part.text for part in parts)
    )


def changes_table(claim_id: str, speeds: Sequence[float]) -> Html:
    """The claim's ratio with one condition changed at a time, at the fastest speed that both machines reach in most ways."""
    found, speed = _changes_at(claim_id, speeds)
    return table(
        found,
        f"Ratio at {speed:g} tok/s/user with one condition changed; total tokens; {_units_words(claim_id)}; middle estimates,"
        " times",
        headers={"variant": "condition", "GPU": "per GPU", "MW": "per MW", "$": "per dollar"},
        folded=False,
    )


def _changes_at(claim_id: str, speeds: Sequence[float]) -> tuple[pd.DataFrame, float]:
    """Ratios with one condition changed, and the speed: of those that give the most figures the fastest."""
    pair = _pair(claim_id)
    sides = pair["subject"], pair["baseline"], pair["model"], claim(claim_id).only("workload")
    given = {name: pair[name] for name in ("precision", "baseline_precision", "date")}
    tables = {speed: variants(*sides, speed, **given) for speed in speeds}
    best = max(tables, key=lambda speed: (int(tables[speed].notna().to_numpy().sum()), speed))
    return tables[best], best


def cited_table(claim_id: str) -> Html:
    """Rates cited second hand or read off a drawn curve, with their sources."""
    frame = citations(claim_id)
    shown: pd.DataFrame = frame.assign(
        accelerator=[accelerator(a).label for a in frame["accelerator"]],
        workload=[lengths(w) for w in frame["workload"]],
        source=[f"{source(s).title}, {source(s).publisher}" for s in frame["source_id"]],
    ).drop(columns="source_id")
    return table(
        shown,
        "Rates that others give for the operating points; total tokens, published; not in the tables of measurements",
        headers={"tok_s_per_user": "tok/s/user", "total_tok_s_per_gpu": "total tok/s/GPU"},
        folded=False,
    )


def sources_of(results: Sequence[Assessment]) -> Html:
    """Every source of the page: title, publisher, date, address."""
    from rackecon.pages.economics_tables import sources_table

    ids = [s for r in results for s in (*r.claim.primary, *r.claim.repeats)]
    return sources_table([*ids, *(str(s) for r in results for s in citations(r.claim.id)["source_id"])], "Sources")
