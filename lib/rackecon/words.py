"""Computed phrases as a reader meets them: numbers with units, shares, times and lists."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from rackecon.units import GB_PER_TB

__all__ = [
    "MINUS",
    "RUNS",
    "STRETCHES",
    "alike",
    "count",
    "engine_words",
    "even",
    "format_words",
    "join_named",
    "join_words",
    "layout_words",
    "lengths",
    "money",
    "money_ends",
    "money_span",
    "number",
    "page_words",
    "per_mtok",
    "percent",
    "plural",
    "singular",
    "terabytes",
    "text_table",
    "tidy",
    "times",
    "years_text",
]

MINUS = "\u2212"
STRETCHES = ("within what was measured", "beyond what was measured")
"""Stretches of a line: up to the fastest measurement of its platform and model, and past it."""
RUNS = ("measured, drafting", "measured, not drafting", "measured, drafting unstated")
"""Kinds of measured runs that a chart tells apart."""


def number(value: float, digits: int = 3) -> str:
    """A plain number; millions as M, billions as bn.

    Examples
    --------
    >>> number(15321.0), number(0.02134), number(-3.0), number(2.5e6)
    ('15,300', '0.0213', '−3', '2.5M')
    """
    if value is None or not math.isfinite(value):
        return "–"
    sign, size = (MINUS if value < 0 else ""), abs(value)
    for limit, letter in ((1e9, "bn"), (1e6, "M")):
        if size >= limit:
            return f"{sign}{_plain(size / limit, digits)}{letter}"
    return sign + _plain(size, digits)


def _plain(size: float, digits: int) -> str:
    rounded = float(f"{size:.{digits}g}")
    if rounded >= 100 or rounded == int(rounded):
        return f"{rounded:,.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(rounded))) if rounded else 0
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def tidy(value: Any, digits: int = 5) -> Any:
    """A number (or every number of a list, dict or data frame) rounded to a count of significant digits.

    Examples
    --------
    >>> tidy(1234567.0), tidy([0.123456789])
    (1234600.0, [0.12346])
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else value
    if isinstance(value, list | tuple):
        return type(value)(tidy(item, digits) for item in value)
    if isinstance(value, dict):
        return {key: tidy(item, digits) for key, item in value.items()}
    if hasattr(value, "select_dtypes"):
        out = value.copy()
        for name in out.select_dtypes("float").columns:
            out[name] = [tidy(float(x), digits) for x in out[name]]
        return out
    return value


def money(value: float, digits: int = 3) -> str:
    """Dollars: $10.0M, $75M, $1.2bn, −$0.5M.

    Examples
    --------
    >>> money(1.0e7), money(9.996e6), money(-512345.0), money(0.0562), money(0.1)
    ('$10.0M', '$10.0M', '−$512k', '$0.0562', '$0.10')
    """
    if value is None or not math.isfinite(value):
        return "–"
    sign, size = (MINUS if value < 0 else ""), abs(value)
    for limit, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            scaled = size / limit
            decimals = max(0, digits - 1 - math.floor(math.log10(max(float(f"{scaled:.{digits}g}"), 1.0))))
            return f"{sign}${scaled:.{decimals}f}{letter}"
    if size >= 1:
        return f"{sign}${size:.2f}"
    if not size:
        return "$0"
    decimals = max(2, digits - 1 - math.floor(math.log10(size)))
    text = f"{size:.{decimals}f}"
    return sign + "$" + text[:4] + text[4:].rstrip("0")


def money_span(ends: Iterable[float]) -> str:
    """Amounts from one to another, as :func:`money_ends` has them.

    Examples
    --------
    >>> money_span([0.0482, 0.078]), money_span([0.62, 1.9]), money_span([0.1, 0.14]), money_span([-164e3, 14.64e6])
    ('$0.0482 to $0.0780', '$0.62 to $1.90', '$0.10 to $0.14', '−$0.16M to $14.6M')
    """
    return " to ".join(money_ends(ends))


