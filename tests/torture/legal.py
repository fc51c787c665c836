"""Legal parameters of every notebook: its cells run, without a kernel, and its page says true words; or the value is refused at once."""

from __future__ import annotations

import html
import json
import math
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SECONDS = 600
SERVED = "gpt-oss-120b"
LISTS = {
    "one platform": ["gb300-nvl72"], "one twice": ["b200-hgx", "b200-hgx"], "none that fits": ["l40s"],
    "one that fits no server": ["b200-hgx", "cerebras-wse3"], "none that is servable": ["cerebras-wse3"], "none": [],
    "one without a price": ["b200-hgx", "trainium3"],
}  # fmt: skip
CHOSEN = {
    "model": ("gpt-oss-20b", "llama-3.1-405b", "deepseek-v4-pro"), "scenario": ("chat", "agentic-coding"),
    "baseline": ("l40s", "tpu-v7"), "built": ("tpu-v7", "l40s"), "owned": ("l40s", "gb300-nvl72"), "agent_model": ("gpt-oss-20b",),
}  # fmt: skip
TOGETHER: dict[str, list[dict[str, Any]]] = {
    "06_precision_and_software": [{"accelerators": ["h100-sxm"], "baseline": "h100-sxm"}],
    "07_disaggregated_serving": [{"accelerators": ["h100-sxm"], "scenarios": ["chat"]}],
}
"""What broke a page only together."""
UNTRUE = re.compile(r"(?<![\w.-])(?:nan|NaN|None|inf|-inf|undefined|NaT|<NA>)(?![\w-])|\$-|\$\s*nan|e[+-]\d\d")


def changes(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each parameter of a notebook at both ends, at each choice, and lists of platforms of every kind; one at a time."""
    from rackecon.appraisal.parameters import notebook_path, read_parameters
    from rackecon.catalog import models, scenarios
    from rackecon.catalog.assumption_table import allowed_values

    table = allowed_values()
    for key, parameter in read_parameters(notebook_path(name)).items():
        if key == "accelerators":
            yield from ((f"{key}: {what}", {key: given}) for what, given in LISTS.items())
        elif key in ("models", "scenarios"):
            every = list(models() if key == "models" else scenarios())
            yield f"{key}: one", {key: every[:1]}
            yield f"{key}: one twice", {key: every[:1] * 2}
        elif key in CHOSEN:
            yield from ((f"{key} {given}", {key: given}) for given in CHOSEN[key])
        elif key in table:
            rule = table[key]
            ends = rule.choices or [end for end in (rule.low, rule.high) if math.isfinite(end)]
            if rule.kind == "flag":
                ends = [True, False]
            for end in ends:
                given = int(end) if parameter.type.startswith("int") else end
                yield f"{key} {given}", {key: given}
    yield from ((json.dumps(change), change) for change in TOGETHER.get(name, []))


def warm(name: str) -> None:
    """Run a notebook as it stands, so that what its changes share is worked out once for every process forked from this one.

    No picture is drawn: what draws them keeps threads, and a forked process has none of these.
    """
    from rackecon.appraisal.parameters import notebook_path
    from rackecon.figures import display

    draws = display._png
    display._png = lambda _: ""
    try:
        executed(notebook_path(name), {})
    finally:
        display._png = draws


def judged(name: str, change: Mapping[str, Any]) -> str:
    """Run a notebook with a change in a process of its own: empty where its page stands or the change is refused."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        signal.alarm(SECONDS)
        for handle in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), handle)
        try:
            said = _page(name, change)
        except BaseException as fault:
            said = f"{type(fault).__name__}: {fault}"
        os.write(write, said.encode()[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return said if os.waitstatus_to_exitcode(status) == 0 else f"ended by {status}"


def _page(name: str, change: Mapping[str, Any]) -> str:
    from rackecon.appraisal.parameters import notebook_path, read_parameters, validate

    if validate(name, read_parameters(notebook_path(name)), change):
        return ""
    notebook = executed(notebook_path(name), change)
    from rackecon.press.html import render_page
    from rackecon.press.results import published
    from rackecon.press.run import normalise, report_names

    rows = published(normalise(notebook), name)
    strange = [key for key, (value, unit) in rows.items() if unit != "text" and value in ("nan", "inf", "-inf", "None")]
    return untrue(render_page(notebook, name, report_names())) or (f"results {strange[:3]}" if strange else "")


def executed(path: Path, change: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook with its outputs; the first cell that stops is raised."""
    from IPython.core.displayhook import CapturingDisplayHook
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    shell.reset()
    faults: list[BaseException | None] = []  # of what is shown as well, such as a chart
    shell.showtraceback = shell.showsyntaxerror = lambda *_, **__: faults.append(sys.exc_info()[1])
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        if "parameters" in cell["metadata"].get("tags", []):
            source += "\n" + "\n".join(f"{key} = {value!r}" for key, value in change.items())
        results: list[
            dict[str, Any]
        ] = []  # what a cell's last line shows; capture_output has what is displayed before it
        shell.display_trap.hook = CapturingDisplayHook(shell=shell, outputs=results)
        with capture_output() as caught:
            done = shell.run_cell(source)
        if done.error_before_exec or done.error_in_exec:
            raise done.error_before_exec or done.error_in_exec
        if faults:
            raise faults[0] or RuntimeError("not shown")
        shown = [(one.data, one.metadata) for one in caught.outputs] + [
            (one["data"], one["metadata"]) for one in results
        ]
        cell["outputs"] = [
            {"output_type": "display_data", "data": data, "metadata": metadata or {}} for data, metadata in shown
        ]
        cell["execution_count"] = 1
    return notebook


def untrue(page: str) -> str:
    """What a page says that cannot be: numbers that are none, JSON that is none, a chart of nothing."""

    def none(word: str) -> Any:
        raise ValueError(f"{word} in JSON")

    for kind, text in re.findall(r'<script type="(application/[^"]*json)"[^>]*>(.*?)</script>', page, flags=re.S):
        try:
            spec = json.loads(html.unescape(text) if "&quot;" in text else text, parse_constant=none)
        except ValueError as fault:
            return f"{kind}: {fault}"
        if isinstance(spec, dict) and "datasets" in spec and not all(spec["datasets"].values()):
            return "a chart of nothing"
    words = html.unescape(re.sub(r"<(script|style|svg|code|pre)\b.*?</\1>|<[^>]+>", " ", page, flags=re.S))
    found = UNTRUE.search(words)
    return f"says {words[max(found.start() - 60, 0) : found.end() + 40]!r}" if found else ""
