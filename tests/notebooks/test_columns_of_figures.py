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


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_figures_of_one_size_have_one_precision(path):
    uneven = []
    for table in re.findall(r"<table.*?</table>", path.read_text(encoding="utf-8"), re.S):
        if ">unit</th>" in table:  # each row has its own
            continue
        for cells in columns(table):
            found = [match for text in cells if text not in ("–", "0", "$0") for match in [FIGURE.match(text)]]
            if len(found) < 2 or not all(found):
                continue
            sizes = [float(f"{m[1]}.{m[2] or 0}".replace(",", "")) * SCALE[m[3]] for m in found if m]
            if min(sizes) and max(sizes) / min(sizes) < 90.0 and len({(len(m[2] or ""), m[3]) for m in found if m}) > 1:
                uneven.append(cells)
    assert uneven == []
