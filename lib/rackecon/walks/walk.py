"""Walk one assumption while the rest is held: context length, prefill against decode, experts.

At every point the layout is searched again; a second line holds the layout of the starting point, so that the reader sees
which effect is physics and which is retuning.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import Model, Scenario
from rackecon.lazy import pd
from rackecon.serving.tails import tail_factors

RETUNED, HELD = "layout that earns most at every point", "layout held as at the start"


def doubling_steps(low: float, high: float) -> list[int]:
    """Lengths from low to high, each twice the last, both ends in.

    Examples
    --------
    >>> doubling_steps(1024, 6000)
    [1024, 2048, 4096, 6000]
    """
    steps = [int(low)]
    while steps[-1] * 2 < high:
        steps.append(steps[-1] * 2)
    if high > steps[-1]:
        steps.append(int(high))
    return steps


def resized(base: Scenario, name: str, isl: float, osl: float, hit: float | None = None) -> Scenario:
    """A scenario with other lengths, in whole tokens, and perhaps another cache hit, under a name of its own.

    Examples
    --------
    >>> resized(catalog.scenario("chat"), "short", 100.4, 0.0).osl_tokens
    1
    """
    return replace(
        base,
        id=name,
        isl_tokens=max(round(isl), 1),
        osl_tokens=max(round(osl), 1),
        prefix_cache_hit=base.prefix_cache_hit if hit is None else hit,
    )


def asked_ttft_ms(case: Scenario) -> float:
    """Median time to the first token that a measured run may take under a scenario's limit [ms]; without end where it has none.

    Examples
    --------
    >>> asked_ttft_ms(catalog.scenario("rag-summarise"))
    5000.0
    """
    if case.ttft_limit_ms is None:
        return math.inf
    return case.ttft_limit_ms / tail_factors(case.latency_statistic)[1]


def _held_layout(row: Any) -> dict[str, object]:
    return {
        "tp": int(row["tp"]),
        "ep": int(row["ep"]),
        "pp": int(row["pp"]),
        "dp_attention": bool(row["dp_attention"]),
        "mode": str(row["mode"]),
        "draft_tokens": float(row["draft_tokens"]),
    }


def walked(
    accelerators: Sequence[str], model: str, cases: Sequence[tuple[Scenario, dict[str, Any]]], **options: Any
) -> pd.DataFrame:
    """Every platform at each step of a walk, one step after the other, with what marks the step and its limit on the first token."""
    found = evaluate(accelerators, [model], [case for case, _ in cases], **options)
    found = found.assign(asked_ttft_ms=np.repeat([asked_ttft_ms(case) for case, _ in cases], len(accelerators)))
    each = {name: [marks[name] for _, marks in cases] for name in cases[0][1]}
    return found.assign(**{name: np.repeat(values, len(accelerators)) for name, values in each.items()})


def _walk(
    accelerators: Sequence[str],
    model: str,
    cases: Sequence[tuple[Scenario, dict[str, Any]]],
    held: bool,
    **overrides: Any,
) -> pd.DataFrame:
    free = walked(accelerators, model, cases, **overrides).assign(line=RETUNED)
    blocks = [free]
    if held:
        first = free[free["scenario"] == cases[0][0].id].set_index("accelerator")
        for key in accelerators:
            row = first.loc[key]
            if not str(row["reason"]) and np.isfinite(row["total_tok_s_per_gpu"]):
                options = {"hold": _held_layout(row)}
                blocks.append(walked([key], model, cases, search_options=options, **overrides).assign(line=HELD))
    return pd.concat(blocks, ignore_index=True)


def context_length(
    accelerators: Sequence[str],
    model: str,
    base: Scenario,
    isl_tokens: Iterable[int],
    hits: Iterable[float] = (0.0,),
    held: bool = True,
    **overrides: Any,
) -> pd.DataFrame:
    """Input length walked at fixed output length, for each prefix-cache hit rate.

    Returns
    -------
    pandas.DataFrame
        Rows of :func:`rackecon.appraisal.evaluate.evaluate` with ``walked_tokens``, ``hit`` and ``line``.
    """
    lengths = list(isl_tokens)
    walks = [
        [
            (resized(base, f"{isl}|{hit:g}", isl, base.osl_tokens, hit), {"walked_tokens": isl, "hit": hit})
            for isl in lengths
        ]
        for hit in hits
    ]
    if not held:
        walks = [list(chain(*walks))]
    return pd.concat([_walk(accelerators, model, cases, held, **overrides) for cases in walks], ignore_index=True)


def total_fixed(
    accelerators: Sequence[str],
    model: str,
    base: Scenario,
    total_tokens: int,
    input_shares: Iterable[float],
    held: bool = True,
    **overrides: Any,
) -> pd.DataFrame:
    """Share of input walked while input plus output stays: ``input_share`` and ``input_per_output``."""
    cases = []
    for share in input_shares:
        isl, osl = total_tokens * share, total_tokens * (1.0 - share)
        cases.append(
            (resized(base, f"share {share:g}", isl, osl), {"input_share": share, "input_per_output": isl / osl})
        )
    return _walk(accelerators, model, cases, held, **overrides)


def output_fixed(
    accelerators: Sequence[str],
    model: str,
    base: Scenario,
    ratios: Iterable[float],
    **overrides: Any,
) -> pd.DataFrame:
    """Input per output walked while the output stays, searched anew at each: ``input_per_output``."""
    cases = [
        (resized(base, f"ratio {ratio:g}", base.osl_tokens * ratio, base.osl_tokens), {"input_per_output": ratio})
        for ratio in ratios
    ]
    return _walk(accelerators, model, cases, False, **overrides)


def _variant(model: Model, experts: int, top_k: int) -> Model:
    """The model with another number of experts or experts per token, all else as it is.

    With more experts at the same size of expert the active parameters stay; total weights grow.
    """
    per_expert = model.routed_expert_params / max(model.moe_layers * model.n_experts, 1)
    routed = per_expert * model.moe_layers * experts
    added = routed - model.routed_expert_params
    active = model.active_params + (top_k - model.top_k) * per_expert * model.moe_layers
    return replace(
        model,
        id=f"{model.id} E{experts} k{top_k}",
        n_experts=experts,
        top_k=top_k,
        routed_expert_params=routed,
        total_params=model.total_params + added,
        active_params=active,
        native_weight_bytes=model.native_weight_bytes + added * model.native_expert_bits / 8.0,
    )


def _is_shipped(arch: Model, known: str) -> bool:
    """Whether a variant has the experts of the model that it is one of."""
    real = catalog.model(known)
    return (arch.n_experts, arch.top_k) == (real.n_experts, real.top_k)


def _variants(accelerators: Sequence[str], base: Scenario, variants: Sequence[Model]) -> pd.DataFrame:
    from rackecon.serving.frontier import search_case

    rows, known = [], variants[0].id.split(" ")[0]
    labels = {key: catalog.accelerator(key).label for key in accelerators}
    for key in accelerators:
        hold: dict[str, object] | None = None
        for fixed in (False, True):
            for arch in variants:
                front = search_case(key, arch, base, hold=hold if fixed else None)
                best = front.best()
                if hold is None and best is not None:
                    hold = _held_layout(best)
                rows.append(
                    {
                        "accelerator": key,
                        "platform": labels[key],
                        "model": arch.id,
                        "measured_model": known if _is_shipped(arch, known) else arch.id,
                        "isl_tokens": base.isl_tokens,
                        "osl_tokens": base.osl_tokens,
                        "tok_s_per_user": np.nan if best is None else best["tok_s_per_user"],
                        "asked_tok_s_per_user": base.promised_tok_s_per_user,
                        "asked_ttft_ms": asked_ttft_ms(base),
                        "experts": arch.n_experts,
                        "top_k": arch.top_k,
                        "total_params_bn": arch.total_params / 1e9,
                        "active_params_bn": arch.active_params / 1e9,
                        "total_tok_s_per_gpu": np.nan if best is None else best["total_tok_s_per_gpu"],
                        "layout": "" if best is None else best["layout"],
                        "mode": "" if best is None else best["mode"],
                        "reason": front.reason,
                        "line": HELD if fixed else RETUNED,
                    }
                )
            if hold is None:
                break
    return pd.DataFrame(rows)


def expert_counts(accelerators: Sequence[str], model: str, base: Scenario, counts: Iterable[int]) -> pd.DataFrame:
    """Routed experts walked at fixed active parameters (same size of expert, same experts per token)."""
    arch = catalog.model(model)
    return _variants(accelerators, base, [_variant(arch, count, arch.top_k) for count in counts])


def expert_top_k(accelerators: Sequence[str], model: str, base: Scenario, top_ks: Iterable[int]) -> pd.DataFrame:
    """Experts per token walked at fixed total parameters."""
    arch = catalog.model(model)
    return _variants(accelerators, base, [_variant(arch, arch.n_experts, k) for k in top_ks])


def model_sizes(accelerators: Sequence[str], models: Sequence[str], base: Scenario, **overrides: Any) -> pd.DataFrame:
    """Real models side by side at one workload, with their sizes."""
    out = evaluate(accelerators, models, [base], **overrides)
    known = {key: catalog.model(key) for key in models}
    return out.assign(
        model_name=[known[m].name for m in out["model"]],
        total_params_bn=[known[m].total_params / 1e9 for m in out["model"]],
        active_params_bn=[known[m].active_params / 1e9 for m in out["model"]],
    )


def request_gpu_seconds(
    isl_tokens: Any, osl_tokens: Any, total_tok_s_per_gpu: Any, prefill_gpu_share: Any
) -> tuple[Any, Any]:
    """GPU-seconds that a request takes [s], on prefill and on decode.

    Parameters
    ----------
    isl_tokens, osl_tokens : float or array
        Input and output tokens of a request, cached input counted [tokens].
    total_tok_s_per_gpu : float or array
        Input and output tokens per second over all GPUs [tok/s/GPU].
    prefill_gpu_share : float or array
        Share of GPU time spent on prefill [-].

    Notes
    -----
    .. math:: t = \\frac{I + O}{X} = (1 - h) I t_{prefill} + \\frac{O}{a} \\frac{t_{step}}{B}

    Own derivation: what a GPU serves in a second, turned over and divided by where its time goes.

    Examples
    --------
    >>> [round(float(part), 3) for part in request_gpu_seconds(8192, 1024, 9216.0, 0.25)]
    [0.25, 0.75]
    """
    whole = (np.asarray(isl_tokens, dtype=float) + osl_tokens) / np.asarray(total_tok_s_per_gpu, dtype=float)
    share = np.asarray(prefill_gpu_share, dtype=float)
    return whole * share, whole * (1.0 - share)


def fall_factor(frame: pd.DataFrame, x: str, metric: str) -> pd.Series:
    """First over last value along a walk, per platform: by how much the metric falls."""
    ordered = frame[frame[metric].notna()].sort_values(x, kind="stable")
    ends = ordered.groupby("platform", sort=False)[metric]
    ratio: pd.Series = ends.first() / ends.last()
    return ratio
