"""One question to the serving model: platform, model, workload, limits, what is held and what is left free.

Every default is decided here, once: weight and cache precision, engine, software date, draft depths, loads and the
largest deployment. The fit, a prediction, a search, the command line and the pages all read them from this module.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date as Date
from datetime import timedelta
from typing import Any

import numpy as np

from rackecon.arrays import BoolArray, FloatArray
from rackecon.catalog import Accelerator, Model, Scenario, accelerator, base_case, model
from rackecon.catalog.assumption_table import allowed_values
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import OWN_SOURCE, read_rows
from rackecon.errors import InputError, unknown_name
from rackecon.performance.engine import PRECISION_BITS
from rackecon.performance.families import ENGINES, default_engine
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.tails import tail_factors
from rackecon.units import BITS_PER_BYTE, DAYS_PER_YEAR

MODES = ("aggregated", "disaggregated")
METHODS = ("none", "mtp", "eagle3")
HELD = (
    *("tp", "ep", "pp", "dp_attention", "draft_tokens", "mode", "concurrency", "gpus"),
    *("decode_workers", "decode_gpus", "prefill_workers", "prefill_gpus"),
    *("prefill_tp", "prefill_ep", "prefill_dp_attention"),
)
"""What a search can hold, beside the fields of a query."""
MOST_GPUS = 128
"""Largest deployment that a search tries where no public one of the platform's family is known."""
CONCURRENCY = np.array(sorted({round(2.0**step) for step in np.arange(0.0, 12.01, 0.25)}), dtype=float)
"""Requests in flight per attention rank that a search tries: whole numbers, from 8 up a quarter octave apart.

What a layout yields grows no faster than its load (by Little's law: a sequence of a fuller batch lives longer), so a load
between two of them holds at most 19 % more than the lower one (twice as much between 1 and 2). Measured with four times as
many loads on the best points of seven platforms, two models and five workloads: median 0.5 %, nine in ten below 3.5 %, at
most 14 %. Some of it lies in pools whose prefill is nearly full and that no first-token limit holds back: what waits doubles
while a few requests more run. Why loads are not finer: CONTRIBUTING.md, How fine a search is.
"""
DRAFTS = (0.0, 1.0, 2.0, 3.0)
"""Draft depths that a search tries [tokens]."""
LIMIT_SLACK = 1e-9
SPARE = (1.0, 0.25)
"""Times to first token that prefill pools are sized for, as shares of the limit: on it, and with room to spare."""
CONTEXT_ROOM = 1.05
"""Share of the context a model was made for that lengths may reach: means of draws, not the longest."""
YEARS_BEYOND = 2
"""Years around the measured dates in which the software history may be asked for."""
TOKENLESS = "an embedding or a reranker costs its prompt: ask for 1"
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:T.*|\s.*)?$")


def default_weight_precision(chip: Accelerator, arch: Model) -> str:
    """The usual weight precision: the model's own 4-bit weights, else the narrowest format the chip computes in.

    A checkpoint that a user added runs as its files store it; one of whole numbers does on a chip without FP4 arithmetic,
    which could only widen FP4 weights of a conversion.

    Examples
    --------
    >>> [default_weight_precision(accelerator(x), model("kimi-k2.5")) for x in ("h200-sxm", "b200-hgx")]
    ['int4', 'fp4']
    """
    whole = arch.native_precision == "int4" and not math.isfinite(chip.peak_fp4_flops)
    if whole or (arch.source_id == OWN_SOURCE and arch.native_precision != "bf16"):
        return arch.native_precision
    if arch.native_expert_bits < BITS_PER_BYTE or math.isfinite(chip.peak_fp4_flops):
        return "fp4"
    return "fp8" if math.isfinite(chip.peak_fp8_flops) else "bf16"


