"""A user's own accelerator, model, prices, workload and measurements: read, checked, kept apart, answered."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from rackecon import catalog
from rackecon.analysis.trace import BLOCK_TOKENS, describe_trace, read_trace
from rackecon.catalog.huggingface import model_row, read_config
from rackecon.catalog.intake import Column, check_id, read_csv
from rackecon.catalog.user_data import USER_SOURCE, add_rows, need_user_dir
from rackecon.errors import InputError, unknown_name

__all__ = [
    "ACCELERATOR_COLUMNS",
    "MEASURED_COLUMNS",
    "PRICE_COLUMNS",
    "add_accelerators",
    "add_measured",
    "add_model",
    "add_prices",
    "add_workload",
]

FLOPS: Final = {"low": 1e13, "high": 1e17, "unit": "FLOP/s, dense"}
PRECISIONS: Final = ("bf16", "fp8", "fp4", "int4")
LARGEST_CONTEXT: Final = 10_000_000
ACCELERATOR_COLUMNS: Final = (
    Column("id", "text"),
    Column("name", "text"),
    Column("label", "text"),
    Column("vendor", "text", allowed=("nvidia", "amd", "google")),
    Column("family", "text"),
    Column("status", "text", allowed=("available", "announced")),
    Column("kernel_hw", "text"),
    Column("peak_bf16_flops", **FLOPS),  # type: ignore[arg-type]
    Column("peak_fp8_flops", required=False, **FLOPS),  # type: ignore[arg-type]
    Column("peak_fp4_flops", required=False, **FLOPS),  # type: ignore[arg-type]
    Column("peak_int8_flops", required=False, **FLOPS),  # type: ignore[arg-type]
    Column("hbm_gib", low=8, high=8192, unit="GiB"),
    Column("hbm_tb_per_s", low=0.1, high=500, unit="TB/s"),
    Column("scaleup_gb_per_s", low=10, high=50_000, unit="GB/s one way per GPU"),
    Column("scaleup_domain_gpus", "whole", low=1, high=100_000, unit="GPUs"),
    Column("scaleout_gbit_per_s", low=10, high=50_000, unit="Gbit/s per GPU"),
    Column("gpus_per_server", "whole", low=1, high=1024, unit="GPUs"),
    Column("tdp_w", low=50, high=20_000, unit="W"),
    Column("launch", "text", required=False),
    Column("gpus_per_rack", "whole", required=False, low=1, high=10_000, unit="GPUs"),
    Column("servers_per_rack", "whole", required=False, low=1, high=1000),
    Column("rack_it_kw", required=False, low=1, high=5000, unit="kW"),
    Column("note", "text", required=False),
)
PRICE_COLUMNS: Final = (
    Column("model", "text"),
    Column("provider", "text"),
    Column("fresh_input_usd_per_mtok", low=0, high=10_000, unit="USD per million tokens"),
    Column("cached_input_usd_per_mtok", required=False, low=0, high=10_000, unit="USD per million tokens"),
    Column("output_usd_per_mtok", low=0, high=10_000, unit="USD per million tokens"),
    Column("valid_from", "date"),
)
_RATE: Final = {"low": 1e-3, "high": 1e7, "unit": "tok/s"}
MEASURED_COLUMNS: Final = (
    Column("date", "date"),
    Column("accelerator", "text"),
    Column("gpus", "whole", low=1, high=100_000, unit="GPUs"),
    Column("model", "text"),
    Column("weight_precision", "text", allowed=PRECISIONS),
    Column("kv_precision", "text", required=False, allowed=("bf16", "fp8")),
    Column("engine", "text"),
    Column("engine_version", "text", required=False),
    Column("mode", "text", allowed=("aggregated", "disaggregated")),
    *(Column(n, "whole", required=n == "tp", low=1, high=4096, unit="GPUs") for n in ("tp", "ep", "pp")),
    Column("dp_attention", "flag", required=False),
    *(
        Column(n, "whole", required=False, low=1, high=100_000)
        for n in ("decode_workers", "decode_gpus", "prefill_workers", "prefill_gpus", "prefill_tp", "prefill_ep")
    ),
    Column("prefill_dp_attention", "flag", required=False),
    Column("isl", "whole", low=1, high=LARGEST_CONTEXT, unit="tokens"),
    Column("osl", "whole", low=1, high=LARGEST_CONTEXT, unit="tokens"),
    Column("concurrency", low=1, high=1e6, unit="requests"),
    Column("draft_tokens", "whole", required=False, low=0, high=7, unit="tokens"),
    Column("speculative", "text", required=False, allowed=("none", "mtp", "eagle3")),
    Column("total_tok_s_per_gpu", **_RATE),  # type: ignore[arg-type]
    Column("output_tok_s_per_gpu", required=False, **_RATE),  # type: ignore[arg-type]
    Column("tok_s_per_user", required=False, **_RATE),  # type: ignore[arg-type]
    Column("ttft_ms", required=False, low=0.01, high=1e8, unit="ms"),
    Column("tpot_ms", required=False, low=0.001, high=1e7, unit="ms"),
    Column("notes", "text", required=False),
)


def add_accelerators(path: Path) -> list[str]:
    """Accelerators of a CSV file, with their racks where given; lines that say what was added."""
    need_user_dir()
    rows = read_csv(path, ACCELERATOR_COLUMNS)
    known = list(catalog.accelerators().values())
    chips, racks = [], []
    for row in rows:
        check_id(row["id"])
        for name in ("family", "kernel_hw"):
            allowed = {getattr(item, name) for item in known if item.servable and getattr(item, name)}
            if row[name] not in allowed:
                raise unknown_name(name, row[name], allowed, path.name)
        rack = {name: row.pop(name) for name in ("gpus_per_rack", "servers_per_rack", "rack_it_kw")}
        chips.append({**row, "servable": True, "kernel_inherited": True, **_OWN})
        if all(value is not None for value in rack.values()):
            racks.append({"accelerator": row["id"], **rack, "layout": f"as given in {path.name}", **_OWN})
        elif any(value is not None for value in rack.values()):
            raise InputError(f"{path.name}: {row['id']}: a rack needs gpus_per_rack, servers_per_rack and rack_it_kw")
    add_rows({"accelerators": chips, **({"racks": racks} if racks else {})}, _KEYS)
    return [f"added {row['id']}: {len(racks)} racks in all" for row in chips]


def add_model(path: Path, model_id: str | None = None, published_params: float | None = None) -> list[str]:
    """A model from a Hugging Face ``config.json``; lines with its sizes, and the difference from a published count."""
    need_user_dir()
    config = read_config(path)
    named = str(config.get("_name_or_path") or config.get("model_type") or path.stem).split("/")[-1]
    row = model_row(config, check_id(model_id or named.lower().replace("_", "-"), "model id"))
    if published_params is not None:
        if not 1e6 <= published_params <= 1e14:
            raise InputError(f"--published {published_params:g}: a count of parameters such as 70.6e9")
        row["published_total_params"] = published_params
    add_rows({"models": [{**row, **_OWN}]}, _KEYS)
    added = catalog.model(str(row["id"]))
    lines = [
        f"added {added.id}: {added.attention}, {added.layers} layers",
        f"{added.total_params:.5g} parameters in all, {added.active_params:.5g} active per token",
        f"{added.kv_bytes_per_token_bf16:,.0f} bytes of cache per token in bf16",
    ]
    if published_params is not None:
        lines.append(f"{100.0 * (added.total_params / published_params - 1.0):+.2f} % from the published count")
    return lines


def add_prices(path: Path) -> list[str]:
    """Listings of a CSV file: a model with listings of one's own sells at their median, not at the published ones."""
    need_user_dir()
    rows = read_csv(path, PRICE_COLUMNS)
    known, out = catalog.models(), []
    for row in rows:
        if row["model"] not in known:
            raise unknown_name("model", row["model"], known, path.name)
        cached = row["cached_input_usd_per_mtok"]
        if cached is not None and cached > row["fresh_input_usd_per_mtok"]:
            raise InputError(f"{path.name}: {row['model']}: cached input {cached:g} costs more than fresh input")
        out.append(
            {
                "kind": "open-weight API price",
                "provider": row["provider"],
                "model": row["model"],
                "model_id": row["model"],
                "tier": "standard",
                "value_input": row["fresh_input_usd_per_mtok"],
                "value_cached_input": cached,
                "value_output": row["output_usd_per_mtok"],
                "unit": "$/M tokens",
                "valid_from": row["valid_from"],
                "source_id": USER_SOURCE,
                "date": row["valid_from"],
                "source_date": row["valid_from"],
                "grade": "published",
            }
        )
    add_rows({"prices": out}, _KEYS)
    return [f"added {len(out)} listings of {', '.join(sorted({row['model'] for row in rows}))}"]


