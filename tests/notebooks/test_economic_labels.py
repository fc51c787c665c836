"""No table or chart of reports/ shows ROI, a cost per million tokens or a per-MW figure without its basis."""

import json
import re
from pathlib import Path

import pytest

REPORTS = sorted((Path(__file__).parents[2] / "reports").glob("*.ipynb"))
SHOWN = ("text/html", "text/markdown")
BASIS = r"ownership|rental|rent\b|build[- _]up|published|list price|claim"


def label_faults(text: str) -> list[str]:
    """What a shown table or chart leaves out, if anything.

    A list of other people's claims quotes them as made, and the live controls repeat a table that is checked.
    """
    if "<caption>Claim" in text or 'id="live"' in text:
        return []
    faults = []
    for match in re.finditer(r"\bROI\b", text):
        if not re.search(r"(vendor|profit)\W{1,3}$", text[max(0, match.start() - 10) : match.start()], re.IGNORECASE):
            faults.append(f"ROI of unstated kind: ...{text[max(0, match.start() - 40) : match.end() + 20]}...")
            break
    if re.search(r"\bcost (on |of )?[\w-]+ cost\b", text):
        faults.append("cost of a cost")
    if re.search(r"\$\s?/\s?M(tok)?\b|\bper (1M|million)\b|/Mtok\b", text):
        if not re.search(r"\b(total|output|input)\b", text, re.IGNORECASE):
            faults.append("cost or price per million tokens without saying which tokens")
        if not re.search(BASIS, text, re.IGNORECASE):
            faults.append("cost or price per million tokens without its basis")
    if re.search(r"\bper MW\b|/MW\b|\bper megawatt\b", text):
        if not re.search(r"provisioned|drawn", text, re.IGNORECASE):
            faults.append("per-MW figure without provisioned or drawn")
        if not re.search(r"vintage|20\d\d-\d\d", text):
            faults.append("per-MW figure without the vintage of its power")
    return faults


def shown_outputs(path: Path) -> list[tuple[int, str]]:
    """Text of every table and chart of an executed notebook, with the number of its cell."""
    found = []
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind, body in data.items():
                if kind in SHOWN and "<table" not in "".join(body):
                    continue
                if kind in SHOWN:
                    found.append((number, "".join(body)))
                elif "vegalite" in kind:
                    spec = body if isinstance(body, dict) else json.loads("".join(body))
                    words = {key: value for key, value in spec.items() if key not in ("datasets", "data", "config")}
                    found.append((number, json.dumps(words, ensure_ascii=False)))
    return found


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_economic_figures_carry_their_basis(path):
    faults = [f"cell {number}: {fault}" for number, text in shown_outputs(path) for fault in label_faults(text)]
    assert faults == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<table>GB200 ROI 15x</table>", "ROI of unstated kind"),
        ("<table>$/M 0.12, ownership</table>", "without saying which tokens"),
        ("<table>$/M output tokens 0.12</table>", "without its basis"),
        ("<table>profit of the site; cost build-up cost</table>", "cost of a cost"),
        ("<table>profit per MW, provisioned</table>", "without the vintage"),
        ("<table>tok/s per MW, vintage 2026-07</table>", "without provisioned or drawn"),
    ],
)
def test_an_unlabelled_figure_is_caught(text, fault):
    assert any(fault in found for found in label_faults(text))


def test_a_quoted_claim_is_left_as_it_was_made():
    assert label_faults("<table><caption>Claims and verdicts</caption>two cents per million tokens, 10x per MW") == []


def test_a_labelled_figure_passes():
    text = "Vendor ROI 15x; $/M output tokens 0.12 (ownership); profit per provisioned MW and per MW, vintage 2026-07"
    assert label_faults(text) == []