def money_ends(ends: Iterable[float], beside: float = 0.0) -> list[str]:
    """The ends of an interval of amounts, as :func:`alike` writes them; below a thousand dollars to as many decimals.

    ``beside`` is the greatest figure of the column that the interval stands in.

    Examples
    --------
    >>> money_ends([-5680.0, 13.4e6]), money_ends([191e6, 1.84e9]), money_ends([-614e3, -49.4e3]), money_ends([0.1, 0.14])
    (['−$0.01M', '$13.4M'], ['$0.19bn', '$1.84bn'], ['−$614k', '−$49.4k'], ['$0.10', '$0.14'])
    """
    told = list(ends)
    small = all(abs(end) < LEAST_LETTER for end in told)
    return list(map(even(money, told), told)) if small else alike(money, told, beside)


def alike(form: Callable[[Any], str], ends: Iterable[float], beside: float = 0.0) -> list[str]:
    """Ends of an interval in the unit of the greater, each to three digits but no finer than a hundredth of that unit.

    A small end so has the scale of the great one, and no digits that the interval does not bear; what rounds to nothing is said
    to be about that. In a column the unit is that of its greatest figure, ``beside``, where the greater end has two digits in it.

    Examples
    --------
    >>> alike(money, [-1280.0, 6.72e6]), alike(money, [854e3, 8.5e6]), alike(number, [0.0361, 15.2]), alike(number, [0.06, 0.219])
    (['about $0', '$6.72M'], ['$0.85M', '$8.50M'], ['0.04', '15.2'], ['0.060', '0.219'])
    >>> alike(money, [-527e3, 778e3], 5.4e6), alike(money, [-52e3, 7e3], 5.4e6)
    (['−$0.53M', '$0.78M'], ['−$52.0k', '$7.00k'])
    """
    told = list(ends)
    sizes = [abs(end) for end in told if math.isfinite(end) and end]
    if form not in LETTERS or not sizes:
        return list(map(form, told))
    most = max(sizes)
    unit, letter = _unit(form, min(beside, 10.0 * most) if beside > most else most)
    finest = CENTS if letter else max(CENTS, MOST - _digits(most))
    sign = "$" if form is money else ""

    def written(end: float) -> str:
        if not math.isfinite(end) or not end:
            return form(end)
        size = abs(end) / unit
        text = f"{size:,.{min(finest, max(0, MOST - _digits(size)))}f}"
        return f"{MINUS if end < 0 else ''}{sign}{text}{letter}" if text.strip("0.") else f"about {sign}0"

    return list(map(written, told))


def _unit(form: Callable[..., str], most: float) -> tuple[float, str]:
    """The unit in which a size is written, and its letter."""
    return next((one for one in LETTERS[form] if most >= 0.9995 * one[0]), (1.0, ""))


LETTERS: Final[Mapping[Callable[..., str], tuple[tuple[float, str], ...]]] = {
    number: ((1e9, "bn"), (1e6, "M")),
    money: ((1e9, "bn"), (1e6, "M"), (1e3, "k")),
}
"""Ways of writing that a column of figures can have in one unit, and their units."""
LEAST_LETTER: Final = 0.9995e3
"""Dollars from which an amount takes a letter."""
CENTS: Final = 2
FEWEST, MOST = 2, 3
"""Significant digits of a figure that can be written with the decimals of its column."""


