"""Published results become a file whose bytes depend on the results alone; the page does not show them."""

from __future__ import annotations

import pytest

from rackecon.errors import InputError
from rackecon.figures.results import Figure, publish
from rackecon.press.html import render_page
from rackecon.press.results import published, read_results, results_path, results_text, write_results

NAME = "20_x"


def notebook(*bundles):
    outputs = [{"output_type": "execute_result", "data": one._repr_mimebundle_()} for one in bundles]
    return {"cells": [{"cell_type": "code", "source": "", "metadata": {}, "outputs": outputs}]}


B, A = Figure("b", 2.0, "USD"), Figure("a", "with, comma", "text")


def test_results_come_back_as_published_in_any_order(tmp_path):
    one = published(notebook(publish(NAME, B), publish(NAME, A)), NAME)
    assert results_text(one) == 'key,value,unit\na,"with, comma",text\nb,2,USD\n'
    assert results_text(one) == results_text(published(notebook(publish(NAME, A, B)), NAME))
    write_results(tmp_path, NAME, one)
    assert [path.name for path in results_path(tmp_path, NAME).parent.iterdir()] == [f"{NAME}.csv"]
    assert read_results(tmp_path, NAME) == one
    assert read_results(tmp_path, "21_y") == {}


def test_a_key_twice_and_anothers_results_are_faults():
    with pytest.raises(InputError, match="'b' is published twice"):
        published(notebook(publish(NAME, B), publish(NAME, B)), NAME)
    with pytest.raises(InputError, match="publishes results of 21_y"):
        published(notebook(publish("21_y", B)), NAME)


def test_the_page_does_not_show_them():
    page = render_page(notebook(publish(NAME, B)), NAME, [])
    assert "results" not in page.split('<main id="main">')[1].split("<nav")[0]


@pytest.mark.parametrize(
    "text", ["", "a,b\n", "key,value,unit\na,1\n", 'key,value,unit\na,"1,USD\n', "key,value,unit\n\0\n"]
)
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    path = results_path(tmp_path, NAME)
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="needs the columns key, value, unit"):
        read_results(tmp_path, NAME)