def add_workload(
    path: Path,
    workload_id: str,
    *,
    block_tokens: int = BLOCK_TOKENS,
    ttft_limit_ms: float | None = None,
    tpot_limit_ms: float | None = None,
) -> list[str]:
    """A request trace as a row of workloads and a scenario of the same id; lines with its statistics."""
    need_user_dir()
    name = check_id(workload_id, "workload id")
    for what, limit in (("ttft", ttft_limit_ms), ("tpot", tpot_limit_ms)):
        if limit is not None and not 0.01 <= limit <= 1e8:
            raise InputError(f"--{what}-limit-ms {limit:g}: needs 0.01 to 1e8 ms")
    if not 1 <= block_tokens <= 65536:
        raise InputError(f"--block-tokens {block_tokens}: needs 1 to 65536")
    trace = read_trace(path)
    found = describe_trace(trace, block_tokens)
    span = float(trace["seconds"][-1] - trace["seconds"][0])
    workload = {
        "workload": name,
        "kind": "raw",
        "licence": "own",
        "duration": f"{span:.0f}s",
        **found,
        "n_requests": int(found["n_requests"]),
        "note": path.name,
        **_OWN,
    }
    hit = found.get("prefix_hit_tokens_infinite", 0.0)
    scenario = {
        "id": name,
        "meaning": f"trace {path.name}",
        "isl_tokens": max(round(found["isl_mean"]), 1),
        "osl_tokens": max(round(found["osl_mean"]), 1),
        "prefix_cache_hit": min(round(hit, 4), 0.99),
        "ttft_limit_ms": ttft_limit_ms,
        "tpot_limit_ms": tpot_limit_ms,
        "latency_statistic": "median",
        "basis": f"means of {len(trace['seconds'])} requests",
        **_OWN,
    }
    add_rows({"workloads": [workload], "scenarios": [scenario]}, _KEYS)
    lines = [
        f"added {name}: {len(trace['seconds']):,} requests over {span:,.0f} s",
        f"input tokens: mean {found['isl_mean']:.5g}, median {found['isl_p50']:.5g}, 99th {found['isl_p99']:.5g}",
        f"output tokens: mean {found['osl_mean']:.5g}, median {found['osl_p50']:.5g}, 99th {found['osl_p99']:.5g}",
    ]
    if "interarrival_cv" in found:
        lines.append(f"burstiness: deviation over mean of the gaps {found['interarrival_cv']:.3g} (random arrivals: 1)")
    if trace["prefix_hash"]:
        lines.append(f"prefix cache: {100.0 * hit:.3g} % of input tokens seen before")
    return lines


