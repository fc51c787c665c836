"""Which parallel layouts are worth trying on a platform, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackecon.catalog import Accelerator, Model
from rackecon.performance.families import NODE_GPUS
from rackecon.units import BITS_PER_BYTE

NODE_WIDTHS = (1, 2, 4, NODE_GPUS)
WIDE_WIDTHS = (16, 32, 48)
NODES_WIDE = {"hopper": (72, 144)}
"""Expert widths that are run over the network between nodes, in deployments of :data:`WIDE_FROM` GPUs and more."""
WIDE_FROM = 96
PREFILL_WIDE = (16, 32)
MOST_WEIGHTS = 0.9  # of memory [-], 0.8 to 0.95: what is left holds cache and activations; own, as engines reserve


@dataclass(frozen=True)
class Layout:
    """Parallelism of one engine: tensor, expert and pipeline width, and data-parallel attention."""

    tp: int
    ep: int = 1
    pp: int = 1
    dp_attention: bool = False

    @property
    def gpus(self) -> int:
        """GPUs of the engine."""
        return self.tp * self.pp

    @property
    def name(self) -> str:
        """Usual short name: TP8, TEP8, DEP32, TP8 PP2.

        Examples
        --------
        >>> Layout(32, 32, 1, True).name
        'DEP32'
        """
        kind = (
            "DEP"
            if self.dp_attention and self.ep > 1
            else "DP"
            if self.dp_attention
            else "TEP"
            if self.ep > 1
            else "TP"
        )
        return f"{kind}{self.tp}" + (f" PP{self.pp}" if self.pp > 1 else "")


def engine_layouts(accelerator: Accelerator, model: Model, weight_bits: float = 8.0) -> list[Layout]:
    """Layouts of an aggregated engine: one node, as every public engine runs; more nodes where one is too small.

    Parameters
    ----------
    weight_bits : float
        Bits of a weight: whether a node holds the model.

    Notes
    -----
    No measured row and no recipe of the public benchmark (data/measured_serving.csv; its ``configs/``, 2026-08) runs an
    aggregated engine of more than 8 GPUs, or in pipeline stages, where a node holds the model.

    Attention ranks come with experts spread over them (DEP). On AMD public sweeps of DeepSeek-R1 ran that in decode pools
    from 2026-01-08 and never in shared engines, so it is tried there in the former alone; models without sweeps try it in
    both. Ranks over experts that stay tensor parallel are in the recipes of DeepSeek-V4-Pro on MI355X alone, ATOM's image of
    2026-06-16 and SGLang's of 2026-07-06, both after the newest measurement of an AMD part: they are tried where a caller
    holds ``tp=8, ep=1, dp_attention=True``, and stay out of an open search until somebody measures them.

    Examples
    --------
    >>> from rackecon.catalog import accelerator, model
    >>> [x.name for x in engine_layouts(accelerator("h200-sxm"), model("llama-3.3-70b"))]
    ['TP1', 'TP2', 'TP4', 'TP8']
    >>> engine_layouts(accelerator("h100-sxm"), model("deepseek-r1"))[-1].name
    'DEP16'
    """
    found = [Layout(w) for w in NODE_WIDTHS]
    if model.is_moe:
        found += _expert_layouts(NODE_WIDTHS, model)
    if _exceeds(accelerator, model, weight_bits, NODE_WIDTHS[-1]):
        found += [Layout(NODE_GPUS, 1, 2), Layout(2 * NODE_GPUS)]
        if model.is_moe:
            found += [Layout(NODE_GPUS, NODE_GPUS, 2), *_expert_layouts((2 * NODE_GPUS,), model)]
    return found


def decode_layouts(
    accelerator: Accelerator, model: Model, weight_bits: float = 8.0, most_gpus: int = 128
) -> list[Layout]:
    """Layouts of a decode engine of a disaggregated deployment: also wide expert parallelism.

    Notes
    -----
    In large domains up to 48 GPUs (data/measured_serving.csv); elsewhere 16, and on Hopper up to 144 across nodes in
    deployments of 96 GPUs and more (DeepSeek's report of 2025-02, 96 H100 of LMSYS in 2025-05).
    """
    found = [x for x in engine_layouts(accelerator, model, weight_bits) if x.pp == 1]
    if not model.is_moe:
        return found
    wide: tuple[int, ...] = WIDE_WIDTHS if accelerator.rack_scale else WIDE_WIDTHS[:1]
    if most_gpus >= WIDE_FROM:
        wide += NODES_WIDE.get(accelerator.family, ())
    return found + [x for x in _expert_layouts(wide, model) if x.dp_attention and x not in found]


def prefill_layouts(
    accelerator: Accelerator, model: Model, weight_bits: float = 8.0, most_gpus: int = 128
) -> list[Layout]:
    """Layouts of a prefill engine: one node; on Hopper two, and four in deployments of 96 GPUs and more."""
    found = [Layout(w) for w in NODE_WIDTHS]
    if not model.is_moe:
        return found
    found += _expert_layouts(NODE_WIDTHS, model)
    if accelerator.family in NODES_WIDE:
        widths = PREFILL_WIDE if most_gpus >= WIDE_FROM else PREFILL_WIDE[:1]
        found += [x for x in _expert_layouts(widths, model) if x.dp_attention]
        if _exceeds(accelerator, model, weight_bits, NODE_WIDTHS[-1]):
            found.append(Layout(2 * NODE_GPUS))
    return found


def _expert_layouts(widths: tuple[int, ...], model: Model) -> list[Layout]:
    """Expert parallelism over some widths, with tensor-parallel attention and with data-parallel attention."""
    able = [w for w in widths if 1 < w <= model.n_experts]
    return [Layout(w, w) for w in able] + [Layout(w, w, 1, True) for w in able]


def _exceeds(accelerator: Accelerator, model: Model, weight_bits: float, gpus: int) -> bool:
    """Whether weights leave less than a tenth of some GPUs' memory."""
    return model.total_params * weight_bits / BITS_PER_BYTE > MOST_WEIGHTS * gpus * accelerator.hbm_bytes


def matches(layout: Layout, hold: Mapping[str, object]) -> bool:
    """Whether a layout has the values held; those that are not of a layout do not matter."""
    widths = layout.__dataclass_fields__
    return all(getattr(layout, name) == value for name, value in hold.items() if name in widths)
