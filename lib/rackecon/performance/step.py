"""What one step costs: decode of a running batch, prefill of a prompt.

Operator time is a smooth roofline, :math:`t = ((F/(e_c P))^2 + (B/(e_m W))^2)^{1/2}`, with starts and host time on top.
Every function broadcasts over the rows of an :class:`~rackecon.performance.engine.Engine`; ``v`` holds the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rackecon.performance.engine import Engine
from rackecon.performance.moe import GRID_LOG2_TOKENS, rank_imbalance
from rackecon.units import US

__all__ = ["StepTime", "decode_step", "prefill_pass"]

FloatArray = NDArray[np.float64]
MS = 1e-3
PREFILLING_SHARE = 0.1  # share of the requests in flight that prefill at a time, under light load
EPLB_IMBALANCE = 0.5  # share of the imbalance left where redundant experts are in use (EP of 16 and wider)


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step by operator; ``total`` adds them."""

    attention_weights: FloatArray
    kv: FloatArray
    dense: FloatArray
    experts: FloatArray
    head: FloatArray
    network: FloatArray
    fixed: FloatArray
    compute_share: FloatArray

    @property
    def total(self) -> FloatArray:
        """Whole step [s]."""
        weights = self.attention_weights + self.dense + self.experts + self.head
        return np.asarray(weights + self.kv + self.network + self.fixed)


def _roof(flop_s: FloatArray, byte_s: FloatArray) -> FloatArray:
    return np.sqrt(flop_s * flop_s + byte_s * byte_s)


def _distinct_share(engine: Engine, tokens: FloatArray) -> FloatArray:
    """Share of a layer's experts that a step touches, by interpolation on the grid of log2 tokens."""
    step = GRID_LOG2_TOKENS[1]
    position = np.clip(np.log2(np.maximum(tokens, 1.0)) / step, 0.0, len(GRID_LOG2_TOKENS) - 1.001)
    low = position.astype(np.intp)
    rows = np.arange(len(engine.distinct_share))
    left = engine.distinct_share[rows, low]
    return np.asarray(left + (position - low) * (engine.distinct_share[rows, low + 1] - left))


def _imbalance(engine: Engine, v: FloatArray) -> FloatArray:
    full = rank_imbalance(engine.ep, v[engine.keys["imbalance"]])
    return np.where(engine.ep >= 16, 1.0 + (full - 1.0) * EPLB_IMBALANCE, full)


def _network(
    engine: Engine, v: FloatArray, tokens: FloatArray, tokens_rank: FloatArray, parts: FloatArray
) -> FloatArray:
    """All-reduce (tensor parallel) or all-to-all (data-parallel attention) and pipeline sends of one pass [s]."""
    tp, ep = engine.tp, engine.ep
    rate = np.where(engine.crosses_nic > 0, engine.nic_bytes_per_s, engine.link_bytes_per_s)
    start = engine.link_start_s * v[engine.keys["allreduce"]]
    wire = engine.hidden * engine.value_bytes
    ring = 2.0 * (tp - 1.0) / tp * tokens * wire / rate
    reduce = np.where(
        (tp > 1) & (engine.dp <= 1), 2.0 * engine.layers * (start * parts + v[engine.keys["allreduce"]] * ring), 0.0
    )
    reach = np.minimum(engine.top_k, ep) * (ep - 1.0) / np.maximum(ep, 1.0)
    sent = tokens_rank * engine.hidden * 3.0 * reach / rate  # dispatch in one byte a value, combine in two
    a2a = engine.moe_layers * (v[engine.keys["a2a_start"]] * US * parts + sent)
    gather = engine.moe_layers * (2.0 * start * parts + 2.0 * (tp - 1.0) / tp * tokens * wire / rate)
    spread = np.where(engine.dp > 1, np.where(ep > 1, a2a, gather), 0.0)
    pipe = (engine.pp - 1.0) * (start * parts + tokens * wire / rate)
    return np.asarray(reduce + spread + pipe)


def _weights(engine: Engine, v: FloatArray, tokens: FloatArray, tokens_rank: FloatArray) -> tuple[FloatArray, ...]:
    """Times of attention projections, dense and shared layers, routed experts, each for a whole pass [s]."""
    memory, compute = v[engine.keys["memory"]], v[engine.keys["compute"]]
    tp = engine.tp
    other_bw, other_peak = engine.other_bandwidth * memory, engine.other_flops * compute
    attention = _roof(
        2.0 * engine.attention_params * tokens_rank / (engine.attention_tp * other_peak),
        engine.attention_bytes / (engine.attention_tp * other_bw),
    )
    dense = _roof(
        2.0 * (engine.dense_params + engine.shared_params) * tokens / (tp * other_peak),
        (engine.dense_bytes + engine.shared_bytes) / (tp * other_bw),
    )
    imbalance = _imbalance(engine, v)
    flop = 2.0 * engine.expert_params * engine.moe_layers * engine.top_k * tokens * imbalance
    read = engine.routed_bytes * _distinct_share(engine, tokens) * (1.0 + 0.3 * (imbalance - 1.0))
    width = engine.expert_width * np.minimum(engine.ep, tp) / tp
    narrow = width / (width + v[engine.keys["narrow"]])  # thin slices of an expert keep the arithmetic units half idle
    expert_speed = v[engine.keys["expert"]] * narrow
    experts = engine.is_moe * _roof(
        flop / (tp * engine.expert_flops * compute * expert_speed * 0.75),
        read / (tp * engine.expert_bandwidth * memory * 0.9),
    )
    return attention, dense, experts, flop