def default_kv_precision(chip: Accelerator, arch: Model, weight_precision: str, engine: str | None = None) -> str:
    """Cache precision where none is named: 8 bits under 8- and 4-bit weights, 16 bits in three cases.

    Parameters
    ----------
    weight_precision : str
        bf16, fp8, fp4 or int4.
    engine : str, optional
        Serving engine; the platform's usual for one engine by default.

    Notes
    -----
    From the launch scripts of the public benchmark that most measured rows come from (github.com/SemiAnalysisAI/InferenceX,
    commit 843c625 of 2026-08-21, ``benchmarks/``), where a cache without a stated type has that of the activations:
    TensorRT-LLM, ATOM and vLLM under 8- and 4-bit weights on Blackwell and CDNA4 state fp8. No type, hence 16 bits, have
    INT4 weights on every chip (kimik2.5_int4_*), gpt-oss on chips without 4-bit arithmetic (gptoss_fp4_h100, _h200,
    _mi300x, _mi325x; _h200_trt says ``auto``), and SGLang's latent attention on Hopper (dsr1_fp8_h200, glm5_fp8_h200).
    Read at one commit; earlier ones were not looked at, and no script exists for TPU, which counts as a chip without 4-bit arithmetic.

    Examples
    --------
    >>> chips, gpt = [accelerator(x) for x in ("h200-sxm", "b200-hgx")], model("gpt-oss-120b")
    >>> [default_kv_precision(chip, gpt, "fp4") for chip in chips]
    ['bf16', 'fp8']
    """
    if arch.source_id == OWN_SOURCE and arch.native_cache and weight_precision == arch.native_precision:
        return arch.native_cache
    if weight_precision not in ("fp8", "fp4"):
        return "bf16"
    four_bit = math.isfinite(chip.peak_fp4_flops)
    if weight_precision == "fp4" and not four_bit and arch.native_expert_bits < BITS_PER_BYTE:
        return "bf16"
    if arch.is_mla and chip.family == "hopper" and "sglang" in (engine or default_engine(chip)):
        return "bf16"
    return "fp8"


def largest_public(chip: Accelerator) -> int:
    """GPUs of the largest measured deployment of a platform's family and kind of domain: as far as a search goes by itself.

    Notes
    -----
    Experts over 96 H100 and more are published at one speed each (DeepSeek's day, LMSYS), with no sweep: they are searched
    where ``max_gpus`` asks for them.

    Examples
    --------
    >>> [largest_public(accelerator(x)) for x in ("mi355x", "h200-sxm", "gb200-nvl72", "tpu-v7")]
    [24, 64, 72, 128]
    """
    return max(_split_sizes().get((chip.family, chip.rack_scale), [MOST_GPUS]))


def smallest_split(chip: Accelerator) -> float:
    """GPUs of the smallest measured deployment of prefill and decode pools on a platform's family and kind of domain.

    Infinite where none was measured.

    Examples
    --------
    >>> [smallest_split(accelerator(x)) for x in ("mi355x", "b200-hgx", "tpu-v7")]
    [12, 12, inf]
    """
    return min(_split_sizes().get((chip.family, chip.rack_scale), [math.inf]))


@by_data(1, "measured_serving", "accelerators")
def _split_sizes() -> dict[tuple[str, bool], list[int]]:
    found: dict[tuple[str, bool], list[int]] = {}
    for row in read_rows("measured_serving"):
        if row["mode"] == "disaggregated" and row["gpus"]:
            chip = accelerator(row["accelerator"])
            key = chip.family, chip.rack_scale
            found.setdefault(key, []).append(int(float(row["gpus"])))
    return found


def default_date(chip: Accelerator) -> str:
    """ISO date of the software where none is named: the newest measurement of the platform's family.

    Never after the base case's date, and the newest of all where the family has none. What software gains after its last
    measurement is an extrapolation, to be asked for by its date.

    Examples
    --------
    >>> [default_date(accelerator(x)) for x in ("mi355x", "h100-sxm", "tpu-v7")]
    ['2026-06-11', '2026-05-22', '2026-06-12']
    """
    newest = _newest()
    return min(base_case().as_of_date, newest.get(chip.family, newest[""]))


def newest_measurement() -> str:
    """ISO date of the newest measurement of all that has its layout."""
    return _newest()[""]


