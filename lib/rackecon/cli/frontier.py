"""``rackecon frontier``: throughput per GPU against speed per user, with layouts, cost and revenue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rackecon.catalog.cached import one_state
from rackecon.lazy import pd

SHOWN = (
    "layout",
    "gpus",
    "concurrency",
    "draft_tokens",
    "tok_s_per_user",
    "total_tok_s_per_gpu",
    "ttft_ms",
    "bottleneck",
    "cost_usd_per_mtok_total",
    "profit_usd_per_gpu_hour",
    "drawn_joules_per_total_token",
)


@one_state()
def frontier(
    accelerator: Annotated[str, typer.Option("--accelerator", help="Id of data/accelerators.csv.")],
    model: Annotated[str, typer.Option("--model", help="Id of data/models.csv.")],
    isl: Annotated[float, typer.Option("--isl", help="Mean input length [tokens].")],
    osl: Annotated[float, typer.Option("--osl", help="Mean output length [tokens].")],
    weight_precision: Annotated[str | None, typer.Option("--weight-precision", help="Format of the weights.")] = None,
    kv_precision: Annotated[str | None, typer.Option("--kv-precision", help="Format of the cache.")] = None,
    ttft_limit_ms: Annotated[float | None, typer.Option("--ttft-limit-ms", help="Time to first token [ms].")] = None,
    tpot_limit_ms: Annotated[float | None, typer.Option("--tpot-limit-ms", help="Time per output token [ms].")] = None,
    latency_statistic: Annotated[str, typer.Option("--latency-statistic", help="What the limits bind.")] = "median",
    mode: Annotated[
        str | None, typer.Option("--mode", help="Prefill and decode together or apart; both by default.")
    ] = None,
    engine: Annotated[str | None, typer.Option("--engine", help="Serving engine; the platform's usual.")] = None,
    date: Annotated[str | None, typer.Option("--date", help="ISO date of the software.")] = None,
    speculative: Annotated[str | None, typer.Option("--speculative", help="Method of drafting.")] = None,
    prefix_cache_hit: Annotated[float, typer.Option("--prefix-cache-hit", help="Share of input cached [-].")] = 0.0,
    max_gpus: Annotated[int | None, typer.Option("--max-gpus", help="Largest deployment [GPUs].")] = None,
    usd_per_gpu_hour: Annotated[
        float | None,
        typer.Option("--usd-per-gpu-hour", help="Your cost of a GPU-hour [USD]; the published one by default."),
    ] = None,
    kw_per_gpu: Annotated[
        float | None,
        typer.Option("--kw-per-gpu", help="Provisioned IT power per GPU, host and network counted [kW]."),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every column to this file.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Step time, memory and flags of the best point.")] = False,
) -> None:
    """Pareto front of throughput per GPU against speed per user, with its layouts, cost and revenue.

    Exit status 1 where nothing fits or no layout meets the limits.
    """
    from rackecon.appraisal.assumptions import assumptions
    from rackecon.catalog.names import accelerator_named, model_named
    from rackecon.catalog.written import check_output, write_file
    from rackecon.serving.frontier import search

    given = {"cost_usd_per_gpu_hour": usd_per_gpu_hour, "kw_per_gpu": kw_per_gpu}
    assumptions(**given)
    if csv is not None:
        check_output(csv)
    accelerator, model = accelerator_named(accelerator) or accelerator, model_named(model) or model
    front = search(
        accelerator,
        model,
        isl,
        osl,
        prefix_cache_hit=prefix_cache_hit,
        weight_precision=weight_precision,
        kv_precision=kv_precision,
        ttft_limit_ms=ttft_limit_ms,
        tpot_limit_ms=tpot_limit_ms,
        latency_statistic=latency_statistic,
        mode=mode,
        engine=engine,
        date=date,
        max_gpus=max_gpus,
        speculative=speculative,
    )
    best = front.best()
    if best is None:
        typer.echo(f"{accelerator}, {model}, {isl:g} in / {osl:g} out: {front.reason}", err=True)
        raise typer.Exit(1)
    from rackecon import catalog
    from rackecon.appraisal.money import missing_money, with_frontier_money
    from rackecon.evidence.intervals import interval_columns
    from rackecon.serving.query import years_beyond
    from rackecon.words import text_table

    late = years_beyond(catalog.accelerator(accelerator), date) if date else 0.0
    rows = front.columns
    rows |= interval_columns(rows, late)
    rows = with_frontier_money(rows, prefix_cache_hit=prefix_cache_hit, **given)
    typer.echo(
        f"{accelerator}, {model}, {isl:g} in / {osl:g} out, weights {best['weight_precision']}, cache "
        f"{best['kv_precision']}: {front.candidates} candidates, {front.fitting} fit, {len(front)} on the front. "
        "Total counts input and output tokens over all GPUs."
    )
    typer.echo(text_table({name: rows[name] for name in SHOWN}))
    for line in missing_money(accelerator, model, **given):
        typer.echo(f"Blank: {line}")
    if explain:
        case = {"accelerator": accelerator, "model": model, "isl_tokens": isl, "osl_tokens": osl}
        case["prefix_cache_hit"] = prefix_cache_hit
        _explain({**case, **best}, date)
    if csv is not None:
        write_file(csv, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n", float_format="%.6g"))


def _explain(best: dict[str, object], date: str | None) -> None:
    from rackecon.serving.explain import memory_use, step_breakdown
    from rackecon.serving.launch_flags import SERVERS, launch_flags

    step, room = step_breakdown(best, date=date), memory_use(best)
    typer.echo(f"\nHighest throughput: {best['layout']}. One decode step, {step.running_per_engine:.4g} sequences:")
    for name, value in sorted(step.operators_ms.items(), key=lambda item: -item[1]):
        typer.echo(f"  {value:9.3f} ms  {name}")
    typer.echo(f"  {step.step_ms:9.3f} ms  in all, {step.tokens_per_step:.3g} tokens a sequence and step")
    typer.echo(
        f"Memory of a GPU: {room.hbm_gb:.1f} GB = weights {room.weights_gb:.1f} + reserve {room.reserve_gb:.1f} "
        f"+ cache {room.cache_gb:.1f}; room for {room.max_sequences:.4g} sequences an engine"
    )
    for server in SERVERS:
        typer.echo(f"{server}: {launch_flags(best, server)}")
