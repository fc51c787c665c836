"""How each benchmark tool writes a run: which fields are read, in which units, and what they mean here.

Written against the documented fields of vLLM's ``--save-result`` and the exporters' sources: SGLang ``bench_serving`` at
0033168, AIPerf at 309c4e8, genai-perf at 09628cd, guidellm at 00f110c (CSV: v0.3.0 and ee7a774), TensorRT-LLM's report at 0249976,
InferenceX's at 00e51cc; inference-perf at 7de5ef2 and results published at 305ea4b, rows of InferenceX's public API of June 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rackecon.catalog.names import accelerator_named, engine_named, precision_named
from rackecon.catalog.text_file import yaml_of
from rackecon.errors import InputError
from rackecon.intake.benchmark_fields import (
    Fields,
    Run,
    date_of,
    in_flight,
    method_of,
    request_ms,
    speed_of,
)
from rackecon.intake.benchmark_text import objects_in, tables_in

MS: Final = {"ms": 1.0, "s": 1e3, "sec": 1e3, "seconds": 1e3, "us": 1e-3, "ns": 1e-6}
"""Milliseconds in one of each unit that a tool states."""
AGREE: Final = 0.05  # a rate that a file states against the one that its own counts and seconds give
DRAWN: Final = "uniform 80-100% of nominal"
IX_MODELS: Final = {
    "dsr1": "deepseek-r1",
    "dsv4": "deepseek-v4-pro",
    "gptoss": "gpt-oss-120b",
    "gptoss120b": "gpt-oss-120b",
    "llama70b": "llama-3.3-70b",
    "kimik2.5": "kimi-k2.5",
    "minimaxm2.5": "minimax-m2.5",
    "glm5": "glm-5",
    "qwen3.5": "qwen3.5-397b-a17b",
}
"""InferenceX's own short names of models."""


def client_run(at: Fields) -> Run:
    """``vllm bench serve`` and SGLang ``bench_serving``: one client, two dialects; latencies in ms, rates of the deployment."""
    done, seconds = at.needed("completed"), at.needed("duration")
    read, written = at.needed("total_input_tokens"), at.needed("total_output_tokens")
    total = (read + written) / seconds
    for name in ("total_token_throughput", "total_throughput"):
        stated = at.number(name)
        if stated and abs(stated / total - 1.0) > AGREE:
            raise at.fault((name,), f"{stated:g} is not the {total:.5g} tok/s of total tokens over duration")
        total = stated or total
    output = at.number("output_throughput") or written / seconds
    ttft, tpot = at.number("median_ttft_ms"), at.number("median_tpot_ms")
    mean = at.number("mean_e2el_ms") or at.number("mean_e2e_latency_ms")
    mean = mean or request_ms(at.number("mean_ttft_ms"), at.number("mean_tpot_ms"), written / done)
    worked = at.number("concurrency") or in_flight(done / seconds, mean)
    # Where requests come at a rate, what is stated is a cap that may not be reached
    stated = None if at.number("request_rate") and worked else at.number("max_concurrency")
    sglang = "model_id" not in at.held
    server = Fields(at.where, at.find("server_info") or {}) if sglang else Fields(at.where, {})
    served = at.text("model_id") or server.text("model_path") or at.text("model")
    backend = at.text("backend") or ""
    run = Run(
        "SGLang bench_serving" if sglang else "vllm bench serve",
        at.where,
        {
            "model": served,
            "weight_precision": precision_named(served or "") or server.text("quantization"),
            "kv_precision": precision_named(server.text("kv_cache_dtype") or ""),
            "engine": backend if engine_named(backend) else None,
            "engine_version": server.text("version"),
            "tp": server.number("tp_size"),
            "ep": server.number("ep_size"),
            "dp_attention": server.flag("enable_dp_attention"),
            "speculative": method_of(server.text("speculative_algorithm")),
            "draft_tokens": server.number("speculative_num_steps"),
            "isl": read / done,
            "osl": written / done,
            "total_tok_s": total,
            "output_tok_s": output,
            "tok_s_per_user": speed_of(tpot),
            "ttft_ms": ttft,
            "tpot_ms": tpot,
            "date": date_of(at.text("date")),
        },
        _failed(at.number("failed")),
    )
    return run.loaded(stated, worked, "requests and their latency")