@by_data(1, "measured_serving", "accelerators")
def _newest() -> dict[str, str]:
    """Newest date of a measurement with its layout, by chip family; of all under the empty name."""
    found: dict[str, str] = {}
    for row in read_rows("measured_serving"):
        if row["mode"] in ("aggregated", "disaggregated"):
            found[row["accelerator"]] = max(found.get(row["accelerator"], ""), row["date"])
    each = [(accelerator(name).family, date) for name, date in found.items() if date]
    every = {"": max((date for _, date in each), default="")} if each else {}
    return every | {family: max(date for other, date in each if other == family) for family, _ in each}


def software_date(years: float) -> str:
    """ISO date a number of years from 1 January 2026: the other way round of :func:`software_years`.

    Examples
    --------
    >>> software_date(software_years("2025-12-31"))
    '2025-12-31'
    """
    return (Date(2026, 1, 1) + timedelta(days=round(years * DAYS_PER_YEAR))).isoformat()


def years_beyond(chip: Accelerator, date: str) -> float:
    """How far a software date lies after the newest measurement of the platform's family [years]; 0 up to it.

    Examples
    --------
    >>> round(years_beyond(accelerator("mi355x"), "2026-11-23"), 2)
    0.45
    """
    return max(software_years(date) - software_years(default_date(chip)), 0.0)


