"""Which layouts public sweeps of a model run on a chip family and engine, and since when; and public recipes, where no run is.

How many GPUs prefill gets is left to the search. Measured deployments of DeepSeek-R1 give it 1/16 to 3 times decode's on
Blackwell, 1/4 to 2 on CDNA4, 1/3 to 2 on Hopper; public recipes of all models 1/32 to 8 (``configs/`` of the public
benchmark, 2026-08). What searches of 1,024 and 8,192 tokens choose lies within a factor of 2 of the measured range of the
family for DeepSeek-R1, 1/32 to 3. Of gpt-oss-120b and Llama 70B the fastest tenth of points goes below 1/32: one prefill GPU
beside 64 of decode, worth 3 % of rate at the most beside the recipes' 1/32, but for the last point of a front.
"""

from __future__ import annotations

from rackecon.catalog import Accelerator, Model, accelerator
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import read_rows
from rackecon.performance.families import NODE_GPUS, engine_family
from rackecon.serving.layouts import Layout

FEWEST_ROWS = 10
"""Measured rows from which a model's layouts on a family and engine are taken as known: in its precision, else in any."""
TABLES = ("measured_serving", "public_recipes", "accelerators")  # that layouts follow from
Key = tuple[str, bool, str, str, str, str, str]


def run_publicly(
    chip: Accelerator, arch: Model, engine: str, precision: str, mode: str, role: str, date: str
) -> frozenset[Layout] | None:
    """Layouts that public sweeps of a model had run by a date; None where too few rows say.

    A platform's own public recipes stand before what its siblings ran where none of its own runs was published:
    DeepSeek-R1 takes two nodes of H100, and one of H200.

    Parameters
    ----------
    engine, precision, mode : str
        Serving engine, weight precision and mode.
    role : str
        ``decode`` (an aggregated engine too) or ``prefill``.
    date : str
        ISO date; before the first sweep, what that sweep ran.

    Examples
    --------
    >>> from rackecon.catalog import model
    >>> chip, arch = accelerator("b200-hgx"), model("deepseek-r1")
    >>> early, late = (run_publicly(chip, arch, "trtllm", "fp8", "aggregated", "decode", x) for x in ("2025-12-31", "2026-06-01"))
    >>> sorted(x.name for x in late - early)
    ['TP4', 'TP8']
    >>> few = run_publicly(chip, arch, "dynamo-sglang", "fp4", "disaggregated", "decode", "2026-06-01")  # as in any precision
    >>> sorted(x.name for x in few)
    ['DEP8', 'TEP8', 'TP8']
    >>> pools = (arch, "dynamo-trtllm", "fp8", "disaggregated", "prefill", "2026-06-01")
    >>> [sorted(x.name for x in run_publicly(accelerator(chip), *pools)) for chip in ("h100-sxm", "h200-sxm")]
    [['DEP16'], ['DEP8', 'TEP8']]
    """
    stack = engine_family(engine, chip.vendor)
    recipes = _recipes().get((chip.id, stack, precision, mode, arch.id, role))
    if recipes and (chip.id, stack, mode, arch.id) not in _measured():
        return recipes
    key = (chip.family, chip.rack_scale, stack, precision, mode, arch.id)
    found = _by((*key, role), date)
    return _by((*key[:3], "", *key[4:], role), date) if found is None else found


@by_data(512, "measured_serving", "accelerators")
def _by(key: Key, date: str) -> frozenset[Layout] | None:
    rows = _seen().get(key, [])
    if len(rows) < FEWEST_ROWS:
        return None
    latest = max(date, rows[0][0])
    return frozenset(layout for day, layout in rows if day <= latest)


@by_data(1, "public_recipes", "accelerators")
def _recipes() -> dict[tuple[str, ...], frozenset[Layout]]:
    """Layouts of data/public_recipes.csv by chip, engine family, precision, mode, model and role."""
    found: dict[tuple[str, ...], set[Layout]] = {}
    for row in read_rows("public_recipes"):
        stack = engine_family(row["engine"], accelerator(row["accelerator"]).vendor)
        key = (row["accelerator"], stack, row["weight_precision"], row["mode"], row["model"], row["role"])
        found.setdefault(key, set()).add(_layout(row, ""))
    return {key: frozenset(layouts) for key, layouts in found.items()}


@by_data(1, "measured_serving", "accelerators")
def _measured() -> frozenset[tuple[str, str, str, str]]:
    """Chips, engine families, modes and models with measured rows."""
    rows = {(row["accelerator"], row["engine"], row["mode"], row["model"]) for row in read_rows("measured_serving")}
    return frozenset(
        (chip, engine_family(engine, accelerator(chip).vendor), mode, arch) for chip, engine, mode, arch in rows
    )


@by_data(1, "measured_serving", "accelerators")
def _seen() -> dict[Key, list[tuple[str, Layout]]]:
    """Layouts of the measured rows by date, earliest first."""
    found: dict[Key, list[tuple[str, Layout]]] = {}
    modes = ("aggregated", "disaggregated")
    measured = [row for row in read_rows("measured_serving") if row["concurrency"] and row["mode"] in modes]
    chips = {name: accelerator(name) for name in dict.fromkeys(row["accelerator"] for row in measured)}
    for row in measured:
        chip = chips[row["accelerator"]]
        key = (chip.family, chip.rack_scale, engine_family(row["engine"], chip.vendor))
        for role, prefix in (("decode", ""), ("prefill", "prefill_")):
            if row[f"{prefix}tp"] and (role == "decode" or row["mode"] == "disaggregated"):
                made = _layout(row, prefix)
                for weight in (row["weight_precision"], ""):
                    found.setdefault((*key, weight, row["mode"], row["model"], role), []).append((row["date"], made))
    return {key: sorted(rows, key=lambda x: (x[0], x[1].name)) for key, rows in found.items()}


def _layout(row: dict[str, str], prefix: str) -> Layout:
    tp, ep = (int(float(row[prefix + name] or 1)) for name in ("tp", "ep"))
    ranked = row[f"{prefix}dp_attention"].lower() == "true"
    if ranked and tp > NODE_GPUS:  # recipes of wide data-parallel attention spread the experts too
        ep = tp
    pp = int(float(row.get(f"{prefix}pp") or 1))
    return Layout(tp, ep, pp, ranked)