def offline_run(at: Fields) -> Run:
    """``vllm bench throughput``: all requests at once; neither lengths nor latencies are written."""
    seconds, tokens = at.needed("elapsed_time"), at.needed("total_num_tokens")
    return Run("vllm bench throughput", at.where, {"engine": "vllm", "total_tok_s": tokens / seconds})


def _failed(requests: float | None) -> tuple[str, ...]:
    return (f"{requests:g} failed requests not counted",) if requests else ()


def inferencex_run(at: Fields) -> Run:
    """InferenceX result file or row of its API: latencies in **seconds**, rates per GPU, lengths drawn at 80 to 100 %."""
    inner = at.find("metrics")
    flat = Fields(at.where, {**at.held, **inner} if isinstance(inner, Mapping) else at.held)
    if flat.text("scenario_type") or (flat.text("benchmark_type") or "single_turn").startswith("agentic"):
        raise at.fault(("scenario_type",), "an agentic run has no one length: such runs are not read")
    hardware = flat.text("hw") or flat.text("hardware") or ""
    short = flat.text("infmax_model_prefix") or flat.text("model") or ""
    tpot, speed = flat.number("median_tpot", scale=1e3), flat.number("median_intvty")
    if tpot and speed and abs(tpot * speed / 1e3 - 1.0) > AGREE:
        raise at.fault(
            ("median_tpot",), f"{tpot / 1e3:g} s is not 1 / median_intvty ({speed:g} tok/s/user); is it in ms?"
        )
    image, total = flat.text("image"), flat.needed("tput_per_gpu")
    method = method_of(flat.text("spec_decoding") or flat.text("spec_method") or flat.text("mtp"))
    name = flat.text("model")
    return Run(
        "InferenceX",
        at.where,
        {
            "accelerator": next(
                (x for x in (hardware, hardware.split("-")[0]) if accelerator_named(x)), hardware or None
            ),
            "model": IX_MODELS.get(short.lower().replace("-", ""), IX_MODELS.get((name or "").lower(), name)),
            "weight_precision": flat.text("precision"),
            "engine": flat.text("framework"),
            "engine_version": image,
            "isl": flat.number("isl"),
            "osl": flat.number("osl"),
            "length_draw": DRAWN,
            "concurrency": flat.number("conc"),
            "speculative": method or "none",
            "total_tok_s_per_gpu": total,
            # Of pools it is over the decode GPUs alone; the lengths give it over all
            "output_tok_s_per_gpu": None if flat.flag("disagg") else flat.number("output_tput_per_gpu"),
            "tok_s_per_user": speed or speed_of(tpot),
            "ttft_ms": flat.number("median_ttft", scale=1e3),
            "tpot_ms": tpot,
            "avg_power_w_per_gpu": flat.number("avg_power_w"),
            "date": date_of(flat.text("date")),
            **_ix_layout(flat),
        },
    )


def _ix_layout(at: Fields) -> dict[str, Any]:
    """GPUs and widths; a pool of each kind where the run is disaggregated.

    Of one engine the API's counts of GPUs multiply TP by EP, which share them: the result files divide by TP.
    """
    if not at.flag("disagg"):
        tp = at.number("tp") or at.number("decode_tp")
        return {
            "mode": "aggregated",
            "tp": tp,
            "gpus": at.number("num_gpus") or tp,
            "ep": at.number("ep") or at.number("decode_ep"),
            "dp_attention": at.flag("dp_attention") if "dp_attention" in at.held else at.flag("decode_dp_attention"),
        }
    prefill, decode = at.needed("num_prefill_gpu"), at.needed("num_decode_gpu")
    engines = {name: at.number(f"{name}_num_workers") for name in ("decode", "prefill")}

    def width(name: str, gpus: float) -> float | None:
        """Of an engine of a pool: its share of the pool's GPUs; some rows state 1 for it."""
        count = engines[name]
        return gpus / count if count else at.number(f"{name}_tp")

    return {
        "mode": "disaggregated",
        "gpus": prefill + decode,
        "tp": width("decode", decode),
        "ep": at.number("decode_ep"),
        "dp_attention": at.flag("decode_dp_attention"),
        "decode_workers": engines["decode"],
        "decode_gpus": decode,
        "prefill_workers": engines["prefill"],
        "prefill_gpus": prefill,
        "prefill_tp": width("prefill", prefill),
        "prefill_ep": at.number("prefill_ep"),
        "prefill_dp_attention": at.flag("prefill_dp_attention"),
    }