def _day(text: str) -> Date:
    found = _DATE.match(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        return Date(int(found[1]), int(found[2] or 7), int(found[3] or (15 if found[2] else 1)))
    except ValueError:
        raise InputError(f"date '{text}' is not an ISO date such as 2026-11-23") from None


def _shifted(day: Date, years: int) -> Date:
    return day.replace(year=day.year + years, day=min(day.day, 28))


@by_data(1, "measured_serving")
def _span() -> tuple[Date, Date]:
    days = [_day(row["date"]) for row in read_rows("measured_serving") if row["date"]]
    return _shifted(min(days), -YEARS_BEYOND), _shifted(max(days), YEARS_BEYOND)


def software_years(text: str) -> float:
    """Years from 1 January 2026 to an ISO date, negative before; a month or a year alone stands for its middle.

    Raises
    ------
    InputError
        Not a date, or more than two years outside the dates of the measurements, where no software history is known.

    Examples
    --------
    >>> software_years("2026-07-02")
    0.498
    """
    day = _day(text)
    first, last = _span()
    if not first <= day <= last:
        raise InputError(
            f"date '{text}' is out of range: the measurements that the software history comes from "
            f"allow {first.isoformat()} to {last.isoformat()}"
        )
    return (day - Date(2026, 1, 1)).days / DAYS_PER_YEAR


@dataclass(frozen=True)
class Limits:
    """Latency limits [ms], and the factors from the medians of a front to the statistic that they bind."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    ttft_tail: float = 1.0
    tpot_tail: float = 1.0

    @classmethod
    def checked(
        cls, ttft_ms: float | None, tpot_ms: float | None, statistic: str, parameters: ServingParameters | None
    ) -> Limits:
        """Limits that are positive, of a statistic that is known."""
        tpot_tail, ttft_tail = tail_factors(statistic, parameters)
        for name, limit in (("ttft_limit_ms", ttft_ms), ("tpot_limit_ms", tpot_ms)):
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                raise InputError(f"{name} {limit:g} is out of range: needs a positive number of milliseconds")
        return cls(ttft_ms, tpot_ms, ttft_tail, tpot_tail)

    @classmethod
    def of_case(cls, case: Scenario) -> Limits:
        """The limits of a scenario."""
        return cls.checked(case.ttft_limit_ms, case.tpot_limit_ms, case.latency_statistic, None)

    @property
    def least_tok_s_per_user(self) -> float:
        """Median speed below which the limit is missed [tok/s]; 0 without one."""
        return 0.0 if self.tpot_ms is None else 1e3 * self.tpot_tail / self.tpot_ms

    @property
    def latest_ttft_ms(self) -> float:
        """Median time to first token above which the limit is missed [ms]; infinite without one."""
        return math.inf if self.ttft_ms is None else self.ttft_ms / self.ttft_tail

    def excess(self, tpot_ms: FloatArray, ttft_ms: FloatArray) -> FloatArray:
        """How far medians exceed the worse limit, as a ratio: at most 1 keeps both.

        Examples
        --------
        >>> Limits(ttft_ms=1000.0, tpot_ms=20.0, tpot_tail=1.1).excess(np.array([10.0, 20.0]), np.array([500.0, 2000.0])).tolist()
        [0.55, 2.0]
        """
        return excess(self.least_tok_s_per_user, self.latest_ttft_ms, tpot_ms, ttft_ms)

    def keeps(self, tpot_ms: FloatArray, ttft_ms: FloatArray) -> BoolArray:
        """Whether medians keep the limits."""
        return np.asarray(self.excess(tpot_ms, ttft_ms) <= 1.0 + LIMIT_SLACK)


def excess(least_tok_s_per_user: Any, latest_ttft_ms: Any, tpot_ms: FloatArray, ttft_ms: FloatArray) -> FloatArray:
    """:meth:`Limits.excess` of one pair of medians that keep the limits, or of a pair for each row."""
    slow = np.asarray(tpot_ms) * (least_tok_s_per_user / 1e3)
    return np.asarray(np.maximum(slow, np.asarray(ttft_ms) / latest_ttft_ms))


@dataclass(frozen=True, kw_only=True)
class Query:
    """A checked question; :meth:`of` makes one of what a caller gives.

    Examples
    --------
    >>> asked = Query.of("h200-sxm", "gpt-oss-120b", 1024, 1024, tpot_limit_ms=20.0)
    >>> asked.weight, asked.engine_of("disaggregated"), asked.kv_of("aggregated")
    ('fp4', 'dynamo-trtllm', 'bf16')
    """

    chip: Accelerator
    arch: Model
    isl_tokens: float
    osl_tokens: float
    prefix_cache_hit: float
    limits: Limits
    weight: str
    kv: str | None  # None: the usual of each mode's engine
    engine: str | None  # None: the usual of each mode
    date: str
    years: float  # of the software, since the start of 2026
    mode: str | None
    most_gpus: int
    speculative: str | None
    parameters: ServingParameters
    held: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        accelerator_id: str,
        model_id: str | Model,
        isl_tokens: float,
        osl_tokens: float,
        *,
        hold: Mapping[str, object] | None = None,
        parameters: ServingParameters | None = None,
        **options: Any,
    ) -> Query:
        """A query of the arguments of :func:`rackecon.serving.frontier.search`, with what they leave open filled in.

        Raises
        ------
        InputError
            Unknown name, or a value out of range.
        """
        given = {name: options.pop(name, None) for name in _OPTIONS}
        if options:
            raise unknown_name("option of a search", next(iter(options)), _OPTIONS)
        chip = accelerator(accelerator_id)
        arch = model_id if isinstance(model_id, Model) else model(model_id)
        hit = float(given["prefix_cache_hit"] or 0.0)
        weight = given["weight_precision"] or default_weight_precision(chip, arch)
        held = {name: value for name, value in (hold or {}).items() if value is not None}
        _check_work(arch, float(isl_tokens), float(osl_tokens), hit)
        for kind, text, allowed in (
            ("mode", given["mode"], MODES),
            ("mode", held.get("mode"), MODES),
            ("speculative", given["speculative"], METHODS),
            ("weight_precision", weight, tuple(PRECISION_BITS)),
            ("kv_precision", given["kv_precision"], tuple(PRECISION_BITS)),
            ("engine", given["engine"], ENGINES),
            *(("held quantity", name, HELD) for name in held),
        ):
            if text is not None and text not in allowed:
                raise unknown_name(kind, str(text), allowed)
        if given["max_gpus"] is not None and (fault := allowed_values()["max_gpus"].fault(given["max_gpus"])):
            raise InputError(fault)
        date = given["date"] or default_date(chip)
        return cls(
            chip=chip,
            arch=arch,
            isl_tokens=float(isl_tokens),
            osl_tokens=float(osl_tokens),
            prefix_cache_hit=hit,
            limits=Limits.checked(
                given["ttft_limit_ms"], given["tpot_limit_ms"], given["latency_statistic"] or "median", parameters
            ),
            weight=weight,
            kv=given["kv_precision"],
            engine=given["engine"],
            date=date,
            years=software_years(date),
            mode=str(given["mode"] or held["mode"]) if given["mode"] or held.get("mode") else None,
            most_gpus=int(given["max_gpus"] or largest_public(chip)),
            speculative=given["speculative"],
            parameters=parameters or load_parameters(),
            held=held,
        )

    @classmethod
    def of_case(cls, accelerator_id: str, model_id: str | Model, case: Scenario, **options: Any) -> Query:
        """The question that a scenario puts: its lengths, cache hit, limits and their statistic, and further options."""
        return cls.of(accelerator_id, model_id, case.isl_tokens, case.osl_tokens, **{**case_options(case), **options})

    def at(self, isl_tokens: float, osl_tokens: float, prefix_cache_hit: float = 0.0) -> Query:
        """The same question of other lengths and cache hit; refused as by :meth:`of`."""
        _check_work(self.arch, float(isl_tokens), float(osl_tokens), hit := float(prefix_cache_hit))
        return replace(self, isl_tokens=float(isl_tokens), osl_tokens=float(osl_tokens), prefix_cache_hit=hit)

    @property
    def space(self) -> tuple[Any, ...]:
        """What decides, with the date, which candidates there are."""
        given = (self.chip, self.arch, self.weight, self.kv, self.engine, self.mode, self.most_gpus, self.speculative)
        return (*given, id(self.parameters), tuple(sorted(self.held.items())))

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes to search."""
        if self.mode is None and any(name.startswith(("decode_", "prefill_")) for name in self.held):
            return MODES[1:]
        return MODES if self.mode is None else (self.mode,)

    def engine_of(self, mode: str) -> str:
        """Serving engine of a mode: the one given, or the platform's usual."""
        return self.engine if self.engine is not None else default_engine(self.chip, mode)

    def kv_of(self, mode: str) -> str:
        """Cache precision of a mode: the one given, or the usual of its engine."""
        return self.kv or default_kv_precision(self.chip, self.arch, self.weight, self.engine_of(mode))


_OPTIONS = (
    "prefix_cache_hit",
    "weight_precision",
    "kv_precision",
    "ttft_limit_ms",
    "tpot_limit_ms",
    "latency_statistic",
    "mode",
    "engine",
    "date",
    "max_gpus",
    "speculative",
)


def case_options(case: Scenario) -> dict[str, Any]:
    """What a scenario says of a search beside its lengths."""
    names = ("prefix_cache_hit", "ttft_limit_ms", "tpot_limit_ms", "latency_statistic")
    own = {"weight_precision": case.weight_precision, "date": case.software_date}
    return {name: getattr(case, name) for name in names} | {name: value for name, value in own.items() if value}


def _check_work(arch: Model, isl_tokens: float, osl_tokens: float, hit: float) -> None:
    for name, value in (("isl_tokens", isl_tokens), ("osl_tokens", osl_tokens)):
        if not (math.isfinite(value) and value >= 1):
            hint = f"; {TOKENLESS}" if value == 0 and name == "osl_tokens" else ""
            raise InputError(f"{name} {value:g} is out of range: needs at least 1 token{hint}")
    if not 0.0 <= hit < 1.0:
        raise InputError(f"prefix_cache_hit {hit:g} is out of range: needs 0 to below 1")
    if fault := context_fault(arch, isl_tokens + osl_tokens):
        raise InputError(fault)


def context_fault(arch: Model, tokens: float) -> str:
    """Why a model cannot hold a context, in one line; empty where it can.

    Examples
    --------
    >>> context_fault(model("deepseek-r1"), 1_048_576), context_fault(model("deepseek-r1"), 9216)
    ('1,048,576 tokens exceed the 163,840 that deepseek-r1 was made for', '')
    """
    longest = arch.max_context_tokens
    if longest and tokens > CONTEXT_ROOM * longest:
        told = f"{tokens:,.0f}" if tokens < 1e12 else f"{tokens:.6g}"
        return f"{told} tokens exceed the {longest:,} that {arch.id} was made for"
    return ""