def add_measured(path: Path) -> list[str]:
    """Measured points of one's own; lines with the model's error on each, after which they join every calibration."""
    import pandas as pd

    from rackecon.serving.points import Points
    from rackecon.serving.predict import predict

    need_user_dir()
    rows = read_csv(path, MEASURED_COLUMNS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    for number, row in enumerate(rows):
        where = f"{path.name} entry {number + 1}"
        total, output = row["total_tok_s_per_gpu"], row["output_tok_s_per_gpu"]
        share = row["osl"] / (row["isl"] + row["osl"])
        if output is None:
            row["output_tok_s_per_gpu"] = total * share
        elif output > total * 1.001:
            raise InputError(f"{where}: output {output:g} exceeds total (input and output) {total:g} tok/s/GPU")
        speed, tpot = row["tok_s_per_user"], row["tpot_ms"]
        if speed is None and tpot is not None:
            row["tok_s_per_user"] = 1000.0 / tpot
        elif speed is not None and tpot is not None and not 0.5 <= speed * tpot / 1000.0 <= 2.0:
            raise InputError(f"{where}: tok_s_per_user {speed:g} and tpot_ms {tpot:g} contradict each other")
        row["ep"], row["pp"] = row["ep"] or 1, row["pp"] or 1
        row["dp_attention"] = row["dp_attention"] or "false"
        row["draft_tokens"] = row["draft_tokens"] or 0
        row["speculative"] = row["speculative"] or ("mtp" if row["draft_tokens"] else "none")
        row |= {"point_id": f"USER-{digest}-{number:04d}", "split_group": f"user-{digest}", "source": path.name}
        row |= {"length_draw": "as stated", "quality": "B", "source_id": USER_SOURCE, "grade": "measured"}
    frame = pd.DataFrame(rows)
    found = predict(Points.from_frame(frame))
    lines = []
    for row, status, reason, rate in zip(rows, found.status, found.reason, found.total_tok_s_per_gpu, strict=True):
        if status == "ok":
            error = 100.0 * (float(rate) / row["total_tok_s_per_gpu"] - 1.0)
            lines.append(
                f"{row['point_id']}: {row['accelerator']} {row['model']} at {row['concurrency']:g}: predicted "
                f"{rate:.5g}, measured {row['total_tok_s_per_gpu']:.5g} total tok/s/GPU, error {error:+.1f} %"
            )
        else:
            lines.append(f"{row['point_id']}: {status}: {reason}")
    add_rows({"measured_serving": rows}, _KEYS)
    return lines


_OWN: Final[dict[str, Any]] = {"source_id": USER_SOURCE, "grade": "estimate"}
_KEYS: Final = {
    "accelerators": ("id",),
    "racks": ("accelerator",),
    "models": ("id",),
    "prices": ("provider", "model_id", "valid_from"),
    "workloads": ("workload",),
    "scenarios": ("id",),
    "measured_serving": ("point_id",),
}
