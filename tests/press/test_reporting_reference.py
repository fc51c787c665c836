"""The pages of parameters and of the library: whole, linked, and nothing fetched."""

from __future__ import annotations

import re

import pytest

import rackecon
from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.press.api_page import api_page
from rackecon.press.parameters_page import parameters_page
from rackecon.press.run import report_names, reports_dir
from rackecon.press.site import REFERENCE, write_index, write_reference


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
    assert set(re.findall(r'(?:src|href)="([^"#]+)"', api)) == {
        "data:,", "../assets/page.css", "../assets/page.js", "../index.html",
    }  # fmt: skip
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
    assert "<td>share of capacity sold</td><td>0.01 to 1</td>" in row


def test_index_links_both_where_they_are(tmp_path):
    first = sorted(reports_dir().glob("0*.ipynb"))[0]
    (tmp_path / first.name).write_bytes(first.read_bytes())
    write_index(tmp_path)
    assert not any(f'href="{path}"' in (tmp_path / "index.html").read_text(encoding="utf-8") for path in REFERENCE)
    write_reference(tmp_path, report_names())
    write_index(tmp_path)
    assert all(f'href="{path}"' in (tmp_path / "index.html").read_text(encoding="utf-8") for path in REFERENCE)
