"""Figures of one column of a shipped table are read down it: one unit and one count of decimals where they are of one size."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

REPORTS = sorted((Path(__file__).resolve().parents[2] / "reports").glob("[0-9][0-9]_*.html"))
FIGURE = re.compile(r"^[−$]*([\d,]+)(?:\.(\d+))?(k|M|bn)?(?: \(|$)")
SCALE = {None: 1.0, "k": 1e3, "M": 1e6, "bn": 1e9}


def columns(table: str) -> list[tuple[str, ...]]:
    """Cells of each right-aligned column, without what is exactly nothing."""
    rows = [re.findall(r"<t[hd]\b([^>]*)>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S)]
    wide = max(map(len, rows), default=0)
    body = [row for row in rows if len(row) == wide and not any("scope=\"col\"" in kind for kind, _ in row)]
    right = zip(*([(kind, html.unescape(re.sub("<[^>]*>", "", text))) for kind, text in row] for row in body), strict=True)
    return [tuple(text for _, text in cells) for cells in right if all('class="n"' in kind for kind, _ in cells)]


def uneven(cells: tuple[str, ...]) -> bool:
    """Whether there is no count of decimals with which every figure is written that so has two or three digits."""
    found = [match for text in cells if text not in ("–", "0", "$0") for match in [FIGURE.match(text)]]
    if len(found) < 2 or not all(found):
        return False
    figures = [(float(f"{m[1]}.{m[2] or 0}".replace(",", "")) * SCALE[m[3]], len(m[2] or ""), m[3]) for m in found if m]

    def held(decimals: int, letter: str | None) -> bool:
        low, high = (10.0 ** (power - decimals) * SCALE[letter] for power in (1, 3))
        return all((n, own) == (decimals, letter) for size, n, own in figures if low <= size < high)

    most, shown, unit = max(figures, key=lambda figure: figure[0])
    long = unit is not None and shown > 0 and most / SCALE[unit] >= 10.0 ** (3 - shown)
    return long or not any(held(decimals, unit) for _, decimals, letter in figures if letter == unit)


def test_digits_too_many_and_units_mixed_are_noticed():
    assert uneven(("$5.469M", "−$0.094M")) and uneven(("$14.70M", "$0.31M"))
    assert uneven(("$5.47M", "$746k")) and uneven(("1.2", "0.95", "3.00"))
    assert not uneven(("$5.47M", "$0.75M", "−$94.1k")) and not uneven(("0.0213", "15,300")) and not uneven(("–", "$5"))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_figures_of_one_size_have_one_precision(path):
    tables = re.findall(r"<table.*?</table>", path.read_text(encoding="utf-8"), re.S)
    mixed = [table for table in tables if ">unit</th>" not in table]  # elsewhere each row has its own
    assert [cells for table in mixed for cells in columns(table) if uneven(cells)] == []


AMOUNT = r"−?\$(?!0 )[\d.,]+(k|M|bn)?"
SPAN = re.compile(rf"{AMOUNT} to {AMOUNT}|between {AMOUNT} and {AMOUNT}")


def unlike(text: str) -> list[str]:
    """Intervals of amounts whose ends are written in two units."""
    return [found[0] for found in SPAN.finditer(text) if found[1] != found[2] or found[3] != found[4]]


def test_ends_of_an_interval_in_two_units_are_noticed():
    told = "−$0.01M to $13.4M, about $0 to $6.72M, between $162M and $2.19bn, −$5.68k to $13.4M"
    assert unlike(told) == ["between $162M and $2.19bn", "−$5.68k to $13.4M"]


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_ends_of_an_interval_stand_on_one_scale(path):
    text = re.sub(r"<script\b.*?</script>|<style\b.*?</style>", " ", path.read_text(encoding="utf-8"), flags=re.S)
    assert unlike(" ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())) == []
