"""Chart, tables and computed sentences of the comparison with another model's step times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rackecon import catalog
from rackecon.evidence import crosscheck
from rackecon.figures.charts import equal_line
from rackecon.figures.display import enable
from rackecon.figures.theme import platform_colours
from rackecon.lazy import pd
from rackecon.pages.sentences import say
from rackecon.words import engine_words, percent, tidy

if TYPE_CHECKING:
    import altair as alt

PAGE: Final = "13_validation"
# How close the peer's own accuracy lets two right models be: median |ours over theirs - 1| of decode steps
EXPECTED = {"dense": 0.10, "MoE": 0.20}
SHAPES = {"decode": "circle", "mixed": "diamond", "prefill": "triangle-up"}
STACKS = {"trt": "TensorRT-LLM", "open": "SGLang and vLLM"}
CHIPS = {"hopper": "Hopper", "blackwell": "Blackwell"}
BRIEF = {"trt": "TRT-LLM", "open": "open", "data-parallel": "DP", "tensor-parallel": "TP"}
CHANGED = {
    "prompts at kernel speed": "without the factor on prompts that measured servers gave us",
    "no activations through memory": "without activations through memory",
    "no host and launch time": "without host and launch time",
    "no rank imbalance": "without rank imbalance",
    "no software history": "without software history",
}
SHORT = {
    "group": "steps",
    "steps": "number",
    "prompts at kernel speed": "plain prompts",
    "no activations through memory": "no activations",
    "no host and launch time": "no host",
    "no rank imbalance": "even ranks",
    "no software history": "no history",
}


def _side(log_ratio: float) -> str:
    """Whether ours takes longer, and by how much of theirs."""
    size = percent(abs(math.expm1(log_ratio)))
    return "as long" if size == percent(0.0) else f"{size} {'longer' if log_ratio > 0 else 'shorter'}"


def _group(row: Mapping[Any, Any]) -> str:
    """A group of steps in words."""
    return f"{row['work']} on {CHIPS[row['chips']]} under {STACKS[row['stack']]} with {row['attention']} attention"


def answer_text() -> str:
    """How far apart the models are on decode steps, and on steps with prompts."""
    compared = crosscheck.compare()
    decode = compared[compared["kind"] == "decode"]
    prompts = compared[compared["kind"] != "decode"]
    middle = {name: float(part["log_ratio"].abs().median()) for name, part in decode.groupby("family")}
    bias = float(compared["log_ratio"].median())
    engines = prompts.groupby("stack")["log_ratio"].apply(lambda x: float(x.abs().median()))
    return say(
        PAGE,
        "peer_answer",
        decode=len(decode),
        prompts=len(prompts),
        steps=len(compared),
        package=crosscheck.load_steps()[0].package,
        families=[(name, math.expm1(middle[name]), EXPECTED[name]) for name in EXPECTED],
        stacks=[(text, math.expm1(engines[name])) for name, text in STACKS.items()],
        side=_side(bias),
        decode_apart=float(decode["log_ratio"].abs().median()),
        prompts_apart=float(prompts["log_ratio"].abs().median()),
    )


def step_chart() -> alt.Chart:
    """Our time of a step against theirs on log axes: colour by platform, shape by kind, with the 1:1 line."""
    import altair

    alt_: Any = altair
    enable()
    compared = crosscheck.compare()
    apart = compared.groupby("work")["log_ratio"].apply(lambda x: float(x.abs().median()))
    title = say(
        PAGE, "peer_chart", decode=math.expm1(float(apart["decode"])), prompts=math.expm1(float(apart["prompts"]))
    )
    subtitle = "one step of one engine, ms; dashed where both are equal; colour by platform, shape by what is computed"
    chips = catalog.accelerators()
    compared["platform"] = [chips[name].label for name in compared["accelerator"]]
    pairs = compared[["platform", "accelerator"]].drop_duplicates().sort_values("accelerator")
    data = tidy(compared[["golden_ms", "our_ms", "platform", "kind", "model", "label"]], 3)
    scale, axis, line = equal_line(data[["golden_ms", "our_ms"]])
    colour = alt_.Scale(domain=pairs["platform"].tolist(), range=platform_colours(pairs["accelerator"].tolist()))
    shape = alt_.Scale(domain=list(SHAPES), range=list(SHAPES.values()))
    points = (
        alt_.Chart(data)
        .mark_point(filled=True, size=26, opacity=0.65)
        .encode(
            x=alt_.X("golden_ms:Q", scale=scale, title="their step, ms", axis=axis),
            y=alt_.Y("our_ms:Q", scale=scale, title="our step, ms", axis=axis),
            color=alt_.Color("platform:N", title=None, scale=colour),
            shape=alt_.Shape("kind:N", title=None, scale=shape),
            tooltip=[
                alt_.Tooltip("platform:N"),
                alt_.Tooltip("model:N"),
                alt_.Tooltip("label:N"),
                alt_.Tooltip("golden_ms:Q", title="theirs, ms", format=",.3~g"),
                alt_.Tooltip("our_ms:Q", title="ours, ms", format=",.3~g"),
            ],
        )
    )
    text = {"text": title, "subtitle": subtitle}
    chart: Any = alt_.layer(line, points).properties(
        width="container", height=380, title=text, description=f"{title}. {subtitle}"
    )
    out: alt.Chart = chart.configure_view(stroke=None)
    return out


def summary_table() -> pd.DataFrame:
    """Distance and bias by kind, kind of model, accelerator, model, precision and engine [%]."""
    import numpy as np

    table = crosscheck.summary(crosscheck.compare())
    for name in ("median_abs_log", "p90_abs_log", "bias_log"):
        table[name] = 100.0 * np.expm1(table[name])
    names = {"median_abs_log": "median_pct", "p90_abs_log": "p90_pct", "bias_log": "bias_pct"}
    labels = {name: chip.label for name, chip in catalog.accelerators().items()}
    labels |= {name: engine_words(name) for name in table.loc[table["by"] == "engine", "slice"]}
    table["slice"] = [labels.get(name, name) for name in table["slice"]]
    return table.rename(columns=names)


def cause_table(groups: int = 8) -> pd.DataFrame:
    """The most biased groups of steps: ours over theirs as it is, and with one part of our model changed.

    ``open`` is SGLang and vLLM, ``DP`` and ``TP`` are data-parallel and tensor-parallel attention.
    """
    import numpy as np

    table = crosscheck.causes().head(groups)
    names = [
        f"{r['work']}, {CHIPS[r['chips']]}, {BRIEF[r['stack']]}, {BRIEF[r['attention']]}"
        for r in table.to_dict("records")
    ]
    table.insert(0, "group", names)
    changes = ["as it is", *crosscheck.CHANGES]
    table[changes] = np.exp(table[changes])
    return table[["group", "steps", *changes]].rename(columns=SHORT)


def cause_text(groups: int = 3) -> str:
    """For the most biased groups: which part of our model moves them closest to the peer; and the peer's own faults."""
    out: list[str] = []
    before = ""
    for row in crosscheck.causes().head(groups).to_dict("records"):
        bias = float(row["as it is"])
        best = min(crosscheck.CHANGES, key=lambda name: abs(float(row[name])))
        closer = abs(float(row[best])) < abs(bias)
        told = {"where": _group(row)[:1].upper() + _group(row)[1:], "side": _side(bias), "change": CHANGED[best]}
        told["changed_side"] = _side(float(row[best]))
        out.append(say(PAGE, "peer_cause", closer=closer, again=best == before, **told))
        before = best if closer else before
    falls = crosscheck.peer_falls()
    if falls:
        fewer, more = max(falls, key=lambda pair: pair[0].step_ms / pair[1].step_ms)
        out.append(
            say(
                PAGE,
                "peer_fall",
                places=len(falls),
                model=fewer.model,
                precision=fewer.weight_precision,
                engine=fewer.engine,
                platform=catalog.accelerator(fewer.accelerator).label,
                fewer=fewer.sequences,
                fewer_ms=fewer.step_ms,
                more=more.sequences,
                more_ms=more.step_ms,
            )
        )
    return " ".join(out)


def part_sentence() -> str:
    """Where decode steps agree in sum and not in parts: kernel starts inside each operator, or in one term."""
    total = crosscheck.decode_parts().groupby("part")[["golden_ms", "our_ms"]].sum()
    share = total / total.sum()
    return say(
        PAGE,
        "peer_parts",
        their_attention=float(share["golden_ms"]["attention"]),
        our_attention=float(share["our_ms"]["attention"]),
        their_rest=float(share["golden_ms"]["rest"]),
        our_rest=float(share["our_ms"]["rest"]),
    )
