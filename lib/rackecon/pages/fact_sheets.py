"""The facts as readers want them: one row per platform or model, ranges and grades shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon import catalog
from rackecon.catalog import Accelerator, Model
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.figures.tables import spans
from rackecon.lazy import pd
from rackecon.words import number

PLATFORM_HEADERS = {
    "platform": "platform",
    "bf16": "BF16, PFLOP/s",
    "fp8": "FP8, PFLOP/s",
    "fp4": "FP4, PFLOP/s",
    "memory": "memory, GiB",
    "bandwidth": "memory, TB/s",
    "link": "scale-up, GB/s one way",
    "domain": "GPUs in domain",
    "tdp": "TDP, W",
    "kernels": "kernel tables",
    "status": "status",
    "grade": "grade",
}
COST_VINTAGES, POWER_VINTAGES = ("2026-07", "2025-08"), ("2026-07", "2025-10")
COST_HEADERS = {
    "platform": "platform",
    "now": f"USD per GPU-hour, {COST_VINTAGES[0]}",
    "before": f"USD per GPU-hour, {COST_VINTAGES[1]}",
    "kw_now": f"kW per GPU, {POWER_VINTAGES[0]}",
    "kw_before": f"kW per GPU, {POWER_VINTAGES[1]}",
    "gpus": "GPUs per rack",
    "rack_kw": "rack IT power, kW",
    "rack_grade": "rack grade",
    "capex": "build-up possible",
}
ATTENTION = {"gqa": "grouped", "mla": "latent", "dsa": "sparse", "v4": "compressed"}
MODEL_HEADERS = {
    "model": "model",
    "total": "total, bn",
    "published": "published total, bn",
    "active": "active, bn",
    "weights": "native weights, GB",
    "cache": "cache, kB per token",
    "attention": "attention",
    "experts": "experts (per token)",
    "note": "exception",
}


DOMAIN_GPUS: Final = 8
"""GPUs whose memory is drawn: one node, or a part of a rack's domain."""
LEFT: Final = "left for cache and runtime"
"""Part of the memory that the weights do not take."""


@dataclass(frozen=True)
class Facts:
    """The memory chart's rows, and what the page's sentences quote."""

    memory: pd.DataFrame
    model_name: str
    most: tuple[str, ...]
    most_gb: float = field(metadata=in_unit("GB"))
    least: str = field(metadata=in_unit("text"))
    least_gb: float = field(metadata=in_unit("GB"))
    fast: str = field(metadata=in_unit("text"))
    slow: str = field(metadata=in_unit("text"))
    span: float = field(metadata=in_unit("-"))
    span_low: float = field(metadata=in_unit("-"))
    span_high: float = field(metadata=in_unit("-"))
    announced: tuple[str, ...]
    not_modelled: tuple[str, ...]


def _ends(rows: Iterable[Mapping[str, str]], column: str, of: float = 1.0) -> list[str]:
    """A published figure of each accelerator, and its ends where sources differ."""
    ends = [[row[f"{column}{end}"] for end in ("", "_low", "_high")] for row in rows]
    told = [
        [float(x or (value if low or high else "nan")) / of for x in (value, low, high)] for value, low, high in ends
    ]
    return spans(number, *zip(*told, strict=True), none="–")


def platform_sheet() -> pd.DataFrame:
    """One row per accelerator."""
    known, rows = list(catalog.read_rows("accelerators")), []
    for cells in known:
        chip = catalog.accelerator(cells["id"])
        rows.append(
            {
                "platform": chip.label,
                "bf16": chip.peak_bf16_flops / 1e15,
                "fp8": chip.peak_fp8_flops / 1e15,
                "fp4": "",
                "memory": "",
                "bandwidth": "",
                "link": chip.scaleup_bytes_per_s / 1e9,
                "domain": f"{chip.scaleup_domain_gpus:,}",
                "tdp": chip.tdp_w,
                "kernels": "inherited" if chip.kernel_inherited else "own",
                "status": chip.status + ("" if chip.servable else ", not modelled"),
                "grade": cells["grade"],
            }
        )
    published = {"fp4": ("peak_fp4_flops", 1e15), "memory": ("hbm_gib", 1.0), "bandwidth": ("hbm_tb_per_s", 1.0)}
    return pd.DataFrame(rows).assign(**{name: _ends(known, *column) for name, column in published.items()})


def cost_sheet() -> pd.DataFrame:
    """Published cost and power by vintage, and the rack."""
    from rackecon.economics.build_up_table import has_capex
    from rackecon.economics.cost import select_cost
    from rackecon.economics.power_table import all_in_kw

    racks = catalog.racks()
    rows = []
    for key, chip in catalog.accelerators().items():
        now, before = (select_cost(key, vintage=v) for v in COST_VINTAGES)
        kw = [all_in_kw(key, v) for v in POWER_VINTAGES]
        rack = racks.get(key)
        if now is None and before is None and not any(math.isfinite(x) for x in kw) and rack is None:
            continue
        rows.append(
            {
                "platform": chip.label,
                "now": now.usd_per_gpu_hour if now else math.nan,
                "before": before.usd_per_gpu_hour if before else math.nan,
                "kw_now": kw[0],
                "kw_before": kw[1],
                "gpus": str(rack.gpus_per_rack) if rack else "–",
                "rack_kw": kw[0] * rack.gpus_per_rack if rack else math.nan,
                "rack_grade": rack.grade if rack else "–",
                "capex": "yes" if has_capex(key) else "no: published or rental basis only",
            }
        )
    return pd.DataFrame(rows)


