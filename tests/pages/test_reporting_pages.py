"""Pages: equations as MathML, charts as data, folded code, nothing fetched; notebooks normalised; tables accessible."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from not_shown import leftovers

from rackecon.appraisal.parameters import notebook_path, read_parameters, validate
from rackecon.figures import charts
from rackecon.figures.display import NO_EQUATIONS, VEGALITE_MIME, answer, chart_bundle
from rackecon.figures.tables import interval_bar, ranking_table, table
from rackecon.pages import rankings
from rackecon.press.clean import stripped
from rackecon.press.frame import standalone_page
from rackecon.press.html import _glossary, question, render_page, to_html
from rackecon.press.run import normalise
from rackecon.press.shared_files import shared_files
from rackecon.words import STRETCHES

ROOT = Path(__file__).resolve().parents[2]
LINES = pd.DataFrame(
    {
        "accelerator": ["h100-sxm"] * 2 + ["gb200-nvl72"] * 2,
        "platform": ["H100"] * 2 + ["GB200 NVL72"] * 2,
        "x": [1.0, 2.0] * 2,
        "y": [3.0, 2.0, 9.123456789, 8.0],
    }
)


def chart_spec() -> dict:
    chart = charts.assumption_lines(
        LINES, "x", "y", title="A finding", subtitle="unit, basis", x_title="x", y_title="y"
    )
    return chart.to_dict()


def notebook() -> dict:
    def code(source: str, outputs: list, count: int, tags: list | None = None) -> dict:
        return {
            "cell_type": "code",
            "source": source,
            "outputs": outputs,
            "execution_count": count,
            "metadata": {"tags": tags or []},
        }

    def shown(data: dict) -> dict:
        return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}

    return {
        "cells": [
            {
                "cell_type": "markdown",
                "source": "# A question?\n\nThe TTFT of $x^2$.\n\n$$y = \\frac{a}{b}$$",
                "metadata": {},
            },
            code("isl_tokens: int = 5  # input length", [], 1, ["parameters"]),
            code("answer('x')", [shown(answer("It is <so>.")._repr_mimebundle_())], 2),
            code("chart", [shown({VEGALITE_MIME: chart_spec(), "text/plain": "<chart>"})], 3),
            {"cell_type": "markdown", "source": "## Why\n\ntext", "metadata": {}},
        ],
        "metadata": {"papermill": {"duration": 3.2}, "language_info": {"version": "3.11.7"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def test_page_has_title_answer_contents_and_chart_data():
    page = render_page(notebook(), "03_x", ["02_w", "03_x", "04_y"])
    assert question(notebook()) == "A question?"
    assert '<meta name="description" content="It is &lt;so&gt;.">' in page
    assert "<title>A question? · rackecon</title>" in page
    assert '<a href="#why">Why</a>' in page
    assert 'href="02_w.html"' in page
    assert 'href="04_y.html"' in page
    assert '<p class="finding">A finding</p>' in page
    spec = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page).group(1))
    assert spec["description"].startswith("A finding")


def test_what_bands_and_marks_are_stands_under_the_chart():
    """Above it they would push the picture off a phone's first screen."""
    banded = LINES.assign(y_low=1.0, y_high=9.0, evidence=STRETCHES[0], stretch=0)
    chart = charts.assumption_lines(
        banded, "x", "y", title="A finding", subtitle="unit, basis", x_title="x", y_title="y"
    )
    book = notebook()
    book["cells"][3]["outputs"][0]["data"][VEGALITE_MIME] = chart.to_dict()
    page = render_page(book, "03_x", ["03_x"])
    above, _, below = page.partition('<div class="canvas">')
    assert '<p class="measure">unit, basis</p>' in above
    assert "nine measurements" not in re.sub(r'aria-label="[^"]*"', "", above)
    assert '</script><p class="measure key">Bands: nine measurements in ten of H100 and GB200 NVL72</p>' in below
    assert 'class="measure key"' not in render_page(notebook(), "03_x", ["03_x"])


