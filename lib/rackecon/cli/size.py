"""``rackecon size``: GPUs for so many users, or requests a second, on each platform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SHOWN = (
    *("platform", "layout", "deployments", "gpus", "gpus_low", "gpus_high", "units", "in_flight_per_deployment"),
    *(
        "tok_s_per_user",
        "ttft_ms",
        "usd_per_gpu_hour",
        "usd_per_hour",
        "usd_per_hour_low",
        "usd_per_hour_high",
        "usd_per_hour_units",
        "usd_per_mtok",
    ),
)


def size(
    model: Annotated[str, typer.Option("--model", help="Id of data/models.csv.")],
    isl: Annotated[float, typer.Option("--isl", help="Mean input length [tokens].")],
    osl: Annotated[float, typer.Option("--osl", help="Mean output length [tokens].")],
    users: Annotated[float | None, typer.Option("--users", help="Users who each wait for their answer.")] = None,
    rps: Annotated[float | None, typer.Option("--rps", help="Requests a second that come by themselves.")] = None,
    lengths: Annotated[
        str | None, typer.Option("--lengths", help="Trace whose spread of lengths --rps has, such as azure2023_conv.")
    ] = None,
    think_s: Annotated[float, typer.Option("--think-s", help="A user's pause before the next request [s].")] = 0.0,
    ttft_ms: Annotated[float | None, typer.Option("--ttft-ms", help="Limit on the first token [ms].")] = None,
    tpot_ms: Annotated[float | None, typer.Option("--tpot-ms", help="Limit per output token [ms].")] = None,
    latency_statistic: Annotated[str, typer.Option("--latency-statistic", help="What the limits bind.")] = "median",
    accelerator: Annotated[
        list[str] | None, typer.Option("--accelerator", help="Repeat for several; the report's platforms by default.")
    ] = None,
    weight_precision: Annotated[str | None, typer.Option("--weight-precision", help="Format of the weights.")] = None,
    engine: Annotated[str | None, typer.Option("--engine", help="Serving engine; the platform's usual.")] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help="Prefill and decode together or apart; both by default.")
    ] = None,
    prefix_cache_hit: Annotated[float, typer.Option("--prefix-cache-hit", help="Share of input cached [-].")] = 0.0,
    max_gpus: Annotated[int | None, typer.Option("--max-gpus", help="Largest deployment [GPUs].")] = None,
    usd_per_gpu_hour: Annotated[
        float | None, typer.Option("--usd-per-gpu-hour", help="Your cost of a GPU-hour [USD]; the report's by default.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every column to this file.")] = None,
) -> None:
    """The smallest fleet of each platform that serves so many users, or requests a second, within the limits.

    Exit status 1 where no platform does.
    """
    from rackecon.appraisal.evaluate import PLATFORMS
    from rackecon.appraisal.sizing import size_fleet
    from rackecon.catalog.names import accelerator_named, model_named
    from rackecon.catalog.written import check_output, write_file

    if csv is not None:
        check_output(csv)
    model = model_named(model) or model
    table = size_fleet(
        model,
        isl,
        osl,
        users=users,
        rps=rps,
        lengths=lengths,
        think_s=think_s,
        accelerators=[accelerator_named(name) or name for name in accelerator or PLATFORMS],
        usd_per_gpu_hour=usd_per_gpu_hour,
        ttft_limit_ms=ttft_ms,
        tpot_limit_ms=tpot_ms,
        latency_statistic=latency_statistic,
        weight_precision=weight_precision,
        engine=engine,
        mode=mode,
        prefix_cache_hit=prefix_cache_hit,
        max_gpus=max_gpus,
    )
    served = table[table["gpus"].notna()]
    asked = f"{users:g} users" if users is not None else f"{rps:g} requests a second"
    costs = ", ".join(sorted({label for label in table["cost_label"] if label}))
    typer.echo(
        f"{asked} of {model}, {isl:g} in and {osl:g} out. Low and high bound 90 % of the serving model's error; "
        "dollars are of the GPUs used (usd_per_hour_units: of whole servers or racks) and per million count input and "
        f"output tokens alike{f'; cost {costs}' if costs else ''}."
    )
    if len(served):
        typer.echo(served[list(SHOWN)].to_string(index=False, na_rep="", float_format=lambda value: f"{value:.5g}"))
    for row in table.to_dict("records"):
        if row["reason"]:
            typer.echo(f"{'Blank' if row['gpus'] == row['gpus'] else 'None'}: {row['platform']}: {row['reason']}")
    if csv is not None:
        write_file(csv, table.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    if not len(served):
        raise typer.Exit(1)
