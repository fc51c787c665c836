"""What is new about a question to the fit: its platform, its model, the two together, its engine, lengths, speed or date.

Only rows that the fit used make anything known: data/serving_residual.csv lists them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.lazy import pd
from rackecon.performance.families import engine_family
from rackecon.words import RUNS

ASKED: Final = ("accelerator", "model", "isl_tokens", "osl_tokens", "tok_s_per_user")
"""Columns of an evaluated row that say what was asked."""
KINDS = ("known", "new pair", "new model", "new accelerator", "new both")
"""This model on this platform; each elsewhere; the platform with other models; the model on others; neither."""

ALSO_NEW: Final = ("new engine", "new lengths")
SLACK = 0.25  # of an octave: draws of 80 to 100 % of a nominal length are the same length


@dataclass(frozen=True)
class Novelty:
    """How far a question lies from the rows of the fit."""

    kind: str  # of KINDS
    rows: int  # of the fit on this platform with this model
    engine_new: bool  # no row of the platform with this engine
    lengths_beyond: float  # octaves outside the lengths of the platform and model, or of all rows where there are none
    load_beyond: float  # octaves outside the loads per GPU

    def words(self) -> str:
        """The same as one sentence.

        Examples
        --------
        >>> novelty("tpu-v7", "deepseek-r1", "vllm-tpu", 1024, 1024).words()
        'platform without measured rows; engine new there'
        """
        base = {
            "known": f"{self.rows} measured rows of this model on this platform",
            "new pair": "model and platform measured, but not together",
            "new model": "model without measured rows",
            "new accelerator": "platform without measured rows",
            "new both": "neither platform nor model measured",
        }[self.kind]
        parts = [base]
        if self.engine_new:
            parts.append("engine new there")
        if self.lengths_beyond > 0:
            parts.append(f"lengths {2**self.lengths_beyond:.1f} times beyond the measured")
        if self.load_beyond > 0:
            parts.append(f"load {2**self.load_beyond:.1f} times beyond the measured")
        return "; ".join(parts)


@by_data(1, "serving_residual")
def _rows() -> dict[tuple[str, str], list[tuple[str, float, float, float]]]:
    found: dict[tuple[str, str], list[tuple[str, float, float, float]]] = {}
    for row in catalog.read_rows("serving_residual"):
        if row["kind"] != "measured":
            continue
        values = (row["engine"], float(row["log2_isl"]), float(row["log2_osl"]), float(row["log2_load"]))
        found.setdefault((row["accelerator"], row["model"]), []).append(values)
    return found


@by_data(1, "serving_residual")
def _spans() -> dict[tuple[str, str], tuple[FloatArray, FloatArray]]:
    """Least and most of log input, output and load of each pair's rows; of all rows under two empty names."""
    rows = {pair: np.array([row[1:] for row in found]) for pair, found in _rows().items()}
    every = {**rows, ("", ""): np.concatenate(list(rows.values()))}
    return {pair: (values.min(axis=0), values.max(axis=0)) for pair, values in every.items()}


@by_data(1, "serving_residual")
def _engines() -> dict[str, frozenset[str]]:
    """Families of engines that ran on each platform."""
    found: dict[str, set[str]] = {}
    for (accelerator, _), rows in _rows().items():
        found.setdefault(accelerator, set()).update(row[0] for row in rows)
    return {accelerator: frozenset(names) for accelerator, names in found.items()}


def fitted_pairs() -> frozenset[tuple[str, str]]:
    """Accelerators and models that the fit has seen together.

    Examples
    --------
    >>> ("mi355x", "deepseek-r1") in fitted_pairs(), ("mi355x", "minimax-m2.5") in fitted_pairs()
    (True, False)
    """
    return frozenset(_rows())


def measured_platforms() -> frozenset[str]:
    """Accelerators that the fit has seen a run of, with whatever model.

    Examples
    --------
    >>> "mi355x" in measured_platforms(), "tpu-v7" in measured_platforms()
    (True, False)
    """
    return frozenset(chip for chip, _ in fitted_pairs())


UNSEEN: Final = "unmeasured"
"""What stands in brackets behind the name of a platform that the fit has seen no run of."""


def unseen_labels() -> frozenset[str]:
    """Names of the platforms that the fit has seen no run of.

    Examples
    --------
    >>> "TPU v7" in unseen_labels(), "B200" in unseen_labels()
    (True, False)
    """
    return frozenset(chip.label for chip in catalog.accelerators().values() if chip.id not in measured_platforms())


