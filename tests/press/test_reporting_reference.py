"""The pages of parameters and of the library: whole, linked, and nothing fetched."""

from __future__ import annotations

import base64
import html
import json
import re

import pytest
import yaml

import rackecon
from rackecon import catalog
from rackecon.appraisal.parameters import notebook_path, notebooks_dir, read_parameters
from rackecon.press.api_page import api_page
from rackecon.press.frame import notebook_names, site_pages
from rackecon.press.html import render_page
from rackecon.press.lookup_pages import data_page, find_page, glossary_page, passages
from rackecon.press.parameters_page import parameters_page
from rackecon.press.run import report_names, reports_dir
from rackecon.press.site import REFERENCE, write_answer_picture, write_index, write_reference


def test_the_picture_of_the_readme_is_the_summarys_first_chart(tmp_path):
    """Its figures are those of the report, whatever moved them."""
    root, summary = reports_dir().parent, json.loads((reports_dir() / "00_executive_summary.ipynb").read_text("utf-8"))
    [(shown,)] = [re.findall(r"^!\[[^]]*\]\((\S+)\)", (root / "README.md").read_text("utf-8"), re.M)]
    drawn = [
        o["data"]["image/png"]
        for c in summary["cells"]
        for o in c.get("outputs", [])
        if "image/png" in o.get("data", {})
    ]
    assert (root / shown).read_bytes() == base64.b64decode(drawn[0])
    write_answer_picture(tmp_path)  # a folder without the summary
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def api() -> str:
    return api_page()


def test_api_page_shows_every_public_name_with_an_example(api):
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', api, re.S))
    assert set(sections) == set(rackecon.__all__) - {"__version__"}
    for name, section in sections.items():
        assert "&gt;&gt;&gt;" in section, name
        assert 'class="docstring"' in section, name


def test_api_page_is_the_same_again_and_fetches_only_the_sites_own_files(api):
    assert api_page() == api
    own = {"../assets/page.css", "../assets/page.js", *(f"../{path}" for path, _ in site_pages(report_names()))}
    assert set(re.findall(r'(?:src|href)="([^"#]+)"', api)) == {"data:,", *own}
    assert "://" not in api


def test_api_page_repeats_no_id_and_has_one_main_part(api):
    ids = re.findall(r'\bid="([^"]+)"', api)
    assert len(ids) == len(set(ids))
    assert api.count("<main") == 1


def test_parameters_page_has_a_row_for_every_parameter_of_every_notebook():
    names = report_names()
    page = parameters_page(names)
    for name in names:
        table = page.split(f"<caption>Parameters of {name}</caption>")[1].split("</table>")[0]
        rows = re.findall(r'<th scope="row"><code>(\w+)</code>', table)
        assert rows == list(read_parameters(notebook_path(name)))
    row = page.split('<th scope="row"><code>utilisation</code>')[1].split("</tr>")[0]
    assert "<td>0.01 to 1 share of capacity sold</td>" in row


def test_every_page_leads_to_every_other_and_marks_itself():
    names = notebook_names()
    assert names == report_names()
    for path, page in (("glossary.html", glossary_page(names)), ("data.html", data_page(names, reports_dir()))):
        for there, _ in site_pages(names):
            mark = ' aria-current="page"' if there == path else ""
            assert f'<a href="{there}"{mark}>' in page
    few = [there for there, _ in site_pages(names[:2])]
    assert few == ["index.html", f"{names[1]}.html", "glossary.html", "find.html", "data.html"]


def test_glossary_and_data_have_a_row_and_an_address_for_each_term_and_table():
    page = glossary_page(report_names())
    for row in catalog.read_rows("glossary"):
        assert html.escape(row["meaning"]) in page
    ids = re.findall(r'<tr id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == len(catalog.read_rows("glossary"))
    data = data_page(report_names(), reports_dir())
    assert re.findall(r'<a href="../data/([a-z_]+)[.]csv">', data) == re.findall(r'<tr id="([^"]+)"', data)
    assert len(re.findall(r'<tr id="', data)) >= 40


def test_the_data_of_a_run_lie_where_its_page_leads(tmp_path):
    """Links of a page resolve from its own folder, reports/ or a run three levels below the data; made elsewhere it is the same."""
    for folder in (reports_dir(), reports_dir() / "runs" / "mine"):
        links = re.findall(r'<a href="([^"]*/data/[^"]+)">', data_page(report_names(), folder))
        assert len(links) > 40
        assert all((folder.resolve() / link).resolve().is_file() for link in links)
    assert '"../../../data/' in data_page(report_names(), reports_dir() / "runs" / "mine")
    assert data_page(report_names(), tmp_path / "reports") == data_page(report_names(), reports_dir())


def test_passages_hold_every_sentence_once_with_an_address_that_is_there():
    name = "03_context_length"
    notebook = json.loads((reports_dir() / f"{name}.ipynb").read_text(encoding="utf-8"))
    page = render_page(notebook, name, [name])
    found = passages(page)
    assert {"answer", "heading", "chart", "table", "text"} == {kind for _, kind, _ in found}
    for address in {one for one, *_ in found if one}:
        assert page.count(f'id="{address}"') == 1, address
    words = " ".join(text for *_, text in found)
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and source and source[0].isalpha() and not set(source) & set("$`*_[|"):
            assert " ".join(source.split("\n\n")[0].split())[:60] in words
    assert not re.search(r"<[a-z]|\bvar\b|vega", words)


def test_the_finder_links_every_section_chart_and_table_to_an_address_that_is_there(tmp_path):
    name = "03_context_length"
    notebook = json.loads((reports_dir() / f"{name}.ipynb").read_text(encoding="utf-8"))
    page = render_page(notebook, name, [name])
    (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    found = re.findall(rf'<a href="{name}[.]html#([^"]+)">', find_page(tmp_path, [name]))
    assert {one.rpartition("-")[0] for one in found if one[-1].isdigit()} == {"chart", "table"}
    assert len(found) == len(set(found)) >= 8
    for one in found:
        assert page.count(f'id="{one}"') == 1


def test_a_page_says_its_edition_its_data_and_what_it_is_made_of():
    page = render_page({"cells": []}, "03_context_length", ["03_context_length"])
    assert f"Edition {rackecon.__version__}, data as of {catalog.base_case().as_of_date}." in page
    assert 'href="03_context_length.ipynb"' in page
    assert 'href="results/03_context_length.csv"' in page


def test_the_citation_file_names_this_edition():
    cited = yaml.safe_load((notebooks_dir().parent / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == rackecon.__version__
    assert {"cff-version", "message", "title", "authors", "license"} <= set(cited)
    assert cited["license"] == "Apache-2.0"


def test_index_links_both_where_they_are(tmp_path):
    first = sorted(reports_dir().glob("0*.ipynb"))[0]
    (tmp_path / first.name).write_bytes(first.read_bytes())
    write_index(tmp_path)
    assert not any(f'href="{path}"' in (tmp_path / "index.html").read_text(encoding="utf-8") for path in REFERENCE)
    write_reference(tmp_path, report_names())
    write_index(tmp_path)
    assert all(f'href="{path}"' in (tmp_path / "index.html").read_text(encoding="utf-8") for path in REFERENCE)