def even(form: Callable[[Any], str], values: Iterable[float]) -> Callable[[Any], str]:
    """How a column of figures is written: in one unit and with as many decimals as give the largest three digits.

    Without a unit smaller ones cannot be written in the next below: there the least has two, where the largest then has no
    more than four; dollars of which some are lost are differences, whose error is that of the largest, and end at the cent. A figure that so would show a single digit stays as ``form`` has it, below one with as many decimals as
    the others below one; one that would show four has three digits; so does what is no figure; nothing stays a plain 0.

    Examples
    --------
    >>> [even(number, [1.2, 0.953, 3])(x) for x in (1.2, 0.953, 3)]
    ['1.20', '0.95', '3.00']
    >>> [even(money, [5.934e6, 746e3, -139e3, -94e3])(x) for x in (5.934e6, 746e3, -139e3, -94e3, 0.0)]
    ['$5.93M', '$0.75M', '−$0.14M', '−$0.09M', '$0']
    >>> [even(money, [14.7e6, 31e4])(x) for x in (14.7e6, 31e4)], [even(number, [0.9, 2])(x) for x in (0.9, 2)]
    (['$14.7M', '$0.31M'], ['0.9', '2.0'])
    >>> [even(number, [0.0213, 15321.0])(x) for x in (0.0213, 15321.0)], [even(money, [0.0965, 1.066])(x) for x in (0.0965, 1.066)]
    (['0.0213', '15,300'], ['$0.097', '$1.07'])
    >>> [even(money, [21.04, 2.89, -0.0324])(x) for x in (21.04, 2.89, -0.0324, -0.001, 0.0)]
    ['$21.04', '$2.89', '−$0.03', '$0.00', '$0']
    >>> [even(number, [0.23, 0.246, 104])(x) for x in (0.23, 0.246, 104)]
    ['0.230', '0.246', '104']
    >>> [even(number, [0.059, 1.6, 28.2, 64])(x) for x in (0.059, 1.6, 28.2, 64)]
    ['0.059', '1.60', '28.2', '64.0']
    """
    figures = [x for x in values if math.isfinite(x) and x]
    if form not in LETTERS or len(figures) < 2:
        return form
    most, least = max(map(abs, figures)), min(map(abs, figures))
    unit, letter = _unit(form, most)
    if form is money and not letter and most >= 1.0 and min(figures) < 0.0:
        return _to_the_cent
    by_most, by_least = MOST - _digits(most / unit), FEWEST - _digits(least / unit)
    wanted = max(by_most, by_least) if not letter and by_least - by_most <= 1 else by_most
    if form is number or not letter:
        wanted = min(wanted, max(_decimals(x / unit) for x in figures))
    places = max(CENTS if form is money and not letter else 0, wanted)
    below = max((_decimals(x) for x in figures if abs(x) < 1.0), default=0)

    def alone(value: float) -> str:
        if form is not number or (not below if abs(value) < 1.0 else not places):
            return form(value)
        if abs(value) >= 1.0:
            short = MOST - _digits(abs(value))
            return (
                form(value)
                if letter or short < 0
                else f"{MINUS if value < 0 else ''}{abs(value):,.{min(short, places)}f}"
            )
        return f"{MINUS if value < 0 else ''}{abs(value):.{min(below, MOST - _digits(abs(value)))}f}"

    def written(value: Any) -> str:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or not value:
            return form(value)
        size = abs(value) / unit
        before = _digits(size)
        bare = letter and round(size, places) < 10 ** (FEWEST - 1 - places)  # a single digit would be left
        shown = max(places, min(CENTS, FEWEST - before)) if bare else places
        fits = round(size, shown) > 0.0 if letter else before + shown >= FEWEST
        if not fits or before + shown > MOST:
            return alone(value)
        return f"{MINUS if value < 0 else ''}{'$' if form is money else ''}{size:,.{shown}f}{letter}"

    return written


def _to_the_cent(value: Any) -> str:
    """Dollars with two decimals."""
    if not isinstance(value, int | float) or not math.isfinite(value) or not value:
        return money(value)
    text = f"{abs(value):,.{CENTS}f}"
    return f"{MINUS if value < 0 and text.strip('0.') else ''}${text}"


def _decimals(value: float) -> int:
    """Decimals that three digits of a number need."""
    return len(f"{float(f'{value:.3g}'):.9f}".rstrip("0").partition(".")[2])


def _digits(size: float) -> int:
    """Digits before the decimal point; of less than a tenth, the zeros behind it, counted down."""
    return 1 + math.floor(math.log10(float(f"{size:.3g}")))


def per_mtok(value: float, which: str) -> str:
    """Cost or price per million tokens, always with which tokens.

    Examples
    --------
    >>> per_mtok(0.056, "total")
    '$0.056 per million total tokens'
    """
    return f"{money(value, 3)} per million {which} tokens"