def kind_of(accelerator: str, model: str) -> str:
    """Which of :data:`KINDS` a platform and a model are."""
    pairs = fitted_pairs()
    if (accelerator, model) in pairs:
        return "known"
    models = {m for _, m in pairs}
    if accelerator in measured_platforms():
        return "new pair" if model in models else "new model"
    return "new accelerator" if model in models else "new both"


def novelty(
    accelerator: str,
    model: str,
    engine: str,
    isl_tokens: float,
    osl_tokens: float,
    load_per_gpu: float | None = None,
) -> Novelty:
    """What is new about a question.

    Parameters
    ----------
    accelerator, model, engine : str
        Ids and serving engine.
    isl_tokens, osl_tokens : float
        Mean lengths [tokens].
    load_per_gpu : float, optional
        Requests in flight per GPU.

    Examples
    --------
    >>> novelty("b200-hgx", "deepseek-r1", "trtllm", 131072, 1024).lengths_beyond > 3
    True
    """
    kind, spans = kind_of(accelerator, model), _spans()
    least, most = spans.get((accelerator, model), spans["", ""])
    asked = np.log2([isl_tokens, osl_tokens])
    outside = np.maximum(least[:2] - asked, asked - most[:2])
    load = 0.0 if load_per_gpu is None else float(np.log2(load_per_gpu))
    over = 0.0 if load_per_gpu is None else max(least[2] - load, load - most[2], 0.0)
    family = engine_family(engine, catalog.accelerator(accelerator).vendor)
    beyond = float(np.maximum(outside.max() - SLACK, 0.0))
    rows = len(_rows().get((accelerator, model), []))
    return Novelty(kind, rows, family not in _engines().get(accelerator, frozenset()), beyond, float(over))


@by_data(4096, "serving_residual")
def also_new(
    accelerator: str, model: str, engine: str = "", isl_tokens: float = 0.0, osl_tokens: float = 0.0
) -> tuple[str, ...]:
    """What is new about a question beside its platform and model: :data:`ALSO_NEW`, as far as it is stated.

    An engine is new where others ran on the platform. Lengths are where they lie outside those of the platform and model,
    or of all rows where there are none.

    Examples
    --------
    >>> also_new("b200-hgx", "deepseek-r1", "trtllm", 8192, 1024), also_new("h200-sxm", "deepseek-r1", "vllm", 131072, 1024)
    ((), ('new engine', 'new lengths'))
    """
    lengths = (isl_tokens, osl_tokens)
    stated = min(lengths) > 0.0
    if not (engine or stated):
        return ()
    found = novelty(accelerator, model, engine, *(lengths if stated else (1024.0, 1024.0)))
    news = (
        engine != "" and found.engine_new and accelerator in measured_platforms(),
        stated and found.lengths_beyond > 0.0,
    )
    return tuple(name for name, new in zip(ALSO_NEW, news, strict=True) if new)


def fastest_measured(accelerator: str, model: str) -> float:
    """Fastest speed that a measured run of a platform and model states [tok/s/user]; 0 where none does.

    Examples
    --------
    >>> fastest_measured("tpu-v7", "deepseek-r1"), fastest_measured("gb200-nvl72", "deepseek-r1") > 100
    (0.0, True)
    """
    runs = _runs().get((accelerator, model))
    return 0.0 if runs is None else float(runs[0][:, 2].max())


def unmeasured(
    accelerator: str, model: str, isl_tokens: float, osl_tokens: float, tok_s_per_user: float | None = None
) -> str:
    """Why nothing measured stands near an answer, in a few words; empty where something does.

    Examples
    --------
    >>> unmeasured("tpu-v7", "deepseek-r1", 8192, 1024), unmeasured("gb200-nvl72", "deepseek-r1", 8192, 1024, 40.0)
    ('unmeasured', '')
    >>> unmeasured("gb200-nvl72", "deepseek-r1", 131072, 1024), unmeasured("gb200-nvl72", "deepseek-r1", 8192, 1024, 900.0)
    ('lengths beyond the measured', 'speed beyond the measured')
    """
    kind = kind_of(accelerator, model)
    if kind != "known":
        return {"new pair": "unmeasured with this model", "new model": "unmeasured model"}.get(kind, UNSEEN)
    least, most = _spans()[accelerator, model]
    asked = np.log2([isl_tokens, osl_tokens])
    if np.maximum(least[:2] - asked, asked - most[:2]).max() > SLACK:
        return "lengths beyond the measured"
    if tok_s_per_user is not None and tok_s_per_user > fastest_measured(accelerator, model):
        return "speed beyond the measured"
    return ""


