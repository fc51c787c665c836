"""What one step costs: decode of a running batch, prefill of a prompt.

Operator time is a smooth roofline, :math:`t = ((F/(e_c P))^2 + (B/(e_m W))^2)^{1/2}`, with starts and host time on top.
Source: the roofline of Williams, Waterman and Patterson (2009); the root of squares in place of their maximum is own.
Every function broadcasts over the rows of an :class:`~rackecon.performance.engine.Engine`; ``v`` holds the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rackecon.arrays import FloatArray, IntArray
from rackecon.performance.cells import ByCell
from rackecon.performance.curve import LEAST_BATCH, StepCurve, share_at
from rackecon.performance.engine import Engine
from rackecon.performance.moe import rank_imbalance
from rackecon.performance.shares import reached_bandwidth
from rackecon.units import US

MS = 1e-3
ROUTING_SHARE = 0.2  # a routed copy of a token is moved this often for each pass of the layer's own
PREFILLING_SHARE = 0.1  # share of the requests in flight that prefill at a time, under light load
OVERLAPPED_EP = (
    32.0  # expert width over the network from which public engines overlap (DeepSeek 2025-02, LMSYS 2025-05)
)
EPLB_EP = (
    16.0  # expert width from which redundant experts are in use: own, between a box and the 32 of DeepSeek (2025-02)
)
EPLB_IMBALANCE = 0.5  # share of the imbalance that they leave [-], 0 to 1; own
WIDE_PREFILL_EP = 4.0  # expert width from which prefill with data-parallel attention has a factor of its own, fitted
GROUPED_SHARE = 0.75
"""Of the arithmetic of dense products, in grouped products of experts [-], 0 to 1. Own start: the fitted ``expert`` multiplies it."""


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


def _row_starts(engine: Engine) -> IntArray:
    """Where each engine's curve begins in the flattened table of distinct shares."""
    return np.asarray(engine.share_row * engine.distinct_share.shape[-1])


def _imbalance(engine: Engine, v: FloatArray) -> FloatArray:
    full = rank_imbalance(engine.ep, v[engine.keys["imbalance"]])
    return np.where(engine.ep >= EPLB_EP, 1.0 + (full - 1.0) * EPLB_IMBALANCE, full)