@pytest.mark.parametrize("drawn", [STRETCHES[:1], STRETCHES[1:], STRETCHES])
def test_a_legend_names_the_stretches_that_are_drawn(drawn):
    lines = pd.concat([LINES.assign(evidence=kind, stretch=at) for at, kind in enumerate(drawn)])
    spec = charts.assumption_lines(lines, "x", "y", title="t", subtitle="s", x_title="x", y_title="y").to_dict()
    dashes = [layer["encoding"]["strokeDash"] for layer in spec["layer"] if "strokeDash" in layer.get("encoding", {})]
    assert [dash["legend"]["values"] for dash in dashes] == [list(drawn)]
    assert dashes[0]["scale"]["domain"] == list(STRETCHES)  # so that dashed stays dashed where nothing is solid


def test_page_and_standalone_page_fetch_nothing(tmp_path):
    page = render_page(notebook(), "03_x", ["03_x"])
    for address in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert not address.startswith(("http:", "https:", "//")), address
    (tmp_path / "p.html").write_text(page)
    whole = standalone_page(tmp_path / "p.html")
    assert 'src="assets/' not in whole
    assert "vegaEmbed" in whole


def test_equations_become_mathml_and_prose_defines_its_terms():
    page = render_page(notebook(), "03_x", ["03_x"])
    assert page.count("<math") == 2
    assert "<mfrac>" in page
    assert 'class="dfn"' in page


def test_a_term_is_explained_at_its_first_use_in_prose_and_never_inside_another_s_meaning():
    told = _glossary(
        '<p class="note">Weights in FP8 or BF16.</p><p class="measure">In FP8s.</p><p class="foot">TTFT</p>', set()
    )
    plain = re.sub(r"<[^>]+>", "", told)
    assert plain == "Weights in FP8 or BF16.In FP8s.TTFT"
    assert re.findall(r">([^<]+)</button>", told) == ["FP8", "BF16"]


def test_headings_lose_their_anchor_links():
    assert to_html("## Why\n\ntext").count("<a") == 0


def test_notebooks_are_normalised_and_stripped():
    found = normalise(notebook())
    assert "papermill" not in found["metadata"]
    assert found["metadata"]["language_info"] == {"name": "python"}
    assert [cell["id"] for cell in found["cells"]] == [f"cell-{i:02d}" for i in range(5)]
    assert leftovers(notebook())
    assert leftovers(stripped(notebook())) == []


def test_chart_bundle_carries_specification_picture_and_words():
    data, _ = chart_bundle(chart_spec())
    assert data[VEGALITE_MIME]["description"]
    assert len(data["image/png"]) < 60_000
    assert data["text/plain"].startswith("<chart: A finding")


def test_chart_data_is_rounded_to_five_digits_and_holds_only_what_is_drawn():
    spec = chart_spec()
    rows = max(spec["datasets"].values(), key=len)
    assert set(rows[0]) <= {"accelerator", "platform", "x", "y", "label_y"}
    assert 9.1235 in [row["y"] for row in rows]


def test_platform_colours_do_not_depend_on_who_else_is_drawn():
    def colour(frame: pd.DataFrame) -> str:
        spec = charts.assumption_lines(frame, "x", "y", title="t", subtitle="s", x_title="x", y_title="y").to_dict()
        text = json.dumps(spec)
        scale = re.search(r'"scale": \{"domain": (\[[^]]*\]), "range": (\[[^]]*\])', text)
        return dict(zip(json.loads(scale.group(1)), json.loads(scale.group(2)), strict=True))["GB200 NVL72"]

    assert colour(LINES) == colour(LINES[LINES["platform"] == "GB200 NVL72"]) == "#25a5a5"


def test_table_has_caption_scopes_and_right_aligned_numbers():
    markup = table(
        pd.DataFrame({"name": ["a & b"], "figure": [1234.5]}), "A caption", headers={"figure": "figure, USD"}
    )._repr_html_()
    assert "<caption>A caption</caption>" in markup
    assert '<th scope="col" class="n">figure, USD</th>' in markup
    assert '<th scope="row">a &amp; b</th>' in markup
    assert '<td class="n">1,230</td>' in markup