def percent(value: float, digits: int = 0) -> str:
    """A share as a percentage with a true minus.

    Examples
    --------
    >>> percent(0.845), percent(-0.2), percent(-0.002), percent(-496.84)
    ('84 %', '−20 %', '0 %', '−49,684 %')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = f"{abs(100 * value):,.{digits}f}"
    return f"{MINUS if value < 0 and size.strip('0.') else ''}{size} %"


def terabytes(value: float) -> str:
    """An amount of memory given in TB; less than one in GB.

    Examples
    --------
    >>> terabytes(20.74), terabytes(0.687)
    ('20.7 TB', '687 GB')
    """
    return f"{number(value * GB_PER_TB)} GB" if value < 1.0 else f"{number(value)} TB"


def times(value: float) -> str:
    """A ratio.

    Examples
    --------
    >>> times(3.24), times(14.6), times(2.98)
    ('3.2 times', '15 times', '3.0 times')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:#.2g}".removesuffix(".") + " times" if value < 99.5 else f"{value:,.0f} times"


def count(share: float) -> str:
    """A share of cases in words of a hundred.

    Examples
    --------
    >>> count(0.78)
    '78 of 100'
    """
    return f"{round(100 * share)} of 100"


def years_text(years: float) -> str:
    """A payback time.

    Examples
    --------
    >>> years_text(0.47), years_text(1.02), years_text(3.21), years_text(25.0)
    ('5.6 months', '1.0 years', '3.2 years', '> 10 years')
    """
    if not math.isfinite(years) or years > 10:
        return "> 10 years"
    size, word = (12 * years, "months") if years < 1 else (years, "years")
    return f"{f'{size:#.2g}'.rstrip('.')} {word}"


COUNTED: Final = (
    "accelerator|assumption|case|claim|combination|condition|configuration|draw|expert|figure|fold|forecast|future|gain|input|measurement|model|month"
    "|node|order|pair|place|platform|point|prediction|rack|request|row|run|session|setting|shuffle|step|submission|token|trace|workload|year"
)
"""What sentences count."""
ONE: Final = re.compile(rf"(?<![\w.,$%/+−–-])(?<!\bto )(1 (?:(?!of\b|in\b|to\b|and\b|or\b)[a-z-]+ )?(?:{COUNTED}))s\b")
"""One of something with the s of many; an end of a range keeps it."""


def singular(text: str) -> str:
    """A text in which what is counted takes no s where it is one.

    Examples
    --------
    >>> singular("on 1 platforms, at 1 requests a second, of 11 racks"), singular("over 1 drawn futures, of 1 to 1 tokens")
    ('on 1 platform, at 1 request a second, of 11 racks', 'over 1 drawn future, of 1 to 1 tokens')
    """
    return ONE.sub(r"\1", text)


def plural(size: float, word: str) -> str:
    """A number with its noun, which takes an s unless the number is one.

    Examples
    --------
    >>> plural(1, "year"), plural(3, "year")
    ('1 year', '3 years')
    """
    return f"{number(float(size))} {word}{'' if size == 1 else 's'}"


ENGINES = {
    "atom": "ATOM",
    "dynamo": "Dynamo",
    "mori": "MoRI",
    "sglang": "SGLang",
    "trtllm": "TensorRT-LLM",
    "vllm": "vLLM",
}


def engine_words(engine: str) -> str:
    """A serving engine as its makers write it.

    Examples
    --------
    >>> engine_words("trtllm"), engine_words("mori-sglang")
    ('TensorRT-LLM', 'MoRI SGLang')
    """
    return " ".join(ENGINES.get(part, part) for part in engine.split("-"))


FORMAT: Final = re.compile(r"\b(?:nv|mx)?(?:fp|bf|int)\d+\b")
"""A number format among words."""


def format_words(text: str) -> str:
    """Number formats as their makers write them; other words stay.

    Examples
    --------
    >>> format_words("fp8 (no 4-bit)"), format_words("mxfp4"), format_words("FP8")
    ('FP8 (no 4-bit)', 'MXFP4', 'FP8')
    """
    return FORMAT.sub(lambda found: found[0].upper(), text)


ACRONYMS = {"moe": "MoE", "roi": "ROI"}


