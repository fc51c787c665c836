"""The memory ledger of a GPU: weights, reserve, and what is left for the cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon.arrays import BoolArray, FloatArray
from rackecon.performance.engine import Engine
from rackecon.units import GB_BYTES

# Engines hand nine tenths of what the weights leave to the cache; runtime, activations and graphs take about 2 GB more
CACHE_SHARE = 0.9
RESERVE_BYTES = 2.0 * GB_BYTES


@dataclass(frozen=True)
class Ledger:
    """Bytes per GPU, and the sequences of a given length that an engine can hold."""

    hbm_bytes: FloatArray
    weight_bytes: FloatArray
    cache_bytes: FloatArray
    sequence_bytes: FloatArray
    max_sequences: FloatArray
    fits: BoolArray

    def text(self, row: int = 0) -> str:
        """The ledger of one row as a sentence."""
        return self.texts(row)[0]

    def texts(self, column: int) -> tuple[str, ...]:
        """The ledger of one layout as a sentence, for each of the sequences that are asked for on an axis before it."""
        shape = np.shape(self.fits)
        each = (self.hbm_bytes, self.weight_bytes, self.cache_bytes, self.sequence_bytes)
        rows = np.stack([np.broadcast_to(x, shape).reshape(-1, shape[-1])[:, column] for x in each], 1) / GB_BYTES
        return tuple(
            f"per GPU: HBM {hbm:.1f} GB, weights {weights:.1f} GB, left for the cache {max(cache, 0.0):.1f} GB, "
            f"one sequence {one:.3f} GB"
            for hbm, weights, cache, one in rows.tolist()
        )


def reserved_context(engine: Engine, isl_tokens: FloatArray, osl_tokens: FloatArray) -> FloatArray:
    """Context that the scheduler sets aside for a running sequence [tokens].

    TensorRT-LLM admits a request only where its whole length fits (no eviction); the others admit on the mean resident
    length and a margin, and preempt.

    Source: the engines' documentation (TensorRT-LLM's ``GUARANTEED_NO_EVICT``; preemption in vLLM and SGLang).
    """
    return np.asarray(isl_tokens + engine.reserve_share * osl_tokens)


def ledger(engine: Engine, context_tokens: FloatArray) -> Ledger:
    """Memory per GPU and the largest batch that fits.

    Parameters
    ----------
    engine : Engine
        Layouts, one row each.
    context_tokens : array
        Mean resident context of a sequence [tokens].

    Notes
    -----
    Weights: attention is replicated over data-parallel ranks, everything else is sharded over ``tp``, all over ``pp``.
    Cache: grouped-query heads shard up to their number, a latent is held whole on each tensor-parallel rank.
    Window layers keep their window, or the whole context where the engine has one pool for all layers.

    Source: paged caches as in Kwon et al. (2023), the latent of DeepSeek-V2's report (2024); the sum is own accounting.
    """
    body = (
        engine.attention_bytes / engine.attention_tp
        + (engine.dense_bytes + engine.shared_bytes + 2.0 * engine.head_bytes) / engine.dense_tp
        + engine.routed_bytes / engine.tp
    )
    weights = body / engine.pp
    cache = CACHE_SHARE * (engine.hbm_bytes - weights) - RESERVE_BYTES
    window = np.minimum(context_tokens, engine.window_kept_tokens)
    sequence = (
        (engine.kv_full_bytes + engine.kv_index_bytes) * context_tokens + engine.kv_window_bytes * window
    ) / engine.kv_shard + engine.state_bytes / engine.attention_tp
    sequence = sequence / engine.pp
    most = np.maximum(cache, 0.0) / np.maximum(sequence, 1.0) * engine.dp
    return Ledger(engine.hbm_bytes, weights, cache, sequence, most, (cache > 0) & (most >= 1.0))
