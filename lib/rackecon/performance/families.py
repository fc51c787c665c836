"""Which parameter applies to which accelerator, precision and engine: families, so that points are never fitted."""

from __future__ import annotations

import math

from rackecon.catalog import Accelerator, Model

ENGINES = (
    "trtllm",
    "dynamo-trtllm",
    "sglang",
    "dynamo-sglang",
    "mori-sglang",
    "vllm",
    "dynamo-vllm",
    "atom",
    "vllm-tpu",
)

POOL_ENGINES = {"nvidia": "dynamo-trtllm", "amd": "mori-sglang"}
NODE_GPUS = 8  # of a box; a wider domain has links of its own kind
MANY_EXPERTS = 200  # from which grouped kernels were measured apart (data/kernel_fits.csv: 128 and 256 experts)
COARSE_COLUMNS = 4096  # inner size from which an expert's product is as efficient as a dense one


def engine_family(engine: str, vendor: str) -> str:
    """Engine family of a named engine on a vendor's chips: trt, sglang, amd, atom, vllm.

    Examples
    --------
    >>> engine_family("dynamo-sglang", "nvidia"), engine_family("sglang", "amd")
    ('sglang', 'amd')
    """
    if "trtllm" in engine:
        return "trt"
    if engine == "atom":
        return "atom"
    if "sglang" in engine:
        return "amd" if vendor == "amd" else "sglang"
    return "vllm"


def default_engine(accelerator: Accelerator, mode: str = "aggregated") -> str:
    """The usual engine of a platform in a mode.

    Examples
    --------
    >>> from rackecon.catalog import accelerator
    >>> default_engine(accelerator("b200-hgx")), default_engine(accelerator("b200-hgx"), "disaggregated")
    ('trtllm', 'dynamo-trtllm')
    """
    if mode == "disaggregated" and accelerator.vendor in POOL_ENGINES:
        return POOL_ENGINES[accelerator.vendor]
    if accelerator.vendor == "nvidia":
        return "trtllm"
    if accelerator.vendor == "amd":
        return "atom" if accelerator.family in ("cdna4", "cdna5") else "sglang"
    return "vllm-tpu" if accelerator.family == "tpu" else "vllm"


def _chip(accelerator: Accelerator) -> str:
    return {
        "hopper": "hopper",
        "ampere": "older",
        "ada": "older",
        "blackwell": "blackwell",
        "rubin": "blackwell",
        "cdna3": "cdna3",
        "cdna4": "cdna4",
        "cdna5": "cdna4",
    }.get(accelerator.family, "other")


def parameter_names(accelerator: Accelerator, model: Model, precision: str, engine: str, mode: str) -> dict[str, str]:
    """Name of the parameter of each group that applies to a row."""
    chip, family = _chip(accelerator), engine_family(engine, accelerator.vendor)
    stack = "trt" if family == "trt" else "open"
    kind = precision
    if precision == "int4":  # widened to 16 bits on the way in, on every chip
        kind = "bf16" if chip == "blackwell" else "fp4"
    run = (
        "amd" if family == "vllm" and accelerator.vendor == "amd" else family
    )  # host times are of the chip's own stack
    if chip == "blackwell":
        memory = f"blackwell.{kind}.{stack}"
        prefill = f"blackwell.{kind}.{stack}" if kind != "bf16" else "blackwell.fp8." + stack
    elif chip == "hopper":
        memory = f"hopper.{'fp8' if kind != 'bf16' else 'bf16'}.{stack}"
        prefill = f"hopper.{stack}"
    elif chip in ("cdna3", "cdna4"):
        memory = "cdna3" if chip == "cdna3" else f"cdna4.{'fp4' if kind == 'fp4' else 'fp8'}"
        prefill = memory
    else:
        memory = prefill = "other"
    disaggregated = mode == "disaggregated"
    reach = "domain" if accelerator.scaleup_domain_gpus > NODE_GPUS else "node"
    if disaggregated and f"pool.{prefill}" in POOLS:
        prefill = f"pool.{prefill}"
    return {
        "memory": f"memory.{memory}",
        "compute": f"compute.{_compute_chip(chip, kind)}",
        "prefill": f"prefill.{prefill}",
        "host": f"host.{_host(chip, run)}",
        "layer": f"layer.{run}",
        "sequence": f"sequence.{run}",
        "prefill_fixed": f"prefill_fixed.{family}",
        "mix": f"mix.{family}",
        "accept": f"accept.{model.draft_method}",
        "accept_longer": f"accept_longer.{model.draft_method}",
        "mtp_extra": f"mtp_extra.{family}",
        "trend": f"trend.{_trend(chip, family, mode)}",
        "imbalance": f"imbalance.{stack}",
        "allreduce": "allreduce.all" if accelerator.vendor != "amd" else "allreduce.amd",
        "a2a_start": f"a2a_start.{reach}.{stack}",
        "exposed": f"exposed.{reach}.{stack}",
        "wide_start": "a2a_start.wide",
        "wide_exposed": "exposed.wide",
        "moe_start": f"moe_start.{stack}",
        "expert": f"expert.{_expert_kind(accelerator, model, precision)}",
        "narrow": "narrow.all",
        "expert_memory": "expert_memory.all",
        "elementwise": f"elementwise.all.{stack}",
        "elementwise_shared": f"elementwise.shared.{stack}",
        "handoff": f"handoff.{family if family in ('trt', 'amd') else 'sglang'}",
        "mla_layer": f"mla_layer.{stack}",
        "index_layer": "index_layer.all",
        "wide_prefill": f"wide_prefill.{_wide_prefill(family, chip, kind, reach)}",
        "ttft_base": f"ttft_base.{family}",
        "ttft_wait": f"ttft_wait.{'disaggregated' if disaggregated else 'aggregated'}",
        "ttft_dp": f"ttft_dp.{'pool' if disaggregated else 'all'}",
        "kv_transfer": "kv_transfer.all",
    }