def test_long_text_goes_under_its_row_and_a_range_takes_its_own_line():
    told = "a remark that is much too long to stand in a narrow cell of a table with many columns"
    frame = pd.DataFrame(
        {"a": ["x", "y"], "b": ["5 (3 to 8)"] * 2, "c": ["1", "2"], "d": ["p", "q"], "why": [told, ""]}
    )
    markup = table(frame, "Caption")._repr_html_()
    assert f'<tr class="under"><td colspan="4"><span class="what">why:</span> {told}</td></tr>' in markup
    assert markup.count("<tbody>") == 2
    assert markup.count('class="under"') == 1
    assert 'class="n">5 <span class="ends">(3 to 8)</span>' in markup


def test_a_long_table_is_folded_unless_it_can_be_searched():
    frame = pd.DataFrame({"a": range(20), "b": range(20)})
    assert table(frame, "Caption")._repr_html_().startswith('<details class="fold"><summary>Caption (20 rows)')
    assert "<details" not in table(frame, "Caption", searchable=True)._repr_html_()
    assert "<details" not in table(frame, "Caption", folded=False)._repr_html_()


@pytest.mark.parametrize(("steps", "log_x", "named"), [(8, True, True), (9, True, False), (8, False, False)])
def test_a_short_walk_on_a_log_axis_names_its_own_steps(steps, log_x, named):
    doubled = [2.0**i for i in range(steps)]
    walk = pd.DataFrame({"accelerator": "h100-sxm", "platform": "H100", "x": doubled, "y": doubled})
    axis = charts.assumption_lines(
        walk, "x", "y", title="t", subtitle="s", x_title="x", y_title="y", log_x=log_x
    ).to_dict()["layer"][0]["encoding"]["x"]["axis"]
    assert (axis.get("values") == doubled) == named
    assert ("values" in axis) == log_x
    # the theme's five ticks would leave out every other step
    assert not named or axis["tickCount"] >= steps


def test_names_at_line_ends_never_overlap_nor_leave_the_chart():
    near = pd.DataFrame(
        {
            "accelerator": [f"a{i}" for i in range(7) for _ in (0, 1)],
            "platform": [f"P{i}" for i in range(7) for _ in (0, 1)],
            "x": [1.0, 2.0] * 7,
            "y": [v for i in range(7) for v in (50.0, 99.0 + 0.1 * i)],
        }
    )
    for log_y in (False, True):
        spec = charts.assumption_lines(
            near, "x", "y", title="t", subtitle="s", x_title="x", y_title="y", log_y=log_y
        ).to_dict()
        ends = next(rows for rows in spec["datasets"].values() if "label_y" in rows[0])
        low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
        size = (lambda v: math.log(v)) if log_y else (lambda v: v)
        places = sorted((size(row["label_y"]) - size(low)) / (size(high) - size(low)) * 300 for row in ends)
        assert all(b - a > 13.0 for a, b in itertools.pairwise(places))
        assert places[0] >= 0
        assert places[-1] <= 300.5


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("0[1-9]*.ipynb")), ids=lambda p: p.stem)
def test_a_walk_has_question_answer_chart_equation_meaning_change_sources_and_rerun(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    assert prose.splitlines()[0].endswith("?")
    assert re.search(r"\$[^$]+\$", prose)
    assert "## What would change" in prose
    assert "## Sources" in prose
    assert len(re.findall(r"^## ", prose, re.M)) >= 4
    for call in ("answer(", "charts.", "note(", f'check_parameters("{path.stem}"', f'provenance("{path.stem}"'):
        assert call in code, call


def test_interval_bar_spans_its_ends_and_says_them():
    bar = interval_bar(2.0, 4.0, 6.0, (0.0, 8.0), "2 to 6")
    assert 'aria-label="2 to 6"' in bar
    assert "left:25.0%;width:50.0%" in bar


def test_ranking_table_keeps_platforms_without_a_value_and_says_why():
    frame = pd.DataFrame(
        {
            "accelerator": ["a", "b"],
            "platform": ["A", "B"],
            "m": [2.0, float("nan")],
            "m_low": [1.0, float("nan")],
            "m_high": [3.0, float("nan")],
            "reason": ["", "does not fit"],
        }
    )
    markup = ranking_table(frame, "c", "m", lambda v: f"{v:g}")._repr_html_()
    assert '<span class="ends">1 to 3</span></td>' in markup
    assert "does not fit" in markup
    assert markup.count("<tr>") == 3


def test_a_platform_that_was_never_measured_is_marked_where_it_is_ranked():
    """On a line of its own, so that the names keep their column."""
    frame = pd.DataFrame({"accelerator": ["tpu-v7", "b200-hgx"], "platform": ["TPU v7", "B200"], "m": [2.0, 1.0]})
    markup = rankings.ranking_table(frame.assign(m_low=0.0, m_high=3.0), "c", "m", str)._repr_html_()
    assert '>TPU v7 <span class="ends">(unmeasured)</span></th>' in markup
    assert ">B200</th>" in markup


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"isl_tokn": 5}, "nearest is 'isl_tokens'"),
        ({"isl_tokens": True}, "is not a number"),
        ({"accelerators": []}, "is not a list of names"),
        ({"scenario": "chatt"}, "nearest is 'chat'"),
        ({"prefix_cache_hit": 1.0}, "allowed 0 to 0.99"),
    ],
    ids=str,
)
def test_parameters_are_refused_in_one_line(given, words):
    declared = read_parameters(notebook_path("03_context_length"))
    faults = validate("03_context_length", declared, given)
    assert len(faults) == 1
    assert words in faults[0]


