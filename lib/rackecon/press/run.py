"""Execute notebooks with papermill, normalise them so that two runs are identical, render them, move them into place."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rackecon.appraisal.parameters import notebook_path, notebooks_dir, read_parameters, validate
from rackecon.catalog.kept import FOLDER as KEPT
from rackecon.catalog.paths import given_folder, in_checkout, listed
from rackecon.catalog.written import check_folder, locked, write_file
from rackecon.errors import InputError
from rackecon.figures.display import BEFORE
from rackecon.figures.renderer import renderer
from rackecon.press.forks import expect
from rackecon.press.kept_results import kept_folder, kept_home
from rackecon.press.results import published, write_results
from rackecon.press.stamps import SITE, Stamps, made_of

FAILED = "failed-"
"""Before the name of a notebook that stopped, kept beside the pages until it runs through."""
FIRST = (
    "00_executive_summary",
    "11_claims",
    "16_plan",
    "13_validation",
    "12_uncertainty",
    "15_load",
    "10_revenue_and_roi",
    "05_latency_targets",
    "03_context_length",
    "14_market",
)
"""Pages that take longest, in the order to begin them: the last one keeps a single processor busy, and the second shares
no draws with the first, which it would wait for."""
PICTURES = "RACKECON_KEEP_PICTURES"
"""Variable that is set where charts that are those of the committed page are not drawn again."""
RENDERING = (
    "PIL.Image",
    "rackecon.press.html",
    "nbconvert.filters.markdown_mistune",
    "pygments.formatters.html",
    "pygments.lexers.python",
    "latex2mathml.converter",
    "rackecon.press.site",
    "rackecon.press.shared_files",
)
"""Modules that a page needs once its cells have run."""
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}


@dataclass(frozen=True)
class Outcome:
    """How one notebook went: seconds, or the fault in one line."""

    name: str
    seconds: float
    fault: str
    kept: bool = False
    """Whether the page stands as it was made before, of the same inputs."""
    beside: tuple[str, ...] = ()
    """Files that the page asks for when a reader wants them."""


def reports_dir() -> Path:
    """Folder of the reports: ``RACKECON_REPORTS`` if set, else of the checkout, else ``reports`` in the current folder."""
    return given_folder("RACKECON_REPORTS") or in_checkout("reports") or Path.cwd() / "reports"


def report_names() -> list[str]:
    """Names of the report notebooks, in order; the template is not one."""
    return [path.stem for path in listed(notebooks_dir(), "[0-9][0-9]_*.ipynb")]


def longest_first(names: Iterable[str]) -> list[str]:
    """Pages in the order to begin them.

    Examples
    --------
    >>> longest_first(["01_platforms_and_models", "11_claims"])
    ['11_claims', '01_platforms_and_models']
    """
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def normalise(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook without what differs between two equal runs: times, random ids, patch versions."""
    notebook["metadata"] = {"kernelspec": dict(KERNELSPEC), "language_info": dict(LANGUAGE)}
    for i, cell in enumerate(notebook["cells"]):
        tags = cell.get("metadata", {}).get("tags", [])
        cell["metadata"] = {"tags": tags} if tags else {}
        cell["id"] = f"cell-{i:02d}"
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("transient", None)
    return notebook


