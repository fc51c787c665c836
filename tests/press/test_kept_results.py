"""Kernels of a checkout take what its report worked out, and leave it alone once the library is another."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from rackecon.catalog.kept import FOLDER, kept
from rackecon.press import kept_results, stamps

before_cells: list[Callable[[], None]] = []
"""What the kernel calls before a cell."""


def next_cell() -> None:
    """A cell begins."""
    for look in before_cells:
        look()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A checkout whose library is one file, and a process that is a notebook's kernel."""
    library = tmp_path / "lib"
    library.mkdir()
    (library / "model.py").write_text("speed = 1\n")
    monkeypatch.setattr(kept_results, "LIBRARY", library)
    monkeypatch.setattr(kept_results, "kept_home", lambda: tmp_path / "kept")
    shell = SimpleNamespace(kernel=None, events=SimpleNamespace(register=lambda name, look: before_cells.append(look)))
    monkeypatch.setattr(kept_results, "_shell", lambda: shell)
    before_cells.clear()
    monkeypatch.setenv(FOLDER, "")  # so that it is put back
    monkeypatch.delenv(FOLDER)
    return tmp_path


def test_a_kernel_keeps_results_where_the_report_does_until_the_library_is_edited(home):
    kept_results.share_with_report()
    folder = home / "kept" / stamps.common()[:16]
    assert os.environ[FOLDER] == str(folder)
    assert kept("of a page", 1, lambda: "first") == "first"
    next_cell()
    assert kept("of a page", 1, lambda: "again") == "first"
    before = sorted(folder.iterdir())
    assert len(before) == 2  # the result and its lock
    edited = home / "lib" / "model.py"
    edited.write_text("speed = 2\n")
    os.utime(edited, ns=(edited.stat().st_mtime_ns + 10**9,) * 2)
    next_cell()
    assert kept("of a page", 1, lambda: "of the edited library") == "of the edited library"
    assert FOLDER not in os.environ
    assert sorted(folder.iterdir()) == before


def test_a_file_that_goes_or_comes_is_an_edit_too(home):
    kept_results.share_with_report()
    (home / "lib" / "more.py").write_text("")
    os.utime(home / "lib" / "more.py", ns=(1, 1))
    next_cell()
    kept("of a page", 2, lambda: 0)
    assert FOLDER not in os.environ


def test_a_folder_that_was_named_stays(home, monkeypatch):
    monkeypatch.setenv(FOLDER, str(home / "named"))
    kept_results.share_with_report()
    assert os.environ[FOLDER] == str(home / "named")


def test_no_other_process_keeps_anything(home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.delenv(FOLDER, raising=False)
    kept_results.share_with_report()
    assert FOLDER not in os.environ


def test_a_kernel_knows_that_it_is_one(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    cell = nbformat.v4.new_code_cell(f"import os, rackecon.notebook\nprint(os.environ['{FOLDER}'])")
    NotebookClient(book := nbformat.v4.new_notebook(cells=[cell]), kernel_name="python3").execute()
    home = kept_results.kept_home()
    assert home
    assert book.cells[0].outputs[0].text.strip() == str(kept_results.kept_folder(home))