def model_sheet() -> pd.DataFrame:
    """One row per model."""
    rows = []
    for model in catalog.models().values():
        rows.append(
            {
                "model": model.name,
                "total": model.total_params / 1e9,
                "published": model.published_total_params / 1e9,
                "active": model.active_params / 1e9,
                "weights": model.native_weight_bytes / 1e9,
                "cache": model.kv_bytes_per_token_bf16 / 1e3,
                "attention": ATTENTION.get(model.attention, model.attention),
                "experts": f"{model.n_experts} ({model.top_k})" if model.is_moe else "dense",
                "note": model.exception_reason,
            }
        )
    return pd.DataFrame(rows).drop_duplicates("model")


def source_ids() -> list[str]:
    """Sources of accelerators, racks and models, and of the costs and powers that the page shows.

    Examples
    --------
    >>> "huggingface-co-gpt-oss-20b" in source_ids()
    True
    """
    from rackecon.economics.cost import select_cost
    from rackecon.economics.power_table import VINTAGE_METRICS

    facts = [row["source_id"] for name in ("accelerators", "racks", "models") for row in catalog.read_rows(name)]
    costs = [select_cost(key, vintage=vintage) for key in catalog.accelerators() for vintage in COST_VINTAGES]
    power = [row["source_id"] for row in catalog.read_rows("power") if row["metric"] in VINTAGE_METRICS.values()]
    return [*facts, *(cost.source_id for cost in costs if cost), *power]


def _marked(chip: Accelerator) -> str:
    return chip.label + (" (announced)" if chip.status == "announced" else "")


def held_weights(chip: Accelerator, arch: Model) -> tuple[str, float]:
    """The precision that a platform usually runs a model in, and its weights in that [bytes]."""
    from rackecon.serving.query import default_weight_precision

    precision = default_weight_precision(chip, arch)
    bits = {"fp4": min(arch.native_expert_bits, 4.5), "int4": arch.native_expert_bits, "fp8": 8.0, "bf16": 16.0}[
        precision
    ]
    return precision, arch.native_weight_bytes if arch.native_expert_bits <= bits else arch.total_params * bits / 8.0


def tokens_beside(accelerator: str, model: str, kv_precision: str = "bf16") -> float:
    """Tokens of context that eight GPUs hold beside the weights, all users together; none where the weights do not fit.

    Parameters
    ----------
    accelerator, model : str
        Ids.
    kv_precision : str
        ``bf16`` or ``fp8``.

    Examples
    --------
    >>> tokens_beside("h100-sxm", "gpt-oss-120b") > tokens_beside("h100-sxm", "llama-3.3-70b")
    True
    """
    chip, arch = catalog.accelerator(accelerator), catalog.model(model)
    room = DOMAIN_GPUS * chip.hbm_bytes - held_weights(chip, arch)[1]
    return max(room, 0.0) / float(getattr(arch, f"kv_bytes_per_token_{kv_precision}"))


def _bandwidth(chip: Accelerator, end: str) -> float:
    """What the lowest or highest source gives as the bandwidth of a part's memory [TB/s]."""
    row = next(cells for cells in catalog.read_rows("accelerators") if cells["id"] == chip.id)
    return float(row[f"hbm_tb_per_s_{end}"] or row["hbm_tb_per_s"])


def facts(accelerators: Sequence[str], model: str) -> Facts:
    """Memory of eight GPUs with the model loaded, and what spans how far."""
    arch = catalog.model(model)
    chips = [catalog.accelerator(key) for key in accelerators]
    rows: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    room: dict[str, float] = {}
    for chip in chips:
        precision, held = held_weights(chip, arch)
        whole, weights = DOMAIN_GPUS * chip.hbm_bytes / 1e9, held / 1e9
        room[_marked(chip)] = whole - weights
        drawn = {"platform": _marked(chip)}
        rows.append(drawn | {"part": f"weights in {precision.upper()}", "gigabytes": min(weights, whole)})
        rest.append(drawn | {"part": LEFT, "gigabytes": max(whole - weights, 0.0)})
    best, worst = max(room, key=lambda key: room[key]), min(room, key=lambda key: room[key])
    fast, slow = max(chips, key=lambda c: c.hbm_bytes_per_s), min(chips, key=lambda c: c.hbm_bytes_per_s)
    every = catalog.accelerators().values()
    return Facts(
        memory=pd.DataFrame(rows + rest),
        model_name=arch.name,
        most=tuple(name for name, left in room.items() if left == room[best]),
        most_gb=room[best],
        least=worst,
        least_gb=room[worst],
        fast=_marked(fast),
        slow=_marked(slow),
        span=fast.hbm_bytes_per_s / slow.hbm_bytes_per_s,
        span_low=_bandwidth(fast, "low") / _bandwidth(slow, "high"),
        span_high=_bandwidth(fast, "high") / _bandwidth(slow, "low"),
        announced=tuple(chip.label for chip in every if chip.status == "announced"),
        not_modelled=tuple(chip.label for chip in every if not chip.servable),
    )


def figures(found: Facts) -> list[Figure]:
    """The page's results by key."""
    left = found.memory[found.memory["part"] == LEFT]
    return [*field_figures(found), *column_figures(left, ["platform"], {"gigabytes": "GB"}, "left")]
