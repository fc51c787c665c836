"""Ask aiconfigurator-core for the golden step times again: the optional extra ``crosscheck``, never needed at run time."""

from __future__ import annotations

import csv
import importlib
import importlib.metadata
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rackecon.catalog.paths import table_path
from rackecon.catalog.written import csv_text, write_file
from rackecon.errors import InputError
from rackecon.evidence.crosscheck import PARTS, TABLE, Step, load_steps

PACKAGE = "aiconfigurator-core"
MODULE = "aiconfigurator_core.sdk.engine"
SYSTEMS = {"h100-sxm": "h100_sxm", "h200-sxm": "h200_sxm", "b200-hgx": "b200_sxm", "gb200-nvl72": "gb200"}
CHECKPOINTS = {
    "llama-3.1-8b": "meta-llama/Meta-Llama-3.1-8B",
    "llama-3.1-70b": "meta-llama/Meta-Llama-3.1-70B",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "deepseek-r1": "deepseek-ai/DeepSeek-R1",
    "qwen3-235b-a22b": "Qwen/Qwen3-235B-A22B",
}
# The peer's operators in our groups, by what their names hold, the first that fits; the rest are norms, embedding, head
GROUPS = {
    "attention": ("attention", "mla", "qkv", "proj"),
    "feed_forward": ("moe", "shared", "router", "ffn", "act_gate", "_ar_", "p2p"),
}

Compile = Callable[..., Any]


def _module(package: str) -> Any:
    """The peer's engine module, of the very version that the golden numbers are of."""
    try:
        found = importlib.import_module(MODULE)
        version = importlib.metadata.version(PACKAGE)
    except ImportError:
        raise InputError(
            f"crosscheck --refresh needs {package}, which is not installed: pip install 'rackecon[crosscheck]' "
            "(Linux x86-64, Python 3.11 to 3.13)"
        ) from None
    if f"{PACKAGE} {version}" != package:
        raise InputError(f"crosscheck --refresh: {PACKAGE} {version} is installed, the golden numbers are of {package}")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the peer logs about fallback tables; what was set before is set again."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _part(operator: str) -> str:
    return next((part for part, words in GROUPS.items() if any(word in operator for word in words)), PARTS[-1])


def _setting(step: Step) -> tuple[Any, ...]:
    modes = (step.gemm_mode, step.moe_mode, step.cache_mode, step.attention_mode)
    return (step.accelerator, step.model, step.engine, step.tp, step.ep, step.dp_attention, *modes)


def _handle(compile_engine: Compile, step: Step) -> Any:
    return compile_engine(
        CHECKPOINTS[step.model],
        SYSTEMS[step.accelerator],
        step.engine,
        tp_size=step.tp // step.ranks,
        attention_dp_size=step.ranks,
        moe_tp_size=step.tp // step.ep,
        moe_ep_size=step.ep,
        gemm_quant_mode=step.gemm_mode,
        moe_quant_mode=step.moe_mode,
        kvcache_quant_mode=step.cache_mode,
        fmha_quant_mode=step.attention_mode,
    )


def _ask(handle: Any, step: Step) -> Step:
    """One step of the peer; its batch is of one data-parallel rank."""
    batch = step.sequences // step.ranks
    parts = (math.nan,) * len(PARTS)
    if step.kind == "prefill":
        time = handle.predict_prefill_latency(1, step.isl)
    elif step.kind == "mixed":
        time = handle.mixed_step_latency(step.chunk_tokens, batch, step.isl, step.osl)
    else:
        time = handle.decode_step_latency(batch, step.isl, step.osl)
        split = dict.fromkeys(PARTS, 0.0)
        for name, value, *_ in handle.decode_step_per_op(batch, step.isl, step.osl):
            split[_part(name)] += value
        parts = tuple(split.values())
    return replace(step, step_ms=float(time), parts_ms=parts)


def golden(steps: list[Step], compile_engine: Compile | None = None) -> list[Step]:
    """The steps with the peer's times asked for anew.

    Parameters
    ----------
    steps : list of Step
        Configurations.
    compile_engine : callable, optional
        Stands in for the peer's ``EngineHandle.compile``.

    Raises
    ------
    InputError
        The peer is not installed, is of another version, or has no answer for a step.
    """
    build = compile_engine or _module(steps[0].package).EngineHandle.compile
    handles: dict[tuple[Any, ...], Any] = {}
    out = []
    with _quiet():
        for step in steps:
            try:
                key = _setting(step)
                if key not in handles:
                    handles[key] = _handle(build, step)
                out.append(_ask(handles[key], step))
            except InputError:
                raise
            except Exception as fault:  # the peer raises kinds of its own for shapes that its tables lack
                why = str(fault).splitlines()[0][:160] if str(fault) else type(fault).__name__
                raise InputError(f"crosscheck --refresh: {step.step_id}: {PACKAGE} has no answer: {why}") from fault
    return out


def _cells(step: Step) -> Mapping[str, str]:
    parts = {f"golden_{name}_ms": value for name, value in zip(PARTS, step.parts_ms, strict=True)}
    times = {"golden_step_ms": step.step_ms, **parts}
    return {name: f"{value:.5g}" if math.isfinite(value) else "" for name, value in times.items()}


def refresh(compile_engine: Compile | None = None) -> str:
    """Recompute the golden numbers of data/crosscheck_steps.csv with the installed package.

    Returns
    -------
    str
        What changed. Nothing is written where a step has no answer.
    """
    steps = load_steps()
    fresh = {step.step_id: step for step in golden(steps, compile_engine)}
    path = table_path(TABLE)
    with open(path, encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        header, rows = list(reader.fieldnames or []), list(reader)
    changed = 0
    for row in rows:
        cells = _cells(fresh[row["step_id"]])
        changed += any(row[name] != value for name, value in cells.items())
        row.update(cells)
    write_file(path, csv_text(header, rows))
    return f"{len(rows)} steps recomputed with {steps[0].package}: {changed} changed"
