"""Our step times beside another model's: golden numbers of aiconfigurator-core, kept in data/crosscheck_steps.csv.

The peer sums interpolated kernel measurements; ours is calibrated on serving measurements. Nothing is fitted to this
table. Compared is the step itself: operators and host time at the software date of the row, without the corrections
that serving predictions carry for what is left over in measured deployments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog import accelerators, models
from rackecon.catalog.cached import one_state
from rackecon.catalog.fields import rows_of
from rackecon.errors import InputError, check_known
from rackecon.evidence import ablation
from rackecon.lazy import pd
from rackecon.performance.engine import PRECISION_BITS, Engine, build_engine
from rackecon.performance.families import ENGINES, engine_family
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.performance.step import decode_step, prefill_pass
from rackecon.serving.closed_loop import context_tokens
from rackecon.serving.query import software_years
from rackecon.units import MS_PER_S

TABLE = "crosscheck_steps"
KINDS = ("decode", "mixed", "prefill")
PARTS = ("attention", "feed_forward", "rest")
ADD_UP = 2e-3  # the table keeps five digits
# Operators of our step in the peer's groups; its network time lies inside the feed-forward of some models
OURS = {
    "attention": ("attention_weights", "kv"),
    "feed_forward": ("dense", "experts", "network"),
    "rest": ("head", "fixed"),
}
GROUPS = ("work", "chips", "stack", "attention")  # within which a cause of a difference is sought
SLICES = ("kind", "family", "accelerator", "model", "weight_precision", "engine", "attention")


@dataclass(frozen=True)
class Step:
    """One step of one engine: its configuration, the peer's settings, the peer's time [ms] with its parts."""

    step_id: str
    kind: str
    accelerator: str
    model: str
    engine: str
    weight_precision: str
    kv_precision: str
    tp: int
    ep: int
    dp_attention: bool
    sequences: int
    isl: int
    osl: int
    chunk_tokens: int
    gemm_mode: str
    moe_mode: str
    cache_mode: str
    attention_mode: str
    step_ms: float
    parts_ms: tuple[float, ...]
    package: str
    date: str

    @property
    def ranks(self) -> int:
        """Data-parallel attention ranks."""
        return self.tp if self.dp_attention else 1

    @property
    def label(self) -> str:
        """The step in words."""
        load = {
            "decode": f"{self.sequences} sequences after {self.isl} tokens",
            "prefill": f"prompt of {self.isl} tokens",
            "mixed": f"{self.sequences} sequences and {self.chunk_tokens} of {self.isl} prompt tokens",
        }[self.kind]
        layout = f"TP{self.tp}" + (f" EP{self.ep}" if self.ep > 1 else "") + (" DP" if self.dp_attention else "")
        return f"{self.kind}, {self.weight_precision}, {self.engine}, {layout}, {load}"


@one_state()
def load_steps() -> list[Step]:
    """The golden steps of data/crosscheck_steps.csv, checked.

    Raises
    ------
    InputError
        The first row that cannot be true: an unknown name, a load that its kind does not have, a time that is not
        positive, parts that do not add up to the step, or a step given twice.

    Examples
    --------
    >>> len({step.accelerator for step in load_steps()})
    4
    """
    out: list[Step] = []
    seen: dict[str, int] = {}
    for line, row in enumerate(rows_of(TABLE), start=2):
        step = Step(
            **row.fields_of(Step, "step_ms", "parts_ms"),
            step_ms=row.number("golden_step_ms"),
            parts_ms=tuple(row.number(f"golden_{name}_ms") for name in PARTS),
        )
        if step.step_id in seen:
            raise InputError(f"{row.where}: step_id '{step.step_id}' is also in row {seen[step.step_id]}")
        seen[step.step_id] = line
        _check(step, row.where)
        out.append(step)
    return out


def _check(step: Step, where: str) -> None:
    for name, value, allowed in (
        ("kind", step.kind, KINDS),
        ("accelerator", step.accelerator, accelerators()),
        ("model", step.model, models()),
        ("engine", step.engine, ENGINES),
        ("weight_precision", step.weight_precision, PRECISION_BITS),
        ("kv_precision", step.kv_precision, PRECISION_BITS),
    ):
        check_known(name, value, allowed, where)
    if not (math.isfinite(step.step_ms) and step.step_ms > 0):
        raise InputError(f"{where} column 'golden_step_ms': {step.step_ms:g} is out of range; needs a positive number")
    decodes, chunk = step.kind != "prefill", step.kind != "decode"
    for column, count, wanted in (("sequences", step.sequences, decodes), ("chunk_tokens", step.chunk_tokens, chunk)):
        if (count > 0) != wanted:
            needed = "a positive number" if wanted else "0"
            raise InputError(f"{where} column '{column}': {count} in a {step.kind} step; needs {needed}")
    if step.tp < 1 or step.ep < 1 or step.tp % step.ep or step.sequences % step.ranks or step.isl < 1:
        raise InputError(f"{where}: tp, ep, sequences and isl must be positive, and divide each other where they share")
    if step.kind == "decode" and not math.isclose(sum(step.parts_ms), step.step_ms, rel_tol=ADD_UP):
        total = sum(step.parts_ms)
        raise InputError(f"{where}: parts add up to {total:g} ms, golden_step_ms is {step.step_ms:g}")


def _engine(steps: Sequence[Step], used: ServingParameters) -> Engine:
    known_a, known_m = accelerators(), models()
    return build_engine(
        [known_a[step.accelerator] for step in steps],
        [known_m[step.model] for step in steps],
        [step.weight_precision for step in steps],
        [step.kv_precision for step in steps],
        [step.engine for step in steps],
        ["aggregated"] * len(steps),
        np.array([float(step.tp) for step in steps]),
        np.array([float(step.ep) for step in steps]),
        np.ones(len(steps)),
        np.array([step.dp_attention for step in steps]),
        {name: i for i, name in enumerate(used.names)},
    )


def _decode(steps: Sequence[Step], used: ServingParameters) -> tuple[Engine, Any, FloatArray]:
    """Engine arrays, the decode step of each row, and the software factor to ms."""
    engine, v = _engine(steps, used), used.values()
    running = np.array([float(max(step.sequences, 1)) for step in steps])
    context = context_tokens(*(np.array([float(getattr(step, name)) for step in steps]) for name in ("isl", "osl")))
    years = np.array([software_years(step.date) for step in steps])
    scale = MS_PER_S * np.exp(-v[engine.keys["trend"]] * years)
    return engine, decode_step(engine, v, running, np.ones(len(steps)), context), scale


def our_step_ms(steps: Sequence[Step], parameters: ServingParameters | None = None) -> FloatArray:
    """Our time of each step [ms].

    Notes
    -----
    Prefill: one prompt on each data-parallel rank. Mixed: a decode step, and the share of the prompt's prefill that
    stalls running decodes (as the closed loop charges it), :math:`t = t_{decode} + m\\,t_{prefill}\\,c/I` for ``c`` of
    ``I`` prompt tokens a rank.
    """
    if not steps:
        return np.zeros(0)
    used = parameters or load_parameters()
    engine, step, scale = _decode(steps, used)
    v, isl = used.values(), np.array([float(step.isl) for step in steps])
    one = np.ones(len(steps))
    prefill, _ = prefill_pass(engine, v, isl, 0.0 * one, one)
    share = np.array([step.chunk_tokens / step.isl for step in steps])
    mixed = step.total + v[engine.keys["mix"]] * prefill * share
    kind = np.array([step.kind for step in steps])
    out = np.where(kind == "decode", step.total, np.where(kind == "prefill", prefill, mixed))
    return np.asarray(out * scale)


@one_state()
def compare(steps: Sequence[Step] | None = None, parameters: ServingParameters | None = None) -> pd.DataFrame:
    """Each golden step with our time and the log of ours over theirs.

    Parameters
    ----------
    steps : sequence of Step, optional
        Those of the table by default.
    parameters : ServingParameters, optional
        The shipped ones by default.

    Returns
    -------
    pandas.DataFrame
        ``step_id``, the slices of :func:`summary`, ``label``, ``golden_ms``, ``our_ms``, ``log_ratio``.
    """
    rows = list(load_steps() if steps is None else steps)
    ours, known, chips = our_step_ms(rows, parameters), models(), accelerators()
    frame = pd.DataFrame(
        {
            "step_id": [step.step_id for step in rows],
            "kind": [step.kind for step in rows],
            "family": ["MoE" if known[step.model].is_moe else "dense" for step in rows],
            "accelerator": [step.accelerator for step in rows],
            "model": [step.model for step in rows],
            "weight_precision": [step.weight_precision for step in rows],
            "engine": [step.engine for step in rows],
            "work": ["decode" if step.kind == "decode" else "prompts" for step in rows],
            "chips": [chips[step.accelerator].family for step in rows],
            "stack": [
                "trt" if engine_family(step.engine, chips[step.accelerator].vendor) == "trt" else "open"
                for step in rows
            ],
            "attention": ["data-parallel" if step.dp_attention else "tensor-parallel" for step in rows],
            "sequences": [step.sequences for step in rows],
            "label": [step.label for step in rows],
            "golden_ms": [step.step_ms for step in rows],
            "our_ms": ours,
        }
    )
    frame["log_ratio"] = np.log(frame["our_ms"] / frame["golden_ms"])
    return frame


def summary(compared: pd.DataFrame, by: Sequence[str] = SLICES) -> pd.DataFrame:
    """How far apart the two models are, over all steps and by slice.

    Parameters
    ----------
    compared : pandas.DataFrame
        From :func:`compare`.
    by : sequence of str
        Its columns to slice by.

    Returns
    -------
    pandas.DataFrame
        ``by``, ``slice``, ``steps``, ``median_abs_log`` and ``p90_abs_log`` of |log ours/theirs|, ``bias_log`` (median
        of the log: positive where ours is slower).
    """
    groups = [("all", "all steps", compared)]
    groups += [(name, str(value), part) for name in by for value, part in compared.groupby(name, sort=True)]
    rows = []
    for name, value, part in groups:
        off = part["log_ratio"].to_numpy(dtype=float)
        size = np.abs(off)
        rows.append((name, value, len(off), np.median(size), np.quantile(size, 0.9), np.median(off)))
    return pd.DataFrame(rows, columns=["by", "slice", "steps", "median_abs_log", "p90_abs_log", "bias_log"])


def worst(compared: pd.DataFrame, count: int = 8) -> pd.DataFrame:
    """Steps on which the two models differ most, the largest first."""
    order = compared.assign(off=compared["log_ratio"].abs())
    return order.sort_values(["off", "step_id"], ascending=[False, True], kind="stable").head(count).drop(columns="off")


@one_state()
def decode_parts(steps: Sequence[Step] | None = None) -> pd.DataFrame:
    """Decode steps taken apart: our time and theirs of attention, of the feed-forward with its network, and of the rest.

    Returns
    -------
    pandas.DataFrame
        ``step_id``, ``model``, ``engine``, ``sequences``, ``part``, ``golden_ms``, ``our_ms``.
    """
    rows = [step for step in (load_steps() if steps is None else steps) if step.kind == "decode"]
    _, found, scale = _decode(rows, load_parameters())
    ours: Mapping[str, FloatArray] = {
        part: np.asarray(sum(getattr(found, name) for name in names) * scale) for part, names in OURS.items()
    }
    parts = [
        (step.step_id, step.model, step.engine, step.sequences, part, step.parts_ms[k], float(ours[part][i]))
        for i, step in enumerate(rows)
        for k, part in enumerate(PARTS)
    ]
    return pd.DataFrame(parts, columns=["step_id", "model", "engine", "sequences", "part", "golden_ms", "our_ms"])


def _plain_prompts(parameters: ServingParameters) -> ServingParameters:
    """Prompts at the speed of the kernels: the factors that measured deployments gave them at 1."""
    items = tuple(
        replace(item, value=1.0) if item.name.split(".")[0] in ("prefill", "wide_prefill") else item
        for item in parameters.parameters
    )
    return replace(parameters, parameters=items)


TAKEN_AWAY = ("no activations through memory", "no host and launch time", "no rank imbalance", "no software history")
CHANGES = {
    "prompts at kernel speed": _plain_prompts,
    **{name: ablation.PARTS[name] for name in TAKEN_AWAY},
}


@one_state()
def causes(steps: Sequence[Step] | None = None) -> pd.DataFrame:
    """What of our model makes it differ: the bias of each group of steps, and with one part of ours changed.

    Returns
    -------
    pandas.DataFrame
        ``work`` (decode, prompts), ``chips`` (generation), ``stack`` (trt, open), ``attention``, ``steps``, ``as it is``
        (median of log ours/theirs) and one column for each change; nothing is refitted. Largest difference first.
    """
    rows, used = list(load_steps() if steps is None else steps), load_parameters()
    found = {"as it is": compare(rows, used)}
    found |= {name: compare(rows, change(used)) for name, change in CHANGES.items()}
    out = found["as it is"].groupby(list(GROUPS)).size().rename("steps").to_frame()
    for name, compared in found.items():
        out[name] = compared.groupby(list(GROUPS))["log_ratio"].median()
    order = out["as it is"].abs().sort_values(ascending=False, kind="stable").index
    return out.loc[order].reset_index()


@one_state()
def peer_falls(steps: Sequence[Step] | None = None) -> list[tuple[Step, Step]]:
    """Neighbouring decode loads of one configuration where the peer's step gets shorter with more sequences.

    No engine does that; such a pair is an artefact of the peer's tables.
    """

    def curve(step: Step) -> tuple[str, ...]:
        layout = (step.tp, step.ep, step.dp_attention, step.weight_precision, step.isl, step.osl)
        return (step.accelerator, step.model, step.engine, *(str(x) for x in layout))

    rows = [step for step in (load_steps() if steps is None else steps) if step.kind == "decode"]
    rows.sort(key=lambda step: (curve(step), step.sequences))
    pairs = [pair for _, group in groupby(rows, key=curve) for pair in pairwise(group)]
    return [(a, b) for a, b in pairs if b.step_ms < a.step_ms]