def _network_terms(engine: Engine, v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """All-reduce (tensor parallel) or all-to-all (data-parallel attention) and pipeline sends.

    Returns
    -------
    tuple of ndarray
        Seconds per pass, per token of the engine, per token of an attention rank.
    """
    tp, ep = engine.tp, engine.ep
    rate = np.where(engine.crosses_nic > 0, engine.nic_bytes_per_s, engine.link_bytes_per_s)
    factor = v[engine.keys["allreduce"]]
    start = engine.link_start_s * factor
    wire = engine.hidden * engine.value_bytes / rate
    ring = 2.0 * (tp - 1.0) / tp * wire
    reduces = np.where((tp > 1) & (engine.dp <= 1), 2.0 * engine.layers, 0.0)
    spread = np.where(engine.dp > 1, engine.moe_layers, 0.0)
    direct = ep > 1
    # Experts spread over several nodes run two micro-batches in turn, one in computation, one in transfer
    overlapped = (engine.crosses_nic > 0) & (ep >= OVERLAPPED_EP)
    a2a = np.where(overlapped, v[engine.keys["wide_start"]], v[engine.keys["a2a_start"]]) * US
    exposed = np.where(overlapped, v[engine.keys["wide_exposed"]], v[engine.keys["exposed"]])
    reach = np.minimum(engine.top_k, ep) * (ep - 1.0) / np.maximum(ep, 1.0)
    sent = engine.hidden * 3.0 * reach / rate  # dispatch in one byte a value, combine in two
    fixed = reduces * start + spread * np.where(direct, a2a, 2.0 * start) + (engine.pp - 1.0) * start
    per_token = reduces * factor * ring + spread * np.where(direct, 0.0, ring) + (engine.pp - 1.0) * wire
    return (
        np.asarray(fixed),
        np.asarray(per_token),
        np.asarray(spread * np.where(direct, sent * exposed, 0.0)),
    )


def _weight_terms(
    engine: Engine, v: FloatArray
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Attention projections, dense and shared layers, routed experts: (s per token, s per pass) of each.

    Attention's token is one of its data-parallel rank; the experts' time per pass is with every expert touched.
    """
    memory, compute = v[engine.keys["memory"]], v[engine.keys["compute"]]
    tp = engine.tp
    peak, other_peak = engine.hbm_bytes_per_s, engine.other_flops * compute
    other_bw = reached_bandwidth(peak, engine.other_bandwidth * memory)
    expert_bw = reached_bandwidth(peak, engine.expert_bandwidth * memory * v[engine.keys["expert_memory"]])
    attention = (
        2.0 * engine.attention_params / (engine.attention_tp * other_peak),
        engine.attention_bytes / (engine.attention_tp * other_bw),
    )
    dense = (
        2.0 * (engine.dense_params + engine.shared_params) / (tp * other_peak),
        (engine.dense_bytes + engine.shared_bytes) / (engine.dense_tp * other_bw),
    )
    imbalance = _imbalance(engine, v)
    flop = 2.0 * engine.expert_params * engine.moe_layers * engine.top_k * imbalance
    read = engine.routed_bytes
    width = engine.expert_width * np.minimum(engine.ep, tp) / tp
    narrow = width / (width + v[engine.keys["narrow"]])  # thin slices of an expert keep the arithmetic units half idle
    speed = v[engine.keys["expert"]] * narrow
    experts = (
        engine.is_moe * flop / (tp * engine.expert_flops * compute * speed * GROUPED_SHARE),
        engine.is_moe * read / (tp * expert_bw),
    )
    return attention, dense, experts


def _moved_terms(engine: Engine) -> tuple[FloatArray, FloatArray]:
    """One pass of activations through memory: norms, rotations, quantisation (every rank holds all), routing (sharded).

    Returns
    -------
    tuple of ndarray
        Seconds per token of the engine, per token of an attention rank.
    """
    once = engine.hidden * engine.value_bytes / engine.hbm_bytes_per_s
    return np.asarray(once * ROUTING_SHARE * engine.moe_layers * engine.top_k / engine.tp), np.asarray(
        once * engine.layers
    )


@dataclass(frozen=True)
class PassTerms(ByCell):
    """What decode and prefill share: coefficients of weights, network and activations, whatever the lengths."""

    attention: tuple[FloatArray, FloatArray]  # s per token of a rank; s per pass
    dense: tuple[FloatArray, FloatArray]  # s per token; s per pass
    experts: tuple[FloatArray, FloatArray]  # s per token; s per pass with every expert touched
    network: tuple[FloatArray, FloatArray, FloatArray]  # s per pass, per token, per token of a rank
    moved: tuple[FloatArray, FloatArray]  # of one pass through memory: s per token, per token of a rank


def pass_terms(engine: Engine, v: FloatArray) -> PassTerms:
    """Coefficients that :func:`decode_terms` and :func:`prefill_pass` work out alike, for a caller that needs both."""
    attention, dense, experts = _weight_terms(engine, v)
    return PassTerms(attention, dense, experts, _network_terms(engine, v), _moved_terms(engine))


@dataclass(frozen=True)
class DecodeTerms(ByCell):
    """What a decode step costs per token and per rank, for fixed parameters, draft depth and context.

    A step is then a few sums and roots of the number of running sequences: :meth:`total` for loops, :meth:`step` for
    the parts.
    """

    pp: FloatArray
    dp: FloatArray
    query: FloatArray
    attention: tuple[FloatArray, FloatArray]  # s per token of a rank; s per step
    dense: tuple[FloatArray, FloatArray]
    experts: tuple[FloatArray, FloatArray]  # s per token; s per step with every expert touched
    head: tuple[FloatArray, FloatArray]
    kv: FloatArray  # s per sequence of a rank
    network: tuple[FloatArray, FloatArray, FloatArray]  # s per step, per token, per token of a rank
    moved: tuple[FloatArray, FloatArray]  # s per token, per token of a rank
    fixed: tuple[FloatArray, FloatArray]  # s per step, per sequence of a rank
    share_lines: tuple[FloatArray, FloatArray]
    row_start: IntArray

    @cached_property
    def curve(self) -> StepCurve:
        """The same, as a curve of the running sequences."""
        q, square = self.query, self.query**2
        return StepCurve(
            pp=self.pp if (self.pp > 1.0).any() else None,
            per_rank=1.0 / self.dp if (self.dp > 1.0).any() else None,
            query=q,
            linear=(
                self.network[0] + self.fixed[0],
                (self.network[1] + self.moved[0]) * q,
                self.kv + self.fixed[1] + (self.network[2] + self.moved[1]) * q,
            ),
            rank_roof=(self.attention[0] ** 2 * square, self.attention[1] ** 2),
            roofs=tuple((a**2 * square, b**2) for a, b in (self.dense, self.head)),
            experts=(self.experts[0] ** 2 * square, self.experts[1] ** 2) if self.experts[1].any() else None,
            share_lines=self.share_lines,
            row_start=self.row_start,
        )

    def total(self, sequences: FloatArray) -> FloatArray:
        """Time of a step with ``sequences`` running [s]."""
        return self.curve.total(sequences)

    def step(self, sequences: FloatArray) -> StepTime:
        """Time of a step with ``sequences`` running, by operator [s]."""
        batch = np.maximum(sequences / self.pp, LEAST_BATCH)
        local = np.maximum(batch / self.dp, np.minimum(batch, 1.0))
        tokens, ranked = batch * self.query, local * self.query
        attention = _roof(self.attention[0] * ranked, self.attention[1])
        share = share_at(self.share_lines, self.row_start, tokens)
        return StepTime(
            attention_weights=attention,
            kv=self.kv * local,
            dense=_roof(self.dense[0] * tokens, self.dense[1]) + self.moved[0] * tokens + self.moved[1] * ranked,
            experts=_roof(self.experts[0] * tokens, self.experts[1] * share),
            head=_roof(self.head[0] * tokens, self.head[1]),
            network=self.network[0] + self.network[1] * tokens + self.network[2] * ranked,
            fixed=self.fixed[0] + self.fixed[1] * local,
            compute_share=self.attention[0] * ranked / np.maximum(attention, 1e-12),
        )


def decode_terms(
    engine: Engine,
    v: FloatArray,
    query_tokens: FloatArray,
    context_tokens: FloatArray,
    shared: PassTerms | None = None,
) -> DecodeTerms:
    """Coefficients of a decode step; arguments as in :func:`decode_step`, ``shared`` as in :func:`prefill_pass`."""
    memory, compute = v[engine.keys["memory"]], v[engine.keys["compute"]]
    none = np.zeros_like(memory)
    known = shared or pass_terms(engine, v)
    usual = v[engine.keys["elementwise"]]
    seen = np.minimum(context_tokens, engine.sparse_tokens)
    window = np.minimum(context_tokens, engine.window_tokens)
    read = engine.kv_full_bytes * seen + engine.kv_index_bytes * context_tokens + engine.kv_window_bytes * window
    work = engine.decode_flop_per_context * seen + engine.decode_flop_per_window * window
    kv = _roof(
        query_tokens * work / (engine.attention_tp * engine.attention_flops * compute),
        (read / engine.kv_shard + 2.0 * engine.state_bytes / engine.attention_tp)
        / reached_bandwidth(engine.hbm_bytes_per_s, engine.kv_bandwidth * memory),
    )
    head = (
        2.0 * engine.head_params / (engine.tp * engine.other_flops * compute),
        engine.head_bytes
        / (engine.dense_tp * reached_bandwidth(engine.hbm_bytes_per_s, engine.other_bandwidth * memory)),
    )
    fixed = (
        v[engine.keys["layer"]] * US * engine.layers
        + engine.is_mla * v[engine.keys["mla_layer"]] * US * engine.layers
        + engine.is_moe * v[engine.keys["moe_start"]] * US * engine.moe_layers
        + v[engine.keys["index_layer"]] * US * engine.index_layers
        + v[engine.keys["host"]] * MS
        + np.where(query_tokens > 1.0, v[engine.keys["mtp_extra"]] * MS, 0.0)
    )
    return DecodeTerms(
        pp=engine.pp,
        dp=engine.dp,
        query=query_tokens,
        attention=known.attention,
        dense=known.dense,
        experts=known.experts,
        head=head,
        kv=kv,
        network=known.network,
        moved=(
            known.moved[0] * usual,
            known.moved[1] * np.where(engine.dp > 1, usual, v[engine.keys["elementwise_shared"]]),
        ),
        fixed=(fixed + none, v[engine.keys["sequence"]] * US),
        share_lines=engine.share_lines,
        row_start=_row_starts(engine),
    )


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
    return decode_terms(engine, v, query_tokens, context_tokens).step(np.asarray(sequences, dtype=float))


@dataclass(frozen=True)
class PrefillCurve(ByCell):
    """Time of prefilling as a function of prompts and load alone, its coefficients summed and squared."""

    fresh: FloatArray  # tokens to compute, per prompt
    dp: FloatArray
    engines: FloatArray  # prompts of an engine for one of a rank, over all stages
    once: FloatArray  # s per pass
    per_token: tuple[FloatArray, FloatArray]  # s per token of the engine, per token of a rank
    attention: tuple[FloatArray, FloatArray]  # squares: per token of a rank, per pass
    dense: tuple[FloatArray, FloatArray]  # squares: per token, per pass
    experts: tuple[FloatArray, FloatArray] | None  # likewise, with every expert touched; None without experts
    share_lines: tuple[FloatArray, FloatArray]
    row_start: IntArray

    def time(self, prompts: FloatArray, load: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """See :func:`prefill_pass`."""
        return self.under(load, self.parts(prompts))

    def parts(self, prompts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """What no load changes: tokens of a rank, seconds that all ranks share, of a pass, of an engine per prompt."""
        rank_tokens = self.fresh * prompts
        local = self.attention[0] * (rank_tokens * rank_tokens) + self.attention[1]
        local = np.sqrt(local, out=local) + self.per_token[1] * rank_tokens + self.once
        full = self._whole(rank_tokens * self.dp, local)
        return rank_tokens, local, full, np.asarray(full / (self.engines * prompts))

    def under(
        self, load: FloatArray | None, known: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """Latency under a load, and engine time per prompt, from :meth:`parts`."""
        rank_tokens, local, full, busy = known
        if load is None or not self.ranks:
            return full, busy
        waiting = np.maximum(load, 1.0) * PREFILLING_SHARE
        filled = 1.0 + (self.dp - 1.0) * waiting / (waiting + self.dp)
        return self._whole(rank_tokens * filled, local), busy

    @cached_property
    def ranks(self) -> bool:
        """Whether any engine has more than one attention rank."""
        return bool(np.any(self.dp > 1.0))

    def _whole(self, together: FloatArray, local: FloatArray) -> FloatArray:
        """Time of a pass with so many tokens in the engine [s]."""
        square = together * together
        work = self.dense[0] * square + self.dense[1]
        np.sqrt(work, out=work)
        if self.experts is not None:
            share = share_at(self.share_lines, self.row_start, together)
            share *= share
            share *= self.experts[1]
            square *= self.experts[0]
            square += share
            work += np.sqrt(square, out=square)
        work += self.per_token[0] * together
        work += local
        return work


def prefill_curve(
    engine: Engine,
    v: FloatArray,
    fresh_tokens: FloatArray,
    past_tokens: FloatArray,
    shared: PassTerms | None = None,
) -> PrefillCurve:
    """What of :func:`prefill_pass` neither prompts nor load change; arguments as there."""
    fresh = np.maximum(fresh_tokens, 1.0)
    compute = v[engine.keys["compute"]]
    mean_context = past_tokens + 0.5 * fresh
    seen = np.minimum(mean_context, engine.sparse_tokens)
    window = np.minimum(mean_context, engine.window_tokens)
    pairs = engine.prefill_flop_per_pair * seen + engine.prefill_flop_per_window * window
    wide = np.where((engine.dp > 1) & (engine.ep >= WIDE_PREFILL_EP), v[engine.keys["wide_prefill"]], 1.0)
    scale = v[engine.keys["prefill"]] * wide
    fixed = v[engine.keys["layer"]] * US * engine.layers + v[engine.keys["prefill_fixed"]] * MS
    known = shared or pass_terms(engine, v)
    passes = v[engine.keys["elementwise"]] * scale
    flop_s = pairs / (engine.attention_tp * engine.attention_flops * compute)
    attention, dense, experts = (
        ((per_token * scale) ** 2, (once * scale) ** 2)
        for per_token, once in (known.attention, known.dense, known.experts)
    )
    return PrefillCurve(
        fresh,
        engine.dp,
        engine.dp * engine.pp,
        known.network[0] + fixed,
        (
            known.moved[0] * passes + known.network[1],
            flop_s * scale + known.moved[1] * passes + known.network[2],
        ),
        attention,
        dense,
        experts if known.experts[1].any() else None,
        engine.share_lines,
        _row_starts(engine),
    )


def prefill_pass(
    engine: Engine,
    v: FloatArray,
    fresh_tokens: FloatArray,
    past_tokens: FloatArray,
    prompts: FloatArray,
    load: FloatArray | None = None,
    shared: PassTerms | None = None,
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
    shared : PassTerms, optional
        From :func:`pass_terms`, where they are known.

    Returns
    -------
    tuple of ndarray
        ``(latency, busy)``: seconds until the batch is done, and engine seconds per prompt.

    Notes
    -----
    Source: the roofline of Williams, Waterman and Patterson (2009), smoothed; host time and starts are own terms.
    """
    return prefill_curve(engine, v, fresh_tokens, past_tokens, shared).time(prompts, load)