def profile_run(at: Fields) -> Run:
    """AIPerf and genai-perf: each metric with its unit and statistics; rates of the deployment, but one named per user."""

    def ms(name: str, statistic: str) -> float | None:
        unit = (at.text(name, "unit") or "ms").lower()
        if unit not in MS:
            raise at.fault((name, "unit"), f"'{unit[:60]}' is not one of {', '.join(MS)}")
        return at.number(name, statistic, scale=MS[unit])

    def middle(name: str) -> float | None:
        return ms(name, "p50") or ms(name, "avg")

    isl = at.number("input_sequence_length", "avg") or at.number("num_input_token", "avg")
    osl = at.number("output_sequence_length", "avg") or at.number("num_output_token", "avg")
    output, rate = at.number("output_token_throughput", "avg"), at.number("request_throughput", "avg")
    if not output and not rate:
        raise at.fault(("output_token_throughput",), "is missing, and so is request_throughput")
    output = output or (rate * osl if rate and osl else None)
    rate = rate or (output / osl if output and osl else None)
    mean = ms("request_latency", "avg") or request_ms(
        ms("time_to_first_token", "avg"), ms("inter_token_latency", "avg"), osl
    )
    tpot = middle("inter_token_latency")
    user = at.number("output_token_throughput_per_user", "p50") or at.number("output_token_throughput_per_user", "avg")
    name = _profiled_model(at)
    run = Run(
        "AIPerf or genai-perf",
        at.where,
        {
            "model": name,
            "weight_precision": precision_named(name or ""),
            "isl": isl,
            "osl": osl,
            "output_tok_s": output,
            "total_tok_s": rate * (isl + osl) if rate and isl and osl else at.number("total_token_throughput", "avg"),
            "tok_s_per_user": user or speed_of(tpot),
            "ttft_ms": middle("time_to_first_token"),
            "tpot_ms": tpot,
            "date": date_of(at.text("start_time")),
            **_boards(at),
        },
        _failed(at.number("error_request_count", "avg")),
    )
    return run.loaded(_profiled_load(at), in_flight(rate, mean), "the request rate and latency")


def _profiled_model(at: Fields) -> str | None:
    for path in (
        ("input_config", "endpoint", "model_names"),
        ("input_config", "model"),
        ("input_config", "models", "items"),
    ):
        found = at.find(*path)
        found = found[0] if isinstance(found, list) and found else found
        found = found.get("name") if isinstance(found, Mapping) else found
        if isinstance(found, str) and found:
            return found
    return None


def _profiled_load(at: Fields) -> float | None:
    for path in (
        ("input_config", "loadgen", "concurrency"),
        ("input_config", "perf_analyzer", "stimulus", "concurrency"),
        ("input_config", "concurrency"),
    ):
        found = at.number(*path) if not isinstance(at.find(*path), Mapping | list) else None
        if found:
            return found
    return None


def _boards(at: Fields) -> dict[str, Any]:
    """Accelerator, number and mean board power of the GPUs that telemetry lists."""
    boards = list(_gpus_in(at.find("telemetry_data")))
    if not boards:
        return {}
    watts = [Fields(at.where, board).number("metrics", "gpu_power_usage", "avg") for board in boards]
    known = [value for value in watts if value is not None]
    names = {str(board["gpu_name"]) for board in boards}
    return {
        "accelerator": names.pop() if len(names) == 1 else None,
        "gpus": float(len(boards)),
        "avg_power_w_per_gpu": sum(known) / len(known) if len(known) == len(boards) else None,
    }


