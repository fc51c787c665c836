"""What a million tokens of a measured run cost, and how far the model's own figure for the same set-up is off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.money import cost_words, platform_cost, platforms_for
from rackecon.arrays import FloatArray
from rackecon.economics.power import joules_per_token
from rackecon.economics.tokens import cost_usd_per_mtok, token_cost
from rackecon.evidence.intervals import interval_factors
from rackecon.evidence.novelty import also_new
from rackecon.serving.points import Points
from rackecon.serving.predict import predict
from rackecon.serving.query import years_beyond


@dataclass(frozen=True)
class MeasuredCost:
    """A measured run beside its prediction. NaN where the run or the tables do not say; ends are of 90 % intervals.

    Rates count all GPUs [tok/s/GPU]; money is of hours in use [USD per million tokens].
    """

    total_tok_s_per_gpu: float
    output_tok_s_per_gpu: float
    predicted: tuple[float, float, float]
    """Total rate predicted, low and high end [tok/s/GPU]."""
    usd_per_gpu_hour: tuple[float, float, float]
    """Cost at the terms of its label, low and high end of its range; three times the same where it is given [USD/GPU-hour]."""
    cost_label: str
    usd_per_mtok: tuple[float, float, float]
    """Of input and output tokens alike, at the cost and at both ends of it."""
    usd_per_mtok_input: float
    usd_per_mtok_output: float
    """The same money split by the GPU time that the model gives prefill and decode."""
    usd_per_mtok_output_alone: float
    """All of the money on output tokens."""
    predicted_usd_per_mtok: tuple[float, float, float]
    joules_per_token: float
    """Board energy over input and output tokens [J]; NaN where the run has no power."""
    joules_per_output_token: float
    reason: str

    @property
    def error(self) -> float:
        """Predicted over measured total rate, less one [-]."""
        return self.predicted[0] / self.total_tok_s_per_gpu - 1.0

    @property
    def inside(self) -> bool:
        """Whether the 90 % interval of the prediction holds the measured rate."""
        return self.predicted[1] <= self.total_tok_s_per_gpu <= self.predicted[2]

    def lines(self, row: Mapping[str, str], said: Sequence[str] = ()) -> list[str]:
        """The run, the model's error, money and energy in words.

        Parameters
        ----------
        row : mapping
            Checked row of the run.
        said : sequence of str
            What was taken for granted.
        """
        place = f"{row['weight_precision']} on {row['gpus']} {row['accelerator']}, {row['engine']}, {row['mode']}, TP{row['tp']}"
        load = f"{row['isl']} in and {row['osl']} out, {row['concurrency']} in flight, {row['date']}"
        out = [f"{row['point_id']}: {row['model']} {place}; {load}" + "".join(f"; {word}" for word in said)]
        measured = f"  measured {self.total_tok_s_per_gpu:.5g}"
        if math.isnan(self.predicted[0]):
            out.append(f"{measured} total tok/s/GPU; not predicted: {self.reason}")
        else:
            low, high, held = *self.predicted[1:], "holds" if self.inside else "does not hold"
            out.append(
                f"{measured}, predicted {self.predicted[0]:.5g} total tok/s/GPU ({self.error:+.1%}); "
                f"90 % interval {low:.5g} to {high:.5g} {held} it"
            )
        return [*out, *self._money_lines(), *self._energy_lines()]

    def _money_lines(self) -> list[str]:
        if math.isnan(self.usd_per_gpu_hour[0]):
            return [f"  cost blank: {self.cost_label} (--usd-per-gpu-hour gives one)"]
        rent = f"at ${self.usd_per_gpu_hour[0]:.4g} per GPU-hour in use ({self.cost_label})"
        each = _usd(*self.usd_per_mtok, " over the cost's range")
        split = (
            f"${self.usd_per_mtok_input:.4g} input and ${self.usd_per_mtok_output:.4g} output by the model's GPU time"
        )
        lines = [f"  {each} per million tokens, input and output alike, {rent}"]
        lines.append(
            f"  per million: {'' if math.isnan(self.usd_per_mtok_input) else split + '; '}"
            f"${self.usd_per_mtok_output_alone:.4g} output with all of the cost on it"
        )
        if not math.isnan(self.predicted[0]):
            own = _usd(*self.predicted_usd_per_mtok, ", 90 % interval")
            lines.append(f"  the model's figure: {own} per million tokens")
        return lines

    def _energy_lines(self) -> list[str]:
        if math.isnan(self.joules_per_token):
            return []
        return [
            f"  {self.joules_per_token:.4g} J a token of board power, {self.joules_per_output_token:.4g} J an output token"
        ]


def _usd(value: float, low: float, high: float, why: str) -> str:
    ends = "" if low == high or math.isnan(low) else f" (${low:.4g} to ${high:.4g}{why})"
    return f"${value:.4g}{ends}"


def measured_costs(rows: Sequence[Mapping[str, str]], usd_per_gpu_hour: float | None = None) -> list[MeasuredCost]:
    r"""Money and energy of measured runs, and the model's error on each.

    Parameters
    ----------
    rows : sequence of mapping
        Checked rows of data/measured_serving.csv, as text.
    usd_per_gpu_hour : float, optional
        One's own cost; that of :func:`rackecon.appraisal.evaluate.evaluate` by default, its terms in the label.

    Returns
    -------
    list of MeasuredCost
        One a row.

    Raises
    ------
    InputError
        A cost out of range.

    Notes
    -----
    .. math:: k = \\\frac{c}{3600 \\\cdot 10^{-6}\\\, x}, \\\qquad e = P / x

    with ``c`` the cost of a GPU-hour, ``P`` the power of a board and ``x`` the measured rate of a GPU.

    Examples
    --------
    >>> row = dict(accelerator="h100-sxm", gpus="2", model="gpt-oss-120b", weight_precision="fp4", engine="vllm", tp="2",
    ...     mode="aggregated", ep="1", isl="1024", osl="1024", concurrency="64", total_tok_s_per_gpu="5000", date="2026-01-15")
    >>> measured_costs([row], 1.80)[0].usd_per_mtok[0]
    0.1000
    """
    found = predict(Points.from_rows(rows))
    assume = assumptions(cost_usd_per_gpu_hour=usd_per_gpu_hour)
    platforms = platforms_for(dict.fromkeys(row["accelerator"] for row in rows), assume)
    out = []
    for i, row in enumerate(rows):
        total, output = (_number(row, f"{kind}_tok_s_per_gpu") for kind in ("total", "output"))
        isl, osl = float(row["isl"]), float(row["osl"])
        output = total * osl / (isl + osl) if np.isnan(output) else output
        platform = platforms[row["accelerator"]]
        chip, late = platform.accelerator, _late(row)
        also = also_new(chip, row["model"], row.get("engine", ""), isl, osl)
        low, high = interval_factors(chip, row["model"], row["mode"], "total_tok_s_per_gpu", late, also=also)
        rate = float(found.total_tok_s_per_gpu[i])
        cost = platform_cost(platform, assume) if platform.cost else (np.nan, np.nan, np.nan)
        share = float(np.clip(found.prefill_gpu_share[i], 0.0, 1.0)) if found.status[i] == "ok" else np.nan
        split = (np.nan, np.nan)
        if not np.isnan(share):
            parts = token_cost(cost[0], total, output, prefill_gpu_share=share)
            split = float(parts.fresh_input), float(parts.output)
        watts = _number(row, "avg_power_w_per_gpu")
        out.append(
            MeasuredCost(
                total_tok_s_per_gpu=total,
                output_tok_s_per_gpu=output,
                predicted=(rate, rate * low, rate * high),
                usd_per_gpu_hour=cost,
                cost_label="your own" if usd_per_gpu_hour is not None else cost_words(platform, assume),
                usd_per_mtok=_three(cost_usd_per_mtok(np.array(cost), total)),
                usd_per_mtok_input=split[0],
                usd_per_mtok_output=split[1],
                usd_per_mtok_output_alone=float(cost_usd_per_mtok(cost[0], output)),
                predicted_usd_per_mtok=_three(cost_usd_per_mtok(cost[0], rate * np.array([1.0, high, low]))),
                joules_per_token=float(joules_per_token(total, watts / 1e3)),
                joules_per_output_token=float(joules_per_token(output, watts / 1e3)),
                reason=str(found.reason[i]),
            )
        )
    return out


def _number(row: Mapping[str, str], name: str) -> float:
    return float(row.get(name) or "nan")


def _three(values: FloatArray) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return a, b, c


def _late(row: Mapping[str, str]) -> float:
    from rackecon.catalog import accelerator

    return years_beyond(accelerator(row["accelerator"]), row["date"]) if row.get("date") else 0.0
