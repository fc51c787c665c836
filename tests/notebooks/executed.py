"""What the cells of the committed pages gave under nbval: a plugin keeps it, and a whole report is made of it.

    python -m pytest -p executed --nbval reports/    # EXECUTED names a folder
    python tests/notebooks/executed.py EXECUTED TARGET

The plugin forks nbval's kernels from a process that has imported what others wrote, and of this library the forking alone: a
page that forgets to import a part of it fails as in a kernel started afresh, and pandas and its kind are imported once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nbformat
import nbval.kernel
from jupyter_client.manager import KernelManager

from rackecon.press import forks, kernels

FOLDER = "RACKECON_EXECUTED"
"""Variable that names the folder: one file of outputs for each notebook."""
OTHERS = [name for name in forks.IMPORTED if not name.startswith("rackecon")]
HOST = f"from rackecon.press.forks import host; host({OTHERS}, reading=False)"


class ForkedKernel(KernelManager):
    """nbval's manager of a kernel that is forked."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.kernel_id = "nbval"
        self.provisioner = kernels._Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)


def pytest_configure() -> None:
    """Kernels for nbval, where processes can be forked and not everything is tried."""
    from thorough import THOROUGH  # which a run as a command does not find

    nbval.kernel.pformat = repr  # of every message, for a log that nobody asked for
    if forks.FORKS and not THOROUGH:
        forks.HOST = HOST
        nbval.kernel.KernelManager = ForkedKernel


def pytest_runtest_teardown(item, nextitem):
    """After the last cell of a notebook: what each of its cells gave, as nbval compared it."""
    if nextitem is None or nextitem.parent is not item.parent:
        cells = [one for one in item.session.items if one.parent is item.parent]
        kept = Path(os.environ[FOLDER], item.path.name).with_suffix(".json")
        kept.write_text(json.dumps([one.test_outputs or [] for one in cells]), encoding="utf-8")


def filled(source: Path, outputs: list[list[dict]]) -> str:
    """A notebook with outputs in its cells, numbered in the order in which nbval ran them."""
    notebook = json.loads(source.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, gave) in enumerate(zip(cells, outputs, strict=True), 1):
        counted = [one | {"execution_count": number} if "execution_count" in one else one for one in gave]
        cell |= {"execution_count": number, "outputs": counted}
    return nbformat.writes(nbformat.from_dict(notebook))


def main(executed: str, target: str) -> None:
    """Make every page of what its cells gave."""
    from rackecon.appraisal.parameters import notebook_path
    from rackecon.press import run

    def run_cells(name: str, parameters: dict, out: Path) -> str:
        outputs = json.loads(Path(executed, f"{name}.json").read_text(encoding="utf-8"))
        out.write_text(filled(notebook_path(name), outputs), encoding="utf-8")
        return ""

    run._run_cells, kernels.expect = run_cells, lambda pages: None  # no kernel is asked for
    outcomes = run.run_reports(run.report_names(), {}, Path(target), 2, force=True)
    sys.exit("; ".join(one.fault for one in outcomes if one.fault) or 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