# Prefill pools with measurements: an engine that only prefills has its own speed
POOLS = (
    "pool.hopper.trt",
    "pool.hopper.open",
    "pool.blackwell.fp8.trt",
    "pool.blackwell.fp8.open",
    "pool.blackwell.fp4.trt",
    "pool.blackwell.fp4.open",
    "pool.cdna4.fp8",
    "pool.cdna4.fp4",
)


def _host(chip: str, run: str) -> str:
    """Host time of a step: CDNA3 and TensorRT-LLM on Hopper have one each, since public runs show more of it there."""
    return {("cdna3", "amd"): "cdna3", ("hopper", "trt"): "trt.hopper"}.get((chip, run), run)


def _wide_prefill(family: str, chip: str, kind: str, reach: str) -> str:
    """Kernels of a data-parallel prefill: SGLang's experts there run another grouped product than with tensor parallelism,
    of each generation of chips its own.

    Of 8-bit experts on small Blackwell nodes the kernel tables show it at a fraction of the speed of the one that large domains
    use (kernel fits, moe). Of 4-bit experts public recipes name it: CUTLASS's with data-parallel attention, TensorRT-LLM's
    generated one without (``moe-runner-backend`` in recipes/gb300-fp4 of srt-slurm).
    """
    if family == "sglang" and chip == "blackwell":
        if kind == "fp4":
            return "sglang.fp4"
        if kind == "fp8" and reach == "node":
            return "sglang.node"
    if family == "sglang" and chip == "hopper":
        return "sglang.hopper"
    return family if family in ("trt", "sglang") else "other"


def _trend(chip: str, family: str, mode: str) -> str:
    """Software history that a row shares: by generation of chip and by engine."""
    if family == "trt":
        return "trt.new" if chip == "blackwell" else "trt.old"
    if family in ("amd", "atom"):
        return "cdna3" if chip == "cdna3" else "mori" if mode == "disaggregated" else family
    return "open"


def _compute_chip(chip: str, kind: str) -> str:
    """Arithmetic that is fitted together; CDNA by format, since its 4-bit peak is far from what its kernels reach."""
    if chip == "cdna4":
        return f"cdna4.{'fp4' if kind == 'fp4' else 'fp8'}"
    return chip if chip in ("hopper", "blackwell", "cdna3") else "other"


def _expert_kind(accelerator: Accelerator, model: Model, precision: str) -> str:
    """Kind of grouped product: by number of experts, and 4-bit weights on chips without 4-bit arithmetic."""
    if precision == "int4" or (precision == "fp4" and not math.isfinite(accelerator.peak_fp4_flops)):
        return "emulated"
    if model.moe_inter >= COARSE_COLUMNS:
        return "coarse"
    return "many" if model.kernel_experts >= MANY_EXPERTS else "few"


def intercept_cell(accelerator: str, family: str, precision: str, mode: str) -> str:
    """Name of the shrunk intercept of a row.

    Examples
    --------
    >>> intercept_cell("b200-hgx", "trt", "fp8", "aggregated")
    'b200-hgx|trt|fp8|aggregated'
    """
    return "|".join((accelerator, family, precision, mode))