def named(row: Mapping[Any, Any]) -> str:
    """Platform of an evaluated row, and in brackets what about it was never measured.

    Examples
    --------
    >>> where = {"model": "deepseek-r1", "isl_tokens": 8192, "osl_tokens": 1024, "tok_s_per_user": 40.0}
    >>> named({"platform": "TPU v7", "accelerator": "tpu-v7"} | where), named({"platform": "B200", "accelerator": "b200-hgx"} | where)
    ('TPU v7 (unmeasured)', 'B200')
    """
    if not set(ASKED) <= set(row) or row["model"] != row["model"]:
        return str(row["platform"])
    why = unmeasured(*(row[name] for name in ASKED))
    return f"{row['platform']} ({why})" if why else str(row["platform"])


def platform_named(platform: str) -> str:
    """A platform's name, and in brackets that the fit has seen none of its runs; another word as it is.

    Examples
    --------
    >>> platform_named("tpu-v7"), platform_named("TPU v7"), platform_named("B200"), platform_named("nobody")
    ('TPU v7 (unmeasured)', 'TPU v7 (unmeasured)', 'B200', 'nobody')
    """
    found = next((chip for chip in catalog.accelerators().values() if platform in (chip.id, chip.label)), None)
    if found is None or found.id in measured_platforms():
        return platform if found is None else found.label
    return f"{found.label} ({UNSEEN})"


FACTS: Final = ("date", "kind", "mode", "weight_precision")
"""What is kept of a measured run beside its figures."""


@dataclass(frozen=True)
class Run:
    """A measured run: its rate [tok/s/GPU], which of :data:`rackecon.words.RUNS` it is, its date, its speed [tok/s/user] and format."""

    total_tok_s_per_gpu: float
    kind: str = ""
    date: str = ""
    tok_s_per_user: float = math.nan
    weight_precision: str = ""


@by_data(1, "measured_serving")
def _runs() -> dict[tuple[str, str], tuple[FloatArray, NDArray[np.str_]]]:
    """Lengths, speed, total rate and time to first token [ms] of every measured run of a platform and model; beside them :data:`FACTS`."""
    drafting = {"mtp": RUNS[0], "none": RUNS[1]}
    found: dict[tuple[str, str], list[tuple[list[float], list[str]]]] = {}
    for row in catalog.read_rows("measured_serving"):
        figures = [row[name] for name in ("isl", "osl", "tok_s_per_user", "total_tok_s_per_gpu")]
        if all(text.replace(".", "", 1).isdigit() for text in figures):  # a range of speeds is no speed
            kind = drafting.get(row["speculative"], RUNS[2])
            facts = [row["date"], kind, row["mode"], row["weight_precision"]]
            figures.append(row["ttft_ms"] or "nan")
            found.setdefault((row["accelerator"], row["model"]), []).append(([float(x) for x in figures], facts))
    return {pair: (np.array([n for n, _ in rows]), np.array([w for _, w in rows])) for pair, rows in found.items()}


def best_run(
    accelerator: str,
    model: str,
    isl_tokens: float,
    osl_tokens: float,
    tok_s_per_user: float = 0.0,
    until: str = "9999",
    ttft_limit_ms: float = math.inf,
    **held: str,
) -> Run:
    """Measured run of the highest total rate at about these lengths and at least this speed; NaN where none was.

    Parameters
    ----------
    until : str
        Only runs of this date or before.
    ttft_limit_ms : float
        Only runs whose first token came within this time in the median; all of them without a limit [ms].
    **held
        Only runs of this ``mode``, ``kind`` (of :data:`rackecon.words.RUNS`) or ``weight_precision``.

    Examples
    --------
    >>> best_run("tpu-v7", "deepseek-r1", 8192, 1024).total_tok_s_per_gpu
    nan
    >>> 1000 < best_run("gb200-nvl72", "deepseek-r1", 8192, 1024, 30.0).total_tok_s_per_gpu < 20000
    True
    >>> best_run("gb200-nvl72", "deepseek-r1", 8192, 1024, 30.0, ttft_limit_ms=600.0).total_tok_s_per_gpu < 1000
    True
    """
    rows, facts = _near(accelerator, model, isl_tokens, osl_tokens)
    fits = (rows[:, 2] >= tok_s_per_user) & (facts[:, 0] <= until)
    if math.isfinite(ttft_limit_ms):
        fits &= rows[:, 4] <= ttft_limit_ms
    for name, value in held.items():
        fits &= facts[:, FACTS.index(name)] == value
    if not fits.any():
        return Run(math.nan)
    best = int(np.where(fits, rows[:, 3], -1.0).argmax())
    return _run(rows[best], facts[best])


