"""``rackecon edition``: what changed between two editions of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def edition(
    old: Annotated[Path, typer.Argument(help="Folder of the earlier edition: a checkout, or its reports/.")],
    new: Annotated[Path, typer.Argument(help="Folder of the later one.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for changes.html and changes.atom; beside the later pages by default."),
    ] = None,
) -> None:
    """Compare answers, verdicts and rows of data of two editions; write a page and an Atom feed."""
    from rackecon.catalog.written import check_folder, write_file
    from rackecon.press.edition import answer_changes, edition_page, feed, read_edition, table_changes
    from rackecon.press.shared_files import shared_files

    before, after = read_edition(old), read_edition(new)
    tables, answers = table_changes(before.data, after.data), answer_changes(before.reports, after.reports)
    page, atom = edition_page(tables, answers, before, after), feed(tables, answers, before, after)
    folder = after.reports if out is None else out
    check_folder(folder)
    for name in ("page.css", "page.js"):
        write_file(folder / "assets" / name, shared_files()[name])
    write_file(folder / "changes.html", page)
    write_file(folder / "changes.atom", atom)
    for table in tables:
        typer.echo(f"data/{table.table}.csv: {table.added} added, {table.changed} changed, {table.dropped} dropped")
    for answer in answers:
        typer.echo(f"{answer.page} {answer.key}: {answer.before} -> {answer.after} {answer.unit}".rstrip())
    typer.echo(f"{len(answers)} answers, {len(tables)} tables: {folder / 'changes.html'}")