def page_words(name: str) -> str:
    """A notebook's name without its number, as a reader writes it.

    Examples
    --------
    >>> page_words("02_moe_experts"), page_words("10_revenue_and_roi")
    ('MoE experts', 'revenue and ROI')
    """
    return " ".join(ACRONYMS.get(word, word) for word in name.split("_")[1:])


def text_table(columns: Mapping[str, Iterable[Any]]) -> str:
    """Columns under their names, right-aligned; numbers to five significant digits, nothing where there is none.

    Examples
    --------
    >>> print(text_table({"layout": ["TP8", "TP16"], "rate": [1234.5678, float("nan")]}))
    layout    rate
       TP8  1234.6
      TP16
    """
    shown = []
    for name, values in columns.items():
        cells = [name, *(_cell(value) for value in values)]
        width = max(map(len, cells))
        shown.append([cell.rjust(width) for cell in cells])
    return "\n".join("  ".join(line).rstrip() for line in zip(*shown, strict=True))


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.5g}"


def join_named(names: Iterable[str]) -> str:
    """Names as words, in their order; what stands in brackets behind several that follow each other is said once, at the last.

    Behind a bare name each keeps its own brackets: one pair would seem to hold for the bare name too.

    Examples
    --------
    >>> join_named(["B200 (unmeasured model)", "TPU v7 (unmeasured model)"]), join_named(["B200", "TPU v7 (unmeasured)"])
    ('B200 and TPU v7 (each: unmeasured model)', 'B200 and TPU v7 (unmeasured)')
    >>> join_named(["GB200 (long)", "TPU v7 (new)", "B200 (long)"]), join_named(["H100", "B200 (long)", "GB200 (long)"])
    ('GB200 (long), TPU v7 (new) and B200 (long)', 'H100, B200 (long) and GB200 (long)')
    """
    runs: list[tuple[str, list[str]]] = []
    for item in names:
        name, _, note = item.removesuffix(")").partition(" (")
        joins = bool(note and runs and runs[-1][0] == note and (len(runs) == 1 or runs[-2][0]))
        if joins:
            runs[-1][1].append(name)
        else:
            runs.append((note, [name if note else item]))
    return join_words(
        f"{join_words(run)} ({'each: ' if len(run) > 1 else ''}{note})" if note else run[0] for note, run in runs
    )


def join_words(words: Iterable[str] | Sequence[str], last: str = "and") -> str:
    """A list as words.

    Examples
    --------
    >>> join_words(["H100", "B200", "TPU v7"])
    'H100, B200 and TPU v7'
    >>> join_words(["8 in and 1 out", "1 in and 1 out"], "or")
    '8 in and 1 out or 1 in and 1 out'
    """
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def lengths(workload: str) -> str:
    """Input and output tokens of a request.

    Examples
    --------
    >>> lengths("8192/1024")
    '8,192 in and 1,024 out'
    """
    into, out = (int(part) for part in workload.split("/"))
    return f"{into:,} in and {out:,} out"


PARALLEL = {
    "TP": "tensor",
    "EP": "expert",
    "DP": "data",
    "TEP": "tensor and expert",
    "DEP": "data and expert",
}
LAYOUT = re.compile(r"^([A-Z]+)(\d+)(?: PP(\d+))?(?: decode, (\d+)P:(\d+)D)?$")


def layout_words(layout: str) -> str:
    """A layout of the search in words; other text as it is.

    Examples
    --------
    >>> layout_words("TEP8 PP2"), layout_words("DEP16 decode, 36P:16D"), layout_words("")
    ('8-way tensor and expert parallel, 2 stages', '16-way data and expert parallel, 36 GPUs of prefill to 16 of decode', '')
    """
    found = LAYOUT.match(str(layout))
    if found is None or found[1] not in PARALLEL:
        return str(layout)
    stages = f", {found[3]} stages" if found[3] and found[3] != "1" else ""
    pools = f", {found[4]} GPUs of prefill to {found[5]} of decode" if found[4] else ""
    return f"{found[2]}-way {PARALLEL[found[1]]} parallel{stages}{pools}"