def _near(accelerator: str, model: str, isl: float, osl: float) -> tuple[FloatArray, NDArray[np.str_]]:
    """Figures and facts of the measured runs at about these lengths."""
    rows, facts = _runs().get((accelerator, model), (np.zeros((0, 5)), np.zeros((0, len(FACTS)), dtype=str)))
    near = (np.abs(np.log2(rows[:, :2]) - np.log2([isl, osl])) <= SLACK).all(axis=1)
    return rows[near], facts[near]


def _run(row: FloatArray, facts: NDArray[np.str_]) -> Run:
    return Run(float(row[3]), str(facts[1]), str(facts[0]), float(row[2]), str(facts[3]))


def front_of_runs(
    accelerator: str,
    model: str,
    isl_tokens: float,
    osl_tokens: float,
    until: str = "9999",
    precision: str | None = None,
    ends: tuple[float, float] = (0.0, math.inf),
) -> list[Run]:
    """Measured runs at about these lengths that no other beats on speed and rate alike, the slowest first.

    Parameters
    ----------
    until : str
        Only runs of this date or before.
    precision : str, optional
        Only runs of this number format.
    ends : tuple of float
        Only runs between these speeds [tok/s/user].

    Examples
    --------
    >>> found = front_of_runs("gb200-nvl72", "deepseek-r1", 8192, 1024)
    >>> found[0] == best_run("gb200-nvl72", "deepseek-r1", 8192, 1024)
    True
    """
    found: list[Run] = []
    runs = [_run(*both) for both in zip(*_near(accelerator, model, isl_tokens, osl_tokens), strict=True)]
    for run in sorted(runs, key=lambda run: (-run.tok_s_per_user, -run.total_tok_s_per_gpu)):
        fits = (
            run.date <= until and precision in (None, run.weight_precision) and ends[0] <= run.tok_s_per_user <= ends[1]
        )
        if fits and (not found or run.total_tok_s_per_gpu > found[-1].total_tok_s_per_gpu):
            found.append(run)
    return found[::-1]


def measured_up_to(accelerator: str, model: str, isl_tokens: float, osl_tokens: float, until: str = "9999") -> float:
    """Speed up to which something measured stands near a platform's answers to these lengths [tok/s/user]; 0 where nothing does.

    Examples
    --------
    >>> measured_up_to("tpu-v7", "deepseek-r1", 8192, 1024), measured_up_to("gb200-nvl72", "deepseek-r1", 131072, 1024)
    (0.0, 0.0)
    """
    dated = until == "9999" or best_run(accelerator, model, isl_tokens, osl_tokens, until=until).kind
    near = not unmeasured(accelerator, model, isl_tokens, osl_tokens)
    return fastest_measured(accelerator, model) if dated and near else 0.0


def best_runs(rows: pd.DataFrame, asked: str | None = None, **held: Any) -> list[Run]:
    """:func:`best_run` for each evaluated row; none where a prefix cache served part of the input.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``measured_model`` names the model whose runs count, ``until`` their last date, ``asked_ttft_ms`` the limit on the
        first token that a run must keep in the median, where there are such columns.
    asked : str, optional
        Column of the speed that a run must keep; without one that of a row's own workload where the catalogue has it, and
        the slowest of the rows elsewhere.
    **held
        As in :func:`best_run`.
    """
    promised = {key: case.promised_tok_s_per_user for key, case in catalog.scenarios().items()}
    slowest, found = float(rows["tok_s_per_user"].min()), []
    for row in rows.to_dict("records"):
        speed = row[asked] if asked else promised.get(str(row.get("scenario"))) or slowest
        case = row["accelerator"], row.get("measured_model", row["model"]), row["isl_tokens"], row["osl_tokens"]
        limits = speed, row.get("until", "9999"), float(row.get("asked_ttft_ms", math.inf))
        found.append(Run(math.nan) if row.get("prefix_cache_hit") else best_run(*case, *limits, **held))
    return found