def _gpus_in(held: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(held, Mapping):
        if "gpu_name" in held:
            yield held
            return
        for value in held.values():
            yield from _gpus_in(value)
    elif isinstance(held, list):
        for value in held:
            yield from _gpus_in(value)


def guidellm_runs(at: Fields) -> Iterator[Run]:
    """guidellm: a list of benchmarks; successful requests; request latency in **seconds**, token latencies in ms."""
    for number, found in enumerate(at.held["benchmarks"], start=1):
        where = f"{at.where} benchmark {number}"
        if not isinstance(found, Mapping) or not isinstance(found.get("metrics"), Mapping):
            raise InputError(f"{where} metrics: is missing")
        one = Fields(where, found)
        names = ("requests_per_second", "prompt_token_count", "output_token_count")
        rate, isl, osl = (one.needed("metrics", name, "successful", "mean") for name in names)
        tpot = one.number("metrics", "inter_token_latency_ms", "successful", "median")
        strategy = one.find("config", "strategy") or one.find("args", "strategy") or {}
        held = Fields(where, strategy if isinstance(strategy, Mapping) else {})
        stated = held.number("streams") or held.number("max_concurrency")
        mean = one.number("metrics", "request_latency", "successful", "mean", scale=1e3)
        model = one.text("config", "backend", "model") or one.text("worker", "backend_model")
        model = model or at.text("args", "model") or at.text("config", "backend", "model")
        run = Run(
            "guidellm",
            where,
            {
                "model": model,
                "weight_precision": precision_named(model or ""),
                "isl": isl,
                "osl": osl,
                "total_tok_s": rate * (isl + osl),
                "output_tok_s": rate * osl,
                "tok_s_per_user": speed_of(tpot),
                "ttft_ms": one.number("metrics", "time_to_first_token_ms", "successful", "median"),
                "tpot_ms": tpot,
                "date": date_of(one.text("start_time") or one.text("scheduler_metrics", "start_time")),
            },
        )
        worked = one.number("metrics", "request_concurrency", "successful", "mean") or in_flight(rate, mean)
        stated = stated if stated and stated == round(stated) else None
        yield run.loaded(stated, worked, "requests and their latency")


def inference_perf_run(at: Fields) -> Run:
    """inference-perf stage or summary: latencies in **seconds**, successes alone."""
    names = ("requests_per_sec", "input_tokens_per_sec", "output_tokens_per_sec")
    rate, read, written = (at.needed("successes", "throughput", name) for name in names)
    latency = ("successes", "latency")
    tpot = at.number(*latency, "time_per_output_token", "median", scale=1e3)
    mean = at.number(*latency, "request_latency", "mean", scale=1e3)
    run = Run(
        "inference-perf",
        at.where,
        {
            "isl": at.number("successes", "prompt_len", "mean") or read / rate,
            "osl": at.number("successes", "output_len", "mean") or written / rate,
            "total_tok_s": read + written,
            "output_tok_s": written,
            "tok_s_per_user": speed_of(tpot),
            "ttft_ms": at.number(*latency, "time_to_first_token", "median", scale=1e3),
            "tpot_ms": tpot,
        },
        _failed(at.number("failures", "count")),
    )
    return run.loaded(at.number("load_summary", "concurrency"), in_flight(rate, mean), "the request rate and latency")


def trtllm_run(at: Fields) -> Run:
    """``trtllm-bench --report_json``: rates of the deployment, latencies in ms; the report names GPU, widths and formats."""
    isl, osl = at.needed("request_info", "avg_input_length"), at.needed("request_info", "avg_output_length")
    output = at.needed("performance", "system_output_throughput_tok_s")
    total = at.number("performance", "system_total_throughput_tok_s") or output * (isl + osl) / osl
    tpot = at.number("streaming_metrics", "tpot_percentiles", "p50") or at.number("streaming_metrics", "avg_tpot_ms")
    ttft = at.number("streaming_metrics", "ttft_percentiles", "p50") or at.number("streaming_metrics", "avg_ttft_ms")
    quantised = at.text("engine", "quantization") or at.text("engine", "dtype") or ""
    widths = at.number("world_info", "tp_size"), at.number("world_info", "pp_size") or 1.0
    gpus = at.number("world_info", "world_size") or (widths[0] * widths[1] if widths[0] else None)
    return Run(
        "trtllm-bench",
        at.where,
        {
            "accelerator": at.text("machine", "name"),
            "gpus": gpus,
            "model": at.text("engine", "model"),
            "weight_precision": quantised if precision_named(quantised) else None,
            "kv_precision": precision_named(at.text("engine", "kv_cache_dtype") or ""),
            "engine": "trtllm",
            "engine_version": at.text("engine", "version"),
            "mode": "aggregated",
            "tp": widths[0],
            "pp": widths[1],
            "ep": at.number("world_info", "ep_size"),
            "isl": isl,
            "osl": osl,
            "concurrency": at.number("request_info", "avg_num_concurrent_requests"),
            "total_tok_s": total,
            "output_tok_s": output,
            "tok_s_per_user": speed_of(tpot),
            "ttft_ms": ttft,
            "tpot_ms": tpot,
            # Whether it adds several boards up is not documented
            "avg_power_w_per_gpu": at.number("energy", "average_gpu_power") if gpus == 1.0 else None,
        },
    )


def _one(read: Callable[[Fields], Run]) -> Callable[[Fields], Iterator[Run]]:
    def runs(at: Fields) -> Iterator[Run]:
        yield read(at)

    return runs


LAYOUTS: Final[tuple[tuple[str, Callable[[Mapping[str, Any]], bool], Callable[[Fields], Iterator[Run]]], ...]] = (
    ("InferenceX", lambda x: "tput_per_gpu" in x or _inner(x, "metrics", "tput_per_gpu"), _one(inferencex_run)),
    ("guidellm", lambda x: isinstance(x.get("benchmarks"), list), guidellm_runs),
    ("inference-perf", lambda x: _inner(x, "successes", "throughput"), _one(inference_perf_run)),
    ("trtllm-bench", lambda x: _inner(x, "performance", "system_output_throughput_tok_s"), _one(trtllm_run)),
    (
        "vllm bench serve and SGLang bench_serving",
        lambda x: {"completed", "duration", "total_input_tokens"} <= set(x),
        _one(client_run),
    ),
    ("vllm bench throughput", lambda x: {"elapsed_time", "total_num_tokens"} <= set(x), _one(offline_run)),
    (
        "AIPerf and genai-perf",
        lambda x: _inner(x, "output_token_throughput", "avg") or _inner(x, "request_throughput", "avg"),
        _one(profile_run),
    ),
)
"""Name of a tool, what tells its files apart, and how they are read; the first that fits is taken."""
NEIGHBOURS: Final[tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...]] = (
    (
        lambda x: _inner(x, "metadata", "conversation_id") or _inner(x, "metadata", "x_request_id"),
        "records of single requests by AIPerf; the run is in profile_export_aiperf.json",
    ),
    (
        lambda x: isinstance(x.get("experiments"), list),
        "records of single requests by genai-perf; the run is in profile_export_genai_perf.json",
    ),
    (
        lambda x: {"avg_latency", "latencies"} <= set(x),
        "vllm bench latency: neither lengths nor a rate; use vllm bench serve",
    ),
    (
        lambda x: _inner(x, "results", "lm_eval") or "lm_eval_version" in x,
        "an accuracy evaluation, not a benchmark of speed",
    ),
)
"""Files that lie beside a result and are none, and where the result is."""


def _inner(held: Mapping[str, Any], first: str, second: str) -> bool:
    found = held.get(first)
    return isinstance(found, Mapping) and second in found


def runs_of(name: str, text: str) -> list[Run]:
    """Runs of a file's text, of any layout; see :func:`rackecon.intake.benchmarks.read_runs`."""
    if text.lstrip().startswith(("{", "[")):
        found = [run for where, held in objects_in(name, text) for run in _recognised(where, held)]
    elif name.lower().endswith((".yaml", ".yml")):
        found = list(_recognised(name, yaml_of(name, text)))
    else:
        found = [run for where, held in tables_in(name, text) for run in _recognised(where, held)]
    if not found:
        raise InputError(f"{name}: no runs")
    return found


def _recognised(where: str, held: Any) -> Iterator[Run]:
    if isinstance(held, Mapping):
        for _, fits, read in LAYOUTS:
            if fits(held):
                return read(Fields(where, held))
        for fits, what in NEIGHBOURS:
            if fits(held):
                raise InputError(f"{where}: {what}")
    known = ", ".join(name for name, _, _ in LAYOUTS)
    raise InputError(
        f"{where}: no known benchmark result; read are {known}, and CSV of data/measured_serving.csv's columns"
    )
