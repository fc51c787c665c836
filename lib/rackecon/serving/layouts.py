"""Which parallel layouts are worth trying on a platform, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackecon.catalog import Accelerator, Model

__all__ = ["Layout", "decode_layouts", "engine_layouts", "matches", "prefill_layouts"]

NODE_WIDTHS = (1, 2, 4, 8)
WIDE_WIDTHS = (16, 32)


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


def engine_layouts(accelerator: Accelerator, model: Model) -> list[Layout]:
    """Layouts of an aggregated engine: one node, or up to 16 GPUs of a large domain."""
    widest = 8 if accelerator.scaleup_domain_gpus < 16 else 16
    widths = [w for w in (*NODE_WIDTHS, 16) if w <= max(widest, 1) and w <= max(accelerator.scaleup_domain_gpus, 8)]
    found = [Layout(w) for w in widths]
    if model.is_moe:
        found += [Layout(w, w) for w in widths if 1 < w <= model.n_experts]
        found += [Layout(w, w, 1, True) for w in widths if 1 < w <= model.n_experts]
    found.append(Layout(8, 1, 2))
    if model.is_moe:
        found.append(Layout(8, 8, 2))
    return found


def decode_layouts(accelerator: Accelerator, model: Model) -> list[Layout]:
    """Layouts of a decode engine of a disaggregated deployment: also wide expert parallelism in large domains."""
    found = [layout for layout in engine_layouts(accelerator, model) if layout.pp == 1]
    if model.is_moe:
        wide = WIDE_WIDTHS if accelerator.scaleup_domain_gpus >= 64 else (16,)
        for w in wide:
            layout = Layout(w, w, 1, True)
            if w <= model.n_experts and layout not in found:
                found.append(layout)
    return found


def prefill_layouts(accelerator: Accelerator, model: Model) -> list[Layout]:
    """Layouts of a prefill engine: one node."""
    found = [Layout(w) for w in NODE_WIDTHS]
    if model.is_moe:
        found += [Layout(w, w, 1, True) for w in NODE_WIDTHS[1:] if w <= model.n_experts]
        found += [Layout(w, w) for w in NODE_WIDTHS[1:] if w <= model.n_experts]
    return found


def matches(layout: Layout, hold: Mapping[str, object]) -> bool:
    """Whether a layout has the values held; those that are not of a layout do not matter."""
    return all(getattr(layout, name) == value for name, value in hold.items() if hasattr(layout, name))
