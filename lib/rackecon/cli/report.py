"""``rackecon report``: execute and render the notebooks, the default set or a run of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rackecon.errors import InputError

LARGEST_BYTES = 2**20


def _value(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _given(pairs: list[tuple[str, str]], file: Path | None) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if file is not None:
        from rackecon.catalog.text_file import read_text, yaml_of

        loaded = yaml_of(file.name, read_text(file, largest=LARGEST_BYTES))
        if not isinstance(loaded, dict):
            raise InputError(f"{file.name}: needs lines such as isl_tokens: 8192")
        out.update(loaded)
    out.update({name: _value(text) for name, text in pairs})
    return out


def report(
    notebooks: Annotated[list[str] | None, typer.Argument(help="Notebooks by name; all by default.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME VALUE", help="As often as needed; a list as JSON."),
    ] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Parameters in a YAML file.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Write a run of your own into reports/runs/NAME/.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Notebooks at a time.")] = 2,
    standalone: Annotated[bool, typer.Option("--standalone", help="Also write single files to mail.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also make pages whose inputs and outputs are unchanged.")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also print the summary on two sheets, by a Chromium where there is one.")
    ] = False,
    source: Annotated[str | None, typer.Option("--from", help="Repeat a run: its name or folder.")] = None,
) -> None:
    """Execute notebooks and render them; without --name the default set goes into reports/."""
    import re

    from rackecon.catalog.paths import table_digests
    from rackecon.press.run import report_names, reports_dir, run_reports

    for item in parameter or []:
        if "=" not in item:
            raise InputError(f"-p {item}: needs a name and a value")
    given = _given([(item.split("=", 1)[0], item.split("=", 1)[1]) for item in parameter or []], file)
    chosen = list(notebooks or [])
    if source is not None:
        from rackecon.press.record import changed_since, read_record

        record = read_record(reports_dir() / "runs", source)
        for line in changed_since(record):
            typer.echo(f"changed since {source}: {line}", err=True)
        given = {**record["parameters"], **given}
        chosen = chosen or list(record["notebooks"])
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise InputError(f"--name '{name}': needs letters, digits, dot, dash or underscore")
    if given and name is None:
        raise InputError(
            "parameters other than the defaults need --name RUN, so that reports/ keeps the report's own case"
        )
    target = reports_dir() / "runs" / name if name else reports_dir()

    def tell(done: int, total: int, outcome: Any) -> None:
        state = outcome.fault or f"{outcome.name} {'unchanged' if outcome.kept else f'{outcome.seconds:.1f} s'}"
        typer.echo(f"[{done}/{total}] {state}", err=bool(outcome.fault))

    read = table_digests()
    outcomes = run_reports(chosen or report_names(), given, target, jobs, tell, force=force)
    failed = [outcome for outcome in outcomes if outcome.fault]
    good = [outcome.name for outcome in outcomes if not outcome.fault]
    if good and (name or good == report_names()):  # the report's own record is of the whole of it
        from rackecon.press.record import write_record

        write_record(target, good, given, read)
    if not name and good == report_names():
        from rackecon.press.data_export import report_data

        report_data(target)
    if standalone and good:
        from rackecon.catalog.paths import listed
        from rackecon.catalog.written import write_file
        from rackecon.press.frame import standalone_page

        folder = target / "standalone"
        for page in listed(target, "*.html"):
            write_file(folder / page.name, standalone_page(page))
    if pdf and good:
        from rackecon.press.paper import summary_pdf

        typer.echo(f"summary: {summary_pdf(target)}")
    typer.echo(f"{len(good)} of {len(outcomes)} pages" + (f": {target / 'index.html'}" if good else ""))
    if failed:
        raise typer.Exit(1)
