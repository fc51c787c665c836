"""What a reader is told in place of an id: the names of models, platforms, workloads and demand traces."""

from __future__ import annotations

import re
from collections.abc import Callable

from rackecon.catalog.accelerators import accelerators
from rackecon.catalog.cached import by_data
from rackecon.catalog.models import model, models
from rackecon.catalog.paths import read_rows
from rackecon.catalog.scenarios import scenarios


@by_data(1, "models", "accelerators", "scenarios", "demand_traces")
def labels() -> dict[str, str]:
    """Names by id.

    Examples
    --------
    >>> labels()["rag-summarise"], labels()["azure2024_conv"]
    ('document summaries', 'Azure conversations of May 2024')
    """
    found = {row["trace"]: row["name"] for row in read_rows("demand_traces")}
    found |= {key: model(key).name for key in models()}
    found |= {key: chip.label for key, chip in accelerators().items()}
    return found | {key: case.name for key, case in scenarios().items()}


@by_data(1, "models", "accelerators", "scenarios", "demand_traces")
def _ids() -> re.Pattern[str]:
    """Ids that no sentence should hold: those with a hyphen or an underscore that are no names themselves."""
    names = labels()
    odd = sorted((key for key in names if re.search("[-_]", key) and key not in names.values()), key=len, reverse=True)
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, odd))})(?![\w-])")


def relabelled(text: str, written: Callable[[str], str] = str) -> str:
    """A text with names in place of the ids in it, each as ``written`` gives it: escaped where the text is markup.

    Examples
    --------
    >>> relabelled("cell h200-sxm, deepseek-r1, aggregated")
    'cell H200, DeepSeek-V3/R1, aggregated'
    """
    return _ids().sub(lambda found: written(labels()[found[0]]), text)


def label(text: str) -> str:
    """The name of an id; any other text as it is.

    Examples
    --------
    >>> label("gb200-nvl72"), label("as it is")
    ('GB200 NVL72', 'as it is')
    """
    return labels().get(text, text)