def test_scripts_are_small_beside_the_chart_library():
    """Of a page with charts and controls, 1.4 MB in all (tests/browser/test_pages.py); the one that searches loads no chart library.

    A tenth since a reader may add platforms to the controls (an eleventh with bands, dashes and measured runs, a twelfth before).
    """
    found = shared_files()
    assert (
        sum(len(text) for name, text in found.items() if name not in ("vega.js", "find.js"))
        < len(found["vega.js"]) / 10
    )
    assert found["vega.js"].startswith("(function(){")


def test_the_pages_data_are_json_whatever_was_computed_and_whatever_is_named():
    spec = chart_spec()
    next(iter(spec["datasets"].values()))[0] |= {"y": math.nan, "platform": "</script><!--<script>"}
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": [{"data": {VEGALITE_MIME: spec}}]}
    page = render_page({"cells": [cell]}, "20_x", [])
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.S).group(1)
    assert "<" not in found
    rows = [row for rows in json.loads(found)["datasets"].values() for row in rows]
    assert {"y": None, "platform": "</script><!--<script>"}.items() <= next(r for r in rows if r["y"] is None).items()


def test_what_a_notebook_keeps_from_equations_its_page_shows_plainly():
    shown = answer("$1M, and $2M.")._repr_mimebundle_()
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": [{"data": shown}]}
    assert shown["text/html"].startswith(NO_EQUATIONS)
    assert '<main id="main">\n<p class="answer"><strong>$1M, and $2M.</strong></p>\n' in render_page(
        {"cells": [cell]}, "20_x", []
    )


def test_round_live_controls_what_no_first_screen_shows_is_laid_out_later():
    def cell(kind, source, shown=""):
        return {"cell_type": kind, "source": source, "metadata": {}, "outputs": [{"data": {"text/html": [shown]}}]}

    controls = '<section id="live"><section></section></section><script type="application/json">{}</script>'
    cells = [cell("markdown", "# Q\n\nfirst"), cell("markdown", "## Second"), cell("markdown", "## Third"), cell("code", "", controls), cell("markdown", "## Fourth")]  # fmt: skip
    main = render_page({"cells": cells}, "20_x", []).split('<main id="main">')[1].split('<nav class="pager"')[0]
    before, live, after = re.split(r'(?=<section id="live")|(?=<div class="apart later">)', main)
    assert re.findall(r"<section class=\"later\">|<h2[^>]*>|first", before) == ["first", '<section class="later">', '<h2 id="second">', '<h2 id="third">']  # fmt: skip
    assert live.strip() == '<section id="live"><section></section></section>'
    assert "application/json" in after
    assert '<h2 id="fourth">' in after
    for markup in (before, after):
        assert markup.count("<div") == markup.count("</div>")
    assert "later" not in render_page({"cells": cells[:3]}, "20_x", []).split('<main id="main">')[1].split("<footer")[0]
