"""Spreadsheets of serving points as people keep them, in the terms of ``rackecon predict``.

What a cell or a header stands for is taken where it can stand for one thing only, and said; a row that cannot be read has its
fault, so that the others are answered.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rackecon.catalog import accelerators, models
from rackecon.catalog.cached import of_arguments
from rackecon.catalog.engine_versions import version_date, version_in
from rackecon.catalog.names import accelerator_named, engine_named, model_named, precision_named
from rackecon.catalog.text_file import csv_lines, read_text
from rackecon.catalog.user_rows import parsed, table_fields
from rackecon.errors import InputError, plain
from rackecon.performance.engine import PRECISION_BITS
from rackecon.performance.families import ENGINES
from rackecon.serving.points import NEEDED, POINT_COLUMNS

LARGEST_BYTES: Final = 256 * 2**20
SEPARATORS: Final = (",", ";", "\t")
BLANK: Final = frozenset(
    {"", "-", "--", "–", "—", "n/a", "na", "n.a.", "#n/a", "nan", "none", "null", "?", "tbd", "unknown"}
)
RATE: Final = "request_rate"
UNCOMPUTED: Final = (
    (r"lora|adapter", "adapters are not computed; without it the row is of the base model"),
    (
        r"offload|lmcache|swap_space|hicache",
        "a cache outside GPU memory is not computed for a point, only by replay (rackecon.load, page 15)",
    ),
)
"""Headers of what changes a rate and is not computed, and what a row with it is told."""
COUNTS: Final = frozenset({"isl", "osl", "concurrency", "gpus", "tp", "ep", "pp", "decode_gpus", "prefill_gpus"})
CLOSE: Final = 0.75  # likeness of a header to a column from which on it is named as meant
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "accelerator": ("gpu", "gpu_type", "gpu_name", "hardware", "hw", "chip", "accelerator_id", "device"),
    "model": ("model_id", "model_name", "llm"),
    "weight_precision": ("precision", "quantization", "quantisation", "weights", "dtype", "weight_dtype"),
    "kv_precision": ("kv_cache_dtype", "kv_dtype", "cache_precision", "kv_cache_precision"),
    "engine": ("framework", "backend", "runtime", "serving_engine", "inference_engine"),
    "isl": (
        "input_len",
        "input_length",
        "input_tokens",
        "isl_tokens",
        "prompt_tokens",
        "random_input_len",
        "input_seq_len",
    ),
    "osl": ("output_len", "output_length", "output_tokens", "osl_tokens", "random_output_len", "output_seq_len"),
    "gpus": ("num_gpus", "n_gpus", "gpu_count", "gpus_total", "world_size"),
    "tp": ("tp_size", "tensor_parallel", "tensor_parallel_size"),
    "ep": ("ep_size", "expert_parallel", "expert_parallel_size"),
    "pp": ("pp_size", "pipeline_parallel", "pipeline_parallel_size"),
    "concurrency": ("max_concurrency", "conc", "concurrent_requests", "num_concurrent_requests", "in_flight"),
    "prefix_cache_hit": ("cache_hit", "cache_hit_rate", "prefix_cache_hit_rate"),
    RATE: ("request_rate_rps", "requests_per_second", "req_s", "rps", "qps"),
}
"""What people and tools head a column with, beside its own name."""
MEASURED: Final[dict[str, tuple[str, ...]]] = {
    "total_tok_s_per_gpu": ("total_tok_s_gpu", "total_tokens_s_gpu", "total_throughput_per_gpu"),
    "output_tok_s_per_gpu": ("output_tok_s_gpu", "output_tokens_s_gpu", "output_throughput_per_gpu"),
    "total_tok_s": ("total_tokens_s", "total_throughput", "total_token_throughput"),
    "output_tok_s": ("output_tokens_s", "output_throughput", "output_token_throughput"),
    "tok_s_per_user": ("tok_s_user",),
    "ttft_ms": ("median_ttft_ms", "p50_ttft_ms"),
    "tpot_ms": ("median_tpot_ms", "p50_tpot_ms"),
}
"""The same of what was measured; a rate that does not say which tokens, or a time without its unit, stands for none."""
NAMES: Final[dict[str, Callable[[str], str | None]]] = {
    "accelerator": accelerator_named,
    "model": model_named,
    "weight_precision": precision_named,
    "kv_precision": precision_named,
    "engine": engine_named,
}
ADDING: Final = {"accelerator": "add-accelerator", "model": "add-model"}
WORDS: Final = frozenset((*NAMES, "mode", "date", "speculative", "length_draw", "latency_statistic"))
LOWER: Final = frozenset({"mode", "speculative", "latency_statistic"})
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u202f'](?:\d{3}))+(?:[.,]\d+)?")
_COMMAS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True)
class Sheet:
    """Rows of a file, and what they say.

    ``header`` and ``cells`` are as in the file, ``points`` the conditions by column of ``rackecon predict`` and
    ``request_rate`` [1/s]; ``stood_for`` says what a row's names were taken for and ``faults`` why a row cannot be read, both
    empty where there is nothing to say; ``lines`` are line numbers of the file, ``remarks`` are of whole columns.
    """

    header: list[str]
    cells: list[dict[str, str]]
    points: list[dict[str, str]]
    stood_for: list[str]
    faults: list[str]
    lines: list[int]
    remarks: list[str]


def read_sheet(path: Path) -> Sheet:
    """Points of a CSV file separated by commas, semicolons or tabs.

    Raises
    ------
    InputError
        No such file, no header, a needed column that is absent, or two columns of one meaning: one line.
    """
    text = read_text(path, largest=LARGEST_BYTES)
    separator = _separator(text)
    every = enumerate(csv_lines(path.name, text, separator), start=1)
    lines = [(number, line) for number, line in every if any(map(str.strip, line))]
    if not lines:
        raise InputError(f"{path.name}: empty; the first line must name the columns")
    header = [name.strip() for name in lines[0][1]]
    while header and not header[-1]:
        header.pop()
    means = _meanings(path.name, header)
    cells, points, stood_for, faults = [], [], [], []
    for _, line in lines[1:]:
        row = [cell.strip() for cell in line]
        extra = [cell for cell in row[len(header) :] if cell]
        cells.append(dict(zip(header, [*row, *[""] * len(header)], strict=False)))
        wide = extra or len(row) < len(header)
        point, said, fault = _point({means[name]: cell for name, cell in cells[-1].items() if name in means}, separator)
        fault = fault or _uncomputed(cells[-1], means)
        points.append(point)
        stood_for.append("; ".join(said))
        faults.append(f"{len(row)} cells where the header has {len(header)}" if wide else fault)
    return Sheet(header, cells, points, stood_for, faults, [number for number, _ in lines[1:]], _remarks(header, means))


def measured_rows(name: str, text: str) -> list[dict[str, str]] | None:
    """Rows of a sheet of measured points by column of data/measured_serving.csv; none where it is not one.

    Headers and numbers are read as :func:`read_sheet` reads them; a column of no known meaning keeps its header. One that
    names an accelerator, a model and a rate is a sheet of measured points.

    Examples
    --------
    >>> measured_rows("x", "GPU;Model;TTFT [ms];Total tok/s/GPU\\nH100;llama;1,5;300\\n")
    [{'accelerator': 'H100', 'model': 'llama', 'ttft_ms': '1.5', 'total_tok_s_per_gpu': '300'}]
    """
    own = {other: column for column, others in MEASURED.items() for other in (column, *others)}

    def column(header: str) -> str:
        word = re.sub(r"[\[(]\s*ms\s*[\])]", "_ms", header.strip().lower())
        word = re.sub(r"[\s\-./]+", "_", re.sub(r"[\[(].*?[\])]", "", word).strip()).strip("_")
        return own.get(re.sub("_+", "_", word)) or _column(header)

    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = max(SEPARATORS, key=lambda sign: sum(1 for word in first.split(sign) if column(word.strip('" '))))
    meant = {column(word.strip('" ')) for word in first.split(mark)}
    if not {"accelerator", "model"} <= meant or not meant & set(list(MEASURED)[:4]):
        return None
    out = []
    for row in parsed(name, text, mark):
        held = {column(word) or word: ("" if cell.lower() in BLANK else cell) for word, cell in row.items()}
        if len(held) < len(row):
            raise InputError(f"{name}: two columns stand for one: {plain(', '.join(row), 200)}")
        out.append(
            {
                key: cell if key in WORDS or not cell or key not in meant else _number(key, cell, mark, [])[0]
                for key, cell in held.items()
            }
        )
    return out


def _uncomputed(cells: Mapping[str, str], means: Mapping[str, str]) -> str:
    """The fault of a row that is served with what is not computed for a point, and is not passed over.

    Examples
    --------
    >>> _uncomputed({"max_loras": "0", "LoRA rank": "16"}, {})
    'LoRA rank 16: adapters are not computed; without it the row is of the base model'
    """
    for word, cell in cells.items():
        for pattern, why in UNCOMPUTED:
            if (
                word not in means
                and re.search(pattern, word, re.IGNORECASE)
                and cell.lower() not in {*BLANK, "0", "false", "no"}
            ):
                return f"{plain(word, 60)} {plain(cell, 60)}: {why}"
    return ""


def _separator(text: str) -> str:
    """The separator that splits the first line into the most columns of a known meaning; a comma where none does."""
    first = text.lstrip("\ufeff\r\n").splitlines()[0]
    return max(SEPARATORS, key=lambda mark: sum(1 for name in first.split(mark) if _column(name.strip('" '))))


@of_arguments(1)
def _known() -> dict[str, str]:
    out = {name: name for name in (*POINT_COLUMNS, RATE)}
    for name, others in HEADERS.items():
        out |= dict.fromkeys(others, name)
    return out


def _column(header: str) -> str:
    """Column that a header stands for; empty where it stands for none.

    Examples
    --------
    >>> [_column(name) for name in ("ISL (tokens)", "Weight Precision", "tp_size", "concurency")]
    ['isl', 'weight_precision', 'tp', '']
    """
    word = re.sub(r"[\s\-./]+", "_", re.sub(r"[\[(].*?[\])]", "", header).strip().lower()).strip("_")
    return _known().get(word, "")


def _meanings(name: str, header: Sequence[str]) -> dict[str, str]:
    """Columns by header; refused where one is needed and absent, or two headers stand for one."""
    twice = next((word for word in header if header.count(word) > 1), None)
    if twice is not None:
        raise InputError(f"{name}: column '{plain(twice, 60)}' appears more than once")
    means = {word: _column(word) for word in header if _column(word)}
    for column in NEEDED:
        if column not in means.values():
            near = difflib.get_close_matches(column, [word.lower() for word in header if word not in means], 1, CLOSE)
            hint = f"; is '{plain(near[0], 60)}' meant?" if near else ""
            raise InputError(f"{name}: column '{column}' is missing{hint}; needed: {', '.join(NEEDED)}")
    for column in set(means.values()):
        same = [word for word, meant in means.items() if meant == column]
        exact = [word for word in same if word.lower() == column]
        if len(same) > 1 and len(exact) == 1:  # a column of that very name wins
            for word in same:
                if word not in exact:
                    del means[word]
        elif len(same) > 1:
            raise InputError(f"{name}: columns {' and '.join(same)} both stand for '{column}'")
    return means


def _remarks(header: Sequence[str], means: Mapping[str, str]) -> list[str]:
    """Columns that are read under another name, and those that are not used."""
    kept = set(table_fields("measured_serving"))
    out = [f"column '{plain(word, 60)}' is read as '{meant}'" for word, meant in means.items() if word.lower() != meant]
    for word in header:
        if word in means or word in kept or word.startswith("predicted_") or not word:
            continue
        near = difflib.get_close_matches(word.lower(), sorted(_known()), 1, CLOSE)
        hint = f"; nearest is '{_known()[near[0]]}'" if near else ""
        out.append(f"column '{plain(word, 60)}' is not used{hint}")
    return out


def _point(row: Mapping[str, str], separator: str) -> tuple[dict[str, str], list[str], str]:
    """Conditions of a row, what its names stood for, and the first fault."""
    point: dict[str, str] = {}
    said: list[str] = []
    faults: list[str] = []
    for column, cell in row.items():
        value = "" if cell.lower() in BLANK and not (column == "speculative" and cell.lower() == "none") else cell
        if value and column in NAMES:
            value, fault = _named(column, value, said)
        elif value and column not in WORDS:
            value, fault = _number(column, value, separator, said)
        else:
            value, fault = (value.lower() if column in LOWER else value), ""
        point[column] = value
        faults += [fault] if fault else []
    checkpoint = precision_named(row.get("model", "").split("/")[-1])
    if not point.get("weight_precision") and checkpoint and not faults:
        point["weight_precision"] = checkpoint
        said.append(f"weight_precision {checkpoint} from the model's name")
    _dated(row, point, said)
    return point, said, faults[0] if faults else ""


def _named(column: str, cell: str, said: list[str]) -> tuple[str, str]:
    """Id that a name stands for, and the fault where it stands for none."""
    known: Sequence[str] = tuple(PRECISION_BITS)
    if column in ADDING:
        known = tuple(accelerators() if column == "accelerator" else models())
    elif column == "engine":
        known = tuple(ENGINES)
    if cell in known or (column == "engine" and cell == "not stated"):
        return cell, ""
    found = NAMES[column](cell)
    if found is not None and found in known:
        said.append(f"{column} '{plain(cell, 60)}' = {found}")
        return found, ""
    shown = plain(cell, 60)
    if column in ADDING:
        return cell, f"{column} '{shown}' is not in the catalogue; `rackecon data {ADDING[column]} FILE` adds it"
    return cell, f"unknown {column} '{shown}'; allowed: {', '.join(known)}"


def _number(column: str, cell: str, separator: str, said: list[str]) -> tuple[str, str]:
    """A number as the model reads it: thousands and decimal commas, a share given in per cent.

    Examples
    --------
    >>> [_number("isl", cell, ",", []) for cell in ("8,192", "1 024", "64")]
    [('8192', ''), ('1024', ''), ('64', '')]
    >>> _number("prefix_cache_hit", "0,5", ";", [])
    ('0.5', '')
    >>> [_number("isl", cell, ";", [])[1] for cell in ("8,192", "8.192")]
    ["isl '8,192': 8192 or 8.192? Write it without a comma", "isl '8.192': 8192 or 8.192? Write it without a point"]
    """
    text = cell
    if column == "prefix_cache_hit" and text.endswith("%"):
        share, fault = _number(column, text[:-1].strip(), separator, [])
        try:
            value = float(share) / 100.0
        except ValueError:
            return cell, fault or f"{column}: '{plain(cell, 60)}' is not a share of 0 to 1"
        said.append(f"{column} {plain(cell, 20)} = {value:g}")
        return f"{value:g}", fault
    if _GROUPED.fullmatch(text):
        text = re.sub(r"[ \u00a0\u202f']", "", text)
    if separator != "," and column in COUNTS and re.fullmatch(r"\d{1,3}(\.\d{3})+", text) and not text.startswith("0"):
        if text.count(".") == 1:
            return cell, f"{column} '{text}': {text.replace('.', '')} or {text}? Write it without a point"
        text = text.replace(".", "")
    if separator == "," and _COMMAS.fullmatch(text):
        text = text.replace(",", "")
    elif _COMMAS.fullmatch(text) and "." not in text and text.count(",") == 1 and not text.startswith(("0,", "-0,")):
        whole, _, rest = text.partition(",")
        return cell, f"{column} '{text}': {whole}{rest} or {whole}.{rest}? Write it without a comma"
    elif _COMMAS.fullmatch(text) and not text.startswith("0,"):
        text = text.replace(",", "")
    elif re.fullmatch(r"[+-]?\d+,\d+", text):
        text = text.replace(",", ".")
    return text, ""


def _dated(row: Mapping[str, str], point: dict[str, str], said: list[str]) -> None:
    """Date of a stated engine version, where the row has none and measured rows know it."""
    version = version_in(row.get("engine", ""))
    if version is None or point.get("date") or point.get("engine") not in ENGINES:
        return
    found = version_date(point["engine"], version)
    if found:
        point["date"] = found
        said.append(f"date {found} of the newest measured run of version {version}")
    else:
        said.append(f"version {version} not used: no measured run is of it; a date says how old it is")
