"""Downloads, source lists and published results of the economics pages."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

from rackecon import catalog
from rackecon.economics.measures import EVERY_MEASURE, MEASURES
from rackecon.figures.display import Html
from rackecon.figures.results import Figure, column_figures
from rackecon.figures.tables import table
from rackecon.lazy import pd
from rackecon.words import tidy

FEW_SOURCES = 6


def csv_link(frame: pd.DataFrame, file_name: str, words: str) -> Html:
    """A link that saves a table as CSV, the data inside the page: works offline and in mail.

    Parameters
    ----------
    frame : pandas.DataFrame
        Written with five significant digits.
    file_name, words : str
        Name of the file; text of the link.
    """
    text = tidy(frame).to_csv(index=False, lineterminator="\n")
    data = base64.b64encode(text.encode("utf-8")).decode("ascii")
    name, shown = html.escape(file_name, quote=True), html.escape(words)
    link = f'<a download="{name}" href="data:text/csv;base64,{data}">{shown}</a>'
    return Html(f'<p class="download">{link}</p>', words)


def sources_table(ids: Iterable[str], caption: str, dated: str = "date") -> Html:
    """Title, publisher, date and address of the sources behind a page.

    Parameters
    ----------
    ids : iterable of str
        Source ids; repeated and unknown ones are dropped.
    dated : str
        Header of the dates: of publication, or of the first figure taken.
    """
    known = catalog.table("sources")
    wanted = dict.fromkeys(str(item) for item in ids)
    shown = known.loc[
        known["source_id"].isin(wanted), ["source_id", "title", "publisher", "address", "date"]
    ].sort_values("source_id", kind="stable")
    shown = shown.astype(object).fillna("").astype(str)
    links = [_link(str(t), str(a)) for t, a in zip(shown["title"], shown["address"], strict=True)]
    frame = shown.assign(source=links)[["source", "publisher", "date"]]
    return table(frame, caption, headers={"date": dated}, folded=len(frame) > FEW_SOURCES, ready=["source"])


def _link(title: str, address: str) -> str:
    """The title as a link where the address is one, and what else the address says beside it."""
    first, _, rest = address.partition(" ")
    words = html.escape(title)
    if not first.startswith("http"):
        return f"<span>{words}</span>"
    more = f" {html.escape(rest)}" if rest else ""
    return f'<a href="{html.escape(first, quote=True)}">{words}</a>{more}'


def card_table(models: Iterable[str], results: pd.DataFrame) -> Html:
    """The price cards a page used, with range, count and age of the listings behind them.

    Parameters
    ----------
    models : iterable of str
        Model ids.
    results : pandas.DataFrame
        Evaluated rows, for the prices they used (a factor or a given card included).
    """
    from rackecon.economics.price_table import price_card

    rows = []
    for model in models:
        card = price_card(model)
        used = results[results["model"] == model].iloc[0]
        for name, words in (("fresh_input", "fresh input"), ("cached_input", "cached input"), ("output", "output")):
            low, high = getattr(card, f"{name}_range")
            rows.append(
                {
                    "tokens": words,
                    "price": float(used.get(f"price_{name}_usd_per_mtok", getattr(card, name))),
                    "cheapest": low,
                    "dearest": high,
                    "model": model,
                }
            )
    newest = used["price_date"]
    caption = f"Price, USD per million tokens: {used['price_rule']}{f', newest of {newest}' if newest else ''}; ends are those of "
    caption += f"{card.listings} providers' listings, newest of {card.newest_listing}; {card.cached_note}"
    return table(pd.DataFrame(rows), caption)


def card_sources(models: Iterable[str]) -> list[str]:
    """Source ids of the listings that the models' cards are made of."""
    from rackecon.economics.price_table import listings

    prices, today = catalog.table("prices"), str(catalog.base_case().as_of_date)
    return [str(item) for model in models for item in listings(prices, model, today)["source_id"]]


def power_figures(power: pd.DataFrame, sites: pd.DataFrame) -> list[Figure]:
    """Results of the page on power: tokens per megawatt and energy of each platform, profit of the site by limit."""
    units = {
        "output_tok_s_per_mw_2026_07": "tok/s/MW",
        "output_tok_s_per_mw_2025_10": "tok/s/MW",
        "output_tok_s_per_drawn_it_mw": "tok/s/MW",
        "drawn_utility_kw_per_gpu": "kW",
        "drawn_joules_per_output_token": "J",
    }
    profit = {"profit_usd_year": "USD/year", "profit_usd_year_low": "USD/year", "profit_usd_year_high": "USD/year"}
    profit |= {"market_multiple": "-"}
    return [
        *column_figures(power, ["accelerator"], units, "power"),
        *column_figures(sites, ["limit", "accelerator"], profit, "site"),
    ]


def cost_figures(results: pd.DataFrame, against: pd.DataFrame) -> list[Figure]:
    """Results of the page on cost: a GPU-hour and a million tokens on each platform, owning against renting."""
    tokens = [f"cost_usd_per_mtok_{kind}{end}" for kind in ("total", "output") for end in ("", "_low", "_high")]
    units = {
        "cost_usd_per_gpu_hour": "USD/GPU-hour",
        **dict.fromkeys(tokens, "USD/Mtok"),
        "break_even_price_factor": "-",
    }
    rents = {"own_usd_per_gpu_hour": "USD/GPU-hour", "rent_over_own": "-", "crossing_utilisation": "-"}
    return [
        *column_figures(results, ["accelerator"], units, "cost"),
        *column_figures(against, ["accelerator"], rents, "rent"),
    ]


def return_figures(results: pd.DataFrame, ranked: pd.DataFrame, loaded: pd.DataFrame, metric: str) -> list[Figure]:
    """Results of the page on revenue: profit by every measure, its interval and count of wins by one, returns, shares by load."""
    units = {measure.column: measure.a_year for measure in EVERY_MEASURE.values()}
    units |= {
        "total_tok_s_per_gpu": "tok/s/GPU",
        "npv_usd_per_rack": "USD/rack",
        "payback_years": "years",
        "vendor_roi": "-",
    }
    units |= dict.fromkeys(("break_even_price_factor", "break_even_utilisation", "demand_utilisation"), "-")
    wins = dict.fromkeys(("value", "value_low", "value_high"), MEASURES[metric].a_year) | {"win_share": "-"}
    load = dict.fromkeys(("profit", "profit_low", "profit_high"), MEASURES["rack"].a_year) | {"utilisation": "-"}
    return [
        *column_figures(results, ["accelerator"], units, "return"),
        *column_figures(ranked, ["accelerator"], wins, "profit"),
        *column_figures(loaded, ["accelerator"], load, "by_load"),
    ]