def _with_known_pictures(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """The notebook with the committed report's pictures where its charts are the same."""
    from rackecon.figures.pictures import keep_pictures

    committed = reports_dir() / f"{name}.ipynb"
    try:
        before = json.loads(committed.read_text(encoding="utf-8"))
        return keep_pictures(notebook, before)
    except (OSError, ValueError, KeyError):
        return notebook  # no committed report, or one that cannot be read: fresh pictures


def execute(name: str, parameters: Mapping[str, Any], target: str, walk: Sequence[str]) -> Outcome:
    """Execute and render one notebook into a folder, beside the pages of others; a good file is replaced only by a good one."""
    import time

    begun = time.perf_counter()
    folder = Path(target)
    with tempfile.TemporaryDirectory(prefix=_scratch(folder)) as scratch:
        out = Path(scratch) / f"{name}.ipynb"
        if os.environ.get(PICTURES):
            with suppress(OSError):  # no page before
                shutil.copyfile(reports_dir() / f"{name}.ipynb", Path(scratch) / BEFORE)
        fault = _run_cells(name, parameters, out)
        if fault:
            return Outcome(name, time.perf_counter() - begun, f"{fault}{_keep_failed(out, folder)}")
        notebook = _with_known_pictures(normalise(json.loads(out.read_text(encoding="utf-8"))), name)
        text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        from rackecon.press.html import files_beside, render_page

        try:
            rows, page = published(notebook, name), render_page(notebook, name, list(walk))
        except InputError as error:
            return Outcome(name, time.perf_counter() - begun, str(error))
        try:
            write_results(folder, name, rows)
            beside = files_beside(notebook)
            for file, content in ({f"{name}.ipynb": text, f"{name}.html": page} | beside).items():
                write_file(folder / file, content)
        except InputError as error:
            return Outcome(name, time.perf_counter() - begun, str(error))
        (folder / f"{FAILED}{name}.ipynb").unlink(missing_ok=True)
    return Outcome(name, time.perf_counter() - begun, "", beside=tuple(beside))


def _run_cells(name: str, parameters: Mapping[str, Any], out: Path) -> str:
    """Write a notebook, executed in the folder of ``out``; the fault in words where a cell failed."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from rackecon.press.kernels import kernels

    _import_meanwhile()
    # papermill cannot read "float | None" and calls such parameters unknown; they were checked above
    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    os.environ["JUPYTER_PLATFORM_DIRS"] = "1"
    try:
        papermill.execute_notebook(
            str(notebook_path(name)),
            str(out),
            parameters=dict(parameters),
            progress_bar=False,
            kernel_name="python3",
            resources={"metadata": {"path": str(out.parent)}},  # its cwd option moves this whole process
            log_output=False,
            request_save_on_cell_execute=False,  # twice a cell it writes all of the page
            extra_arguments=["--log-level=ERROR"],  # the kernel's warnings of its own set-up are not the report's
            **kernels(),
        )
    except PapermillExecutionError as error:
        cell = error.exec_count if error.exec_count is not None else "?"
        message = " ".join(str(error.evalue).split())[:300]
        return f"{name}: cell {cell}: {error.ename}: {message}"
    return ""


def _import_meanwhile() -> None:
    """Begin to import what rendering takes: while cells run, this process waits."""

    def take() -> None:
        for name in RENDERING:
            with suppress(ImportError):  # what needs it says so
                import_module(name)

    if not sys.modules.keys() >= set(RENDERING):
        threading.Thread(target=take).start()


def _scratch(target: Path) -> str:
    """Beginning of the names of temporary folders of a folder's pages: what a killed report left there is known by it."""
    return f"rackecon-{hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:12]}-"


def _keep_failed(out: Path, folder: Path) -> str:
    """The notebook as far as it went, beside the good pages; where it is, in words."""
    if not out.is_file():
        return ""
    kept = folder / f"{FAILED}{out.name}"
    write_file(kept, out.read_bytes())
    return f"; as far as it went: {kept.name}"


def _checked(names: Iterable[str], given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Parameters of each notebook, all faults found before any kernel starts."""
    chosen = list(names)
    declared = {name: read_parameters(notebook_path(name)) for name in chosen}
    if len(chosen) == 1:
        faults = validate(chosen[0], declared[chosen[0]], given)
        if faults:
            raise InputError("; ".join(faults) if len(faults) > 1 else faults[0])
        return {chosen[0]: dict(given)}
    everywhere = {key: parameter for known in declared.values() for key, parameter in known.items()}
    faults = validate("report", everywhere, given, together=False)
    if faults:
        raise InputError(faults[0])
    shared = {name: {key: value for key, value in given.items() if key in known} for name, known in declared.items()}
    faults = [fault for name, own in shared.items() for fault in validate(name, declared[name], own)]
    if faults:
        raise InputError(faults[0])
    return shared


def run_reports(
    names: Iterable[str],
    given: Mapping[str, Any],
    target: Path,
    jobs: int = 2,
    tell: Callable[[int, int, Outcome], None] | None = None,
    *,
    force: bool = False,
) -> list[Outcome]:
    """Execute notebooks in parallel and render them, with their shared assets and an index page.

    Parameters
    ----------
    names : iterable of str
        Notebooks.
    given : mapping
        Parameters; each notebook takes those it declares, and a name that none declares is refused.
    target : Path
        Folder to write.
    jobs : int
        Notebooks at a time.
    tell : callable, optional
        Called with done, total and the outcome as each one ends.
    force : bool
        Make every page, also one whose inputs and outputs are unchanged (:mod:`rackecon.press.stamps`).

    Returns
    -------
    list of Outcome
        In the order of ``names``. A failed notebook leaves the last good report in place.

    Raises
    ------
    InputError
        Unknown notebook or parameter, wrong type, out of range; before any kernel starts.
    """
    chosen = [notebook_path(name).stem for name in names]
    parameters = _checked(chosen, given)
    check_folder(target)
    target.mkdir(parents=True, exist_ok=True)
    with locked(target, f"{target}: another report is made there now"):
        return _made(chosen, parameters, target, jobs, tell, force)


def _made(
    chosen: list[str],
    parameters: Mapping[str, Mapping[str, Any]],
    target: Path,
    jobs: int,
    tell: Callable[[int, int, Outcome], None] | None,
    force: bool,
) -> list[Outcome]:
    """See :func:`run_reports`; the parameters are checked, and nobody else writes there."""
    for left in Path(tempfile.gettempdir()).glob(f"{_scratch(target)}*"):
        shutil.rmtree(left, ignore_errors=True)
    walk = (
        report_names()
        if target == reports_dir()
        else sorted({*chosen, *(path.stem for path in listed(target, "[0-9][0-9]_*.ipynb"))})
    )
    stamps = Stamps(target, made_of(parameters, walk))
    outcomes: dict[str, Outcome] = {}

    def ended(outcome: Outcome) -> None:
        outcomes[outcome.name] = outcome
        if not outcome.fault and not outcome.kept:
            stamps.done(outcome.name, [*stamps.own(outcome.name), *outcome.beside])
        if tell:
            tell(len(outcomes), len(chosen), outcome)

    for name in chosen:
        if not force and stamps.fresh(name):
            ended(Outcome(name, 0.0, "", kept=True))
        else:
            stamps.forget(name)
    stale = longest_first(name for name in chosen if name not in outcomes)
    if stale:
        expect(len(stale))
    with _shared_results(target, force) if stale else nullcontext():
        for outcome in _each(stale, jobs, lambda name: execute(name, parameters[name], str(target), walk)):
            ended(outcome)
    if not all(outcome.fault for outcome in outcomes.values()):  # what lists an earlier run's pages stays as they do
        _write_site(target, stamps, whole=set(chosen) == set(report_names()), force=force)
    return [outcomes[name] for name in chosen]


def _each(names: Sequence[str], jobs: int, work: Callable[[str], Outcome]) -> Iterator[Outcome]:
    """Outcomes as they come, ``jobs`` notebooks at a time: kernels are processes, and threads wait for them."""
    if min(jobs, len(names)) <= 1:
        yield from map(work, names)
        return
    pool = ThreadPoolExecutor(jobs)
    try:
        for task in as_completed([pool.submit(work, name) for name in names]):
            yield task.result()
    except BaseException:
        from rackecon.press.kernels import end_kernels

        # an interrupt, say: what runs ends with its kernel, and nothing else begins
        pool.shutdown(wait=False, cancel_futures=True)
        end_kernels()
        raise
    pool.shutdown()


@contextmanager
def _shared_results(target: Path, fresh: bool) -> Iterator[None]:
    """A folder for what pages share (:mod:`rackecon.catalog.kept`): that of this state in a checkout, or a new one that goes again.

    A fresh report takes nothing from before, unless the environment names a folder, and draws every picture.
    """
    home = None if fresh else kept_home()
    before = {name: os.environ.get(name) for name in (KEPT, PICTURES)}
    with tempfile.TemporaryDirectory(prefix=_scratch(target)) as scratch:
        folder = kept_folder(home) if home else Path(before[KEPT] or scratch)
        os.environ |= {KEPT: str(folder), PICTURES: "" if fresh else "1"}
        try:
            with renderer(Path(scratch)):
                yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
            for other in home.glob("*") if home else ():
                if other != folder:  # of a state that went
                    shutil.rmtree(other, ignore_errors=True)


def _write_site(target: Path, stamps: Stamps, *, whole: bool, force: bool) -> None:
    """Index, shared files and, for a whole report, the pages of reference, where anything of it changed."""
    from rackecon.press.shared_files import SHARED, write_shared_files
    from rackecon.press.site import (
        ANSWER_PICTURE,
        LOOKED_UP,
        REFERENCE,
        write_answer_picture,
        write_index,
        write_reference,
    )

    stamps.made[SITE] = stamps.site_of()
    if stamps.fresh(SITE) and not force:
        return
    write_shared_files(target)
    if whole:
        write_reference(target, report_names())
        write_answer_picture(target)
    write_index(target)
    files = [
        *(f"assets/{name}" for name in SHARED),
        *((*REFERENCE, ANSWER_PICTURE) if whole else ()),
        *LOOKED_UP,
        "index.html",
    ]
    stamps.done(SITE, [name for name in files if (target / name).is_file()])
