"""``rackecon data add-...``: your own rows, in a folder apart from the shipped tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rackecon.cli.data import group
from rackecon.errors import InputError

__all__ = ["group"]

File = Annotated[Path, typer.Argument(help="File to read.")]
Id = Annotated[str | None, typer.Option("--id", help="Id of the new row; the file's name by default.")]


def _named(path: Path, given: str | None) -> str:
    import re

    return given or re.sub(r"[^a-z0-9.\-]+", "-", path.stem.lower()).strip("-.") or "own"


def _add(table: str, path: Path) -> list[dict[str, str]]:
    from rackecon.catalog.user_rows import add_rows, checked_rows

    rows = checked_rows(table, path)
    folder = add_rows(table, rows).parent.name
    typer.echo(f"{len(rows)} rows added to {folder}/{table}.csv")
    return rows


@group.command("add-model")
def add_model(
    config: Annotated[
        Path,
        typer.Argument(help="config.json or params.json, a checkpoint's folder, or hf:ORG/NAME of the local cache."),
    ],
    id: Id = None,
) -> None:
    """Add a model from its Hugging Face config.json; parameters, cache and state sizes are computed, precision is read.

    An architecture that is not computed exactly is refused by name.
    """
    from rackecon import catalog
    from rackecon.catalog.user_rows import add_rows, checked_id
    from rackecon.intake.config_files import cached_folder, model_name, read_config, read_side
    from rackecon.intake.model_config import model_row

    name = str(config)
    path = cached_folder(name.removeprefix("hf:")) if name.startswith("hf:") else config
    read = read_config(path)
    named = id or model_name(Path(name.removeprefix("hf:")) if name.startswith("hf:") else path, read)
    row = model_row(read, checked_id("--id", named), read_side(path))
    if row["id"] in catalog.models():
        raise InputError(f"model id '{row['id']}' is already in models; choose another --id")
    add_rows("models", [row | {"source_id": "own", "grade": "derived"}])
    made = catalog.model(row["id"])
    state = f", {made.recurrent_state_bytes / 1e6:.4g} MB of state a request" if made.recurrent_state_bytes else ""
    window = f", {made.kv_fixed_bytes_bf16 / 1e6:.4g} MB of full windows a request" if made.kv_fixed_bytes_bf16 else ""
    typer.echo(
        f"{made.id}: {made.attention}, {made.total_params / 1e9:.4g}B parameters, {made.active_params / 1e9:.4g}B active "
        f"(no input embedding), {made.kv_bytes_per_token_bf16 / 1024:.4g} KiB of cache a token in BF16{window}{state}, "
        f"{made.native_weight_bytes / 1e9:.4g} GB of weights {made.native}"
    )


@group.command("add-accelerator")
def add_accelerator(file: File) -> None:
    """Add accelerators from a CSV with columns of data/accelerators.csv."""
    _add("accelerators", file)


@group.command("add-price")
def add_price(file: File) -> None:
    """Add price listings from a CSV with columns of data/prices.csv."""
    _add("prices", file)


@group.command("add-measured")
def add_measured(
    file: File,
    accelerator: Annotated[str, typer.Option(help="Accelerator, by id or by the name its tools give it.")] = "",
    gpus: Annotated[str, typer.Option(help="GPUs of the deployment.")] = "",
    model: Annotated[str, typer.Option(help="Model, by id or Hugging Face name.")] = "",
    precision: Annotated[str, typer.Option(help="Format of the weights.")] = "",
    kv_precision: Annotated[str, typer.Option(help="Format of the cache.")] = "",
    engine: Annotated[str, typer.Option(help="Serving engine.")] = "",
    engine_version: Annotated[str, typer.Option(help="Its version or image.")] = "",
    mode: Annotated[str, typer.Option(help="Prefill and decode together or apart.")] = "",
    tp: Annotated[str, typer.Option(help="Tensor-parallel width of an engine.")] = "",
    ep: Annotated[str, typer.Option(help="Expert-parallel width; 1 by default.")] = "",
    pp: Annotated[str, typer.Option(help="Pipeline stages; 1 by default.")] = "",
    dp_attention: Annotated[str, typer.Option(help="Attention per data-parallel rank: true or false.")] = "",
    speculative: Annotated[str, typer.Option(help="Method of drafting.")] = "",
    isl: Annotated[str, typer.Option(help="Mean input length [tokens].")] = "",
    osl: Annotated[str, typer.Option(help="Mean output length [tokens].")] = "",
    concurrency: Annotated[str, typer.Option(help="Requests in flight on the deployment.")] = "",
    total_tok_s_per_gpu: Annotated[str, typer.Option(help="Input and output tokens a second and GPU.")] = "",
    date: Annotated[str, typer.Option(help="ISO date of the software; the day of the file by default.")] = "",
    watts_per_gpu: Annotated[str, typer.Option(help="Mean power of a GPU's board in the run [W].")] = "",
    usd_per_gpu_hour: Annotated[
        float | None, typer.Option(help="Your cost of a GPU-hour [USD]; the report's by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show all of it and keep nothing.")] = False,
) -> None:
    """Add measured runs as a benchmark wrote them; show the model's error on each and what its tokens cost.

    Read are vllm bench, SGLang bench_serving, AIPerf, genai-perf, guidellm, inference-perf, trtllm-bench, InferenceX and
    its API, and a CSV of data/measured_serving.csv's columns. Only what the file does not say is asked for.
    """
    from rackecon.appraisal.measured_cost import measured_costs
    from rackecon.catalog.user_rows import add_rows
    from rackecon.intake.benchmarks import checked_runs

    given = {
        "accelerator": accelerator, "gpus": gpus, "model": model, "weight_precision": precision, "kv_precision": kv_precision,
        "engine": engine, "engine_version": engine_version, "mode": mode, "tp": tp, "ep": ep, "pp": pp,
        "dp_attention": dp_attention.lower(), "speculative": speculative, "isl": isl, "osl": osl,
        "concurrency": concurrency, "total_tok_s_per_gpu": total_tok_s_per_gpu, "date": date,
        "avg_power_w_per_gpu": watts_per_gpu,
    }  # fmt: skip
    found = checked_runs(file, given)
    rows = [row for _, row, _ in found]
    # Predicted before it is written: a layout that cannot be is refused here
    costs = measured_costs(rows, usd_per_gpu_hour)
    for (_, row, said), cost in zip(found, costs, strict=True):
        for line in cost.lines(row, said):
            typer.echo(line)
    if dry_run:
        typer.echo(f"{len(rows)} rows read, none kept")
        return
    folder = add_rows("measured_serving", rows).parent.name
    typer.echo(f"{len(rows)} rows added to {folder}/measured_serving.csv; `rackecon calibrate` fits with them")


@group.command("add-workload")
def add_workload(
    trace: File,
    id: Id = None,
    ttft_limit_ms: Annotated[float | None, typer.Option(help="Limit on the first token [ms].")] = None,
    tpot_limit_ms: Annotated[float | None, typer.Option(help="Limit per output token [ms].")] = None,
    block_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a hashed block; found from the trace by default.")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option(help="Unit of numeric timestamps: s, ms, us or ns; seen from the file by default.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave malformed lines out and count them.")] = False,
) -> None:
    """Add a workload, and a scenario of its means, from a trace.

    Read as published: Azure, BurstGPT, Mooncake, Dynamo, AIPerf, Qwen-Bailian, ServeGen; or a CSV or JSON lines of
    timestamp, input_tokens, output_tokens [, prefix_hash]. Also gzipped.
    """
    from rackecon.catalog.paths import shipped_rows
    from rackecon.catalog.user_rows import add_tables, checked_id, complete
    from rackecon.intake.traces import workload_row

    name = checked_id("--id", _named(trace, id))
    for table, key in (("workloads", "workload"), ("scenarios", "id")):
        if name in {row[key] for row in shipped_rows(table)}:
            raise InputError(f"workload '{name}' is already in {table}; choose another --id")
    row = workload_row(trace, name, block_tokens, time_unit=time_unit, skip_bad=skip_bad)
    workload = complete("workloads", {key: str(value) for key, value in row.items()})
    hit = row.get("prefix_hit_tokens_infinite")
    case = {
        "id": name,
        "meaning": f"own trace {trace.name}",
        "isl_tokens": f"{max(round(float(row['isl_mean'])), 1)}",
        "osl_tokens": f"{max(round(float(row['osl_mean'])), 1)}",
        "prefix_cache_hit": f"{min(float(hit or 0.0), 0.99):.4f}",
        "ttft_limit_ms": "" if ttft_limit_ms is None else f"{ttft_limit_ms:g}",
        "tpot_limit_ms": "" if tpot_limit_ms is None else f"{tpot_limit_ms:g}",
        "basis": f"means of {row['n_requests']} requests",
    }
    add_tables({"workloads": [workload], "scenarios": [complete("scenarios", case)]})
    typer.echo(
        f"{name}: {row['n_requests']} requests in {row['duration']} ({float(row['rate_mean_rps']):.4g} a second), input {row['isl_mean']} tokens (median {row['isl_p50']}), "
        f"output {row['osl_mean']} (median {row['osl_p50']}), gaps vary by {row['interarrival_cv']} of their mean"
        + (f", {float(hit):.1%} of input cached" if hit else "")
        + (f" ({row['note']})" if "note" in row else "")
    )


@group.command("add")
def add(
    table: Annotated[
        str, typer.Argument(help="accelerators, racks, costs, power, models, prices, scenarios, measured_serving.")
    ],
    file: File,
) -> None:
    """Add rows of any table that takes them, such as the rack and the cost of an accelerator of yours."""
    if table == "workloads":
        raise InputError("workloads are added with add-workload")
    _add(table, file)