def decode_step(
    engine: Engine, v: FloatArray, sequences: FloatArray, query_tokens: FloatArray, context_tokens: FloatArray
) -> StepTime:
    """Time of one decode step of an engine.

    Parameters
    ----------
    engine : Engine
        Layouts, one row each.
    v : ndarray
        Parameter vector.
    sequences : array
        Running sequences of the engine [sequences].
    query_tokens : array
        Tokens verified per sequence: 1 plus draft depth [tokens].
    context_tokens : array
        Mean context per sequence [tokens].

    Returns
    -------
    StepTime
        [s]. A step never gets cheaper with more sequences, context or draft tokens.
    """
    batch = np.maximum(sequences / engine.pp, 1e-3)
    tokens = batch * query_tokens
    local = np.maximum(batch / engine.dp, np.minimum(batch, 1.0))
    tokens_rank = local * query_tokens
    memory, compute = v[engine.keys["memory"]], v[engine.keys["compute"]]
    attention, dense, experts, _ = _weights(engine, v, tokens, tokens_rank)
    seen = np.minimum(context_tokens, engine.sparse_tokens)
    window = np.minimum(context_tokens, engine.window_tokens)
    read = engine.kv_full_bytes * seen + engine.kv_index_bytes * context_tokens + engine.kv_window_bytes * window
    work = engine.decode_flop_per_context * seen + engine.decode_flop_per_window * window
    kv = _roof(
        local * query_tokens * work / (engine.attention_tp * engine.attention_flops * compute),
        local
        * (read / engine.kv_shard + 2.0 * engine.state_bytes / engine.attention_tp)
        / (engine.kv_bandwidth * memory),
    )
    head = _roof(
        2.0 * engine.head_params * tokens / (engine.tp * engine.other_flops * compute),
        engine.head_bytes / (engine.tp * engine.other_bandwidth * memory),
    )
    network = _network(engine, v, tokens, tokens_rank, np.ones_like(tokens))
    fixed = (
        v[engine.keys["layer"]] * US * engine.layers
        + engine.is_mla * v[engine.keys["mla_layer"]] * US * engine.layers
        + engine.is_moe * v[engine.keys["moe_start"]] * US * engine.moe_layers
        + v[engine.keys["host"]] * MS
        + v[engine.keys["sequence"]] * US * local
        + np.where(query_tokens > 1.0, v[engine.keys["mtp_extra"]] * MS, 0.0)
    )
    share = 2.0 * engine.attention_params * tokens_rank / (engine.attention_tp * engine.other_flops * compute)
    return StepTime(attention, kv, dense, experts, head, network, fixed, share / np.maximum(attention, 1e-12))


def prefill_pass(
    engine: Engine,
    v: FloatArray,
    fresh_tokens: FloatArray,
    past_tokens: FloatArray,
    prompts: FloatArray,
    load: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Time of prefilling prompts.

    Parameters
    ----------
    engine : Engine
        Layouts, one row each.
    v : ndarray
        Parameter vector.
    fresh_tokens, past_tokens : array
        Tokens to compute and tokens served from a prefix cache, per prompt [tokens].
    prompts : array
        Prompts batched together on each data-parallel rank [prompts].
    load : array, optional
        Requests in flight per engine [requests]: under light load few data-parallel ranks hold a prompt, and experts
        and dense layers then work for those alone. All ranks by default.

    Returns
    -------
    tuple of ndarray
        ``(latency, busy)``: seconds until the batch is done, and engine seconds per prompt.
    """
    fresh = np.maximum(fresh_tokens, 1.0)
    rank_tokens = fresh * prompts
    tokens = rank_tokens * engine.dp
    compute = v[engine.keys["compute"]]
    mean_context = past_tokens + 0.5 * fresh
    seen = np.minimum(mean_context, engine.sparse_tokens)
    window = np.minimum(mean_context, engine.window_tokens)
    pairs = engine.prefill_flop_per_pair * seen + engine.prefill_flop_per_window * window
    core = rank_tokens * pairs / (engine.attention_tp * engine.attention_flops * compute)
    wide = np.where((engine.dp > 1) & (engine.ep >= 4), v[engine.keys["wide_prefill"]], 1.0)
    scale = v[engine.keys["prefill"]] * wide
    fixed = v[engine.keys["layer"]] * US * engine.layers + v[engine.keys["prefill_fixed"]] * MS

    def duration(together: FloatArray) -> FloatArray:
        attention, dense, experts, _ = _weights(engine, v, together, rank_tokens)
        network = _network(engine, v, together, rank_tokens, np.ones_like(together))
        return np.asarray((attention + dense + experts + core) * scale + network + fixed)

    full = duration(tokens)
    latency = full
    if load is not None and bool(np.any(engine.dp > 1.0)):
        waiting = np.maximum(load, 1.0) * PREFILLING_SHARE
        filled = 1.0 + (engine.dp - 1.0) * waiting / (waiting + engine.dp)
        latency = duration(rank_tokens * filled)
    return latency, np.asarray(full / (engine.dp * prompts * engine.pp))
