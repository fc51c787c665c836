"""Count the families again with transformers' own classes: ``python tests/intake/recount.py [FAMILY ...]``.

Not part of the suite: it wants `pip install transformers torch` beside this package. Each family's class builds its default
configuration on the meta device, then one with every number doubled, every switch turned and every key left out in turn; what
:func:`rackecon.intake.model_config.model_row` makes of the same file must be the same count, or a refusal.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from rackecon.errors import InputError
from rackecon.intake.model_config import model_row
from rackecon.intake.model_families import families

SAME = 0.005
FEW_LAYERS = 8
NO_SHAPE = re.compile(
    r"token|_eps|rope|dropout|pdrop|std|coef|loss|version|label|cache|bias|norm|initializer|^(_|return|output)|architectures|dtype"
)
NOT_COUNTED = {"longcat_flash"}  # whose class holds weights of the experts that do nothing


def classes() -> Any:
    """Configuration classes of transformers by model type, without a look at any network."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return CONFIG_MAPPING


def counted(config: dict[str, Any]) -> int | None:
    """Parameters of a family's class; None where it cannot be built."""
    import torch
    from transformers import AutoModelForCausalLM

    rest = {key: value for key, value in config.items() if key != "model_type"}
    try:
        with torch.device("meta"):
            made = AutoModelForCausalLM.from_config(classes()[config["model_type"]](**rest))
    except Exception:
        return None
    return sum(weight.numel() for weight in {id(weight): weight for weight in made.parameters()}.values())


def variants(family: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The default configuration of a few layers, and each with one key doubled, turned or left out."""
    whole = classes()[family]().to_dict()
    layers = whole.get("num_hidden_layers") or 0
    short = {
        k: v[:FEW_LAYERS] if isinstance(v, list) and len(v) == layers > FEW_LAYERS else v for k, v in whole.items()
    }
    base = {k: v for k, v in short.items() if not NO_SHAPE.search(k)} | {"model_type": family}
    if layers > FEW_LAYERS:
        base["num_hidden_layers"] = FEW_LAYERS
    yield "as it is", base
    for key, value in base.items():
        if key == "model_type":
            continue
        if isinstance(value, int) and value:
            yield f"{key} twice", base | {key: value * 2}
        if isinstance(value, bool):
            yield f"{key} turned", base | {key: not value}
        yield f"without {key}", {k: v for k, v in base.items() if k != key}


def main(named: list[str]) -> None:
    """Print what differs, and how many agree."""
    logging.disable(logging.CRITICAL)
    same = refused = 0
    for family in named or sorted(set(families()) & set(classes()) - NOT_COUNTED):
        for words, config in variants(family):
            total = counted(config)
            if total is None:
                continue
            try:
                found = model_row(config, "x")["stated_total_params"]
            except InputError:
                refused += 1
                continue
            same += abs(found / total - 1) <= SAME
            if abs(found / total - 1) > SAME:
                print(f"{family}, {words}: {found / total - 1:+.2%}")
    print(f"{same} counts agree, {refused} files refused")


if __name__ == "__main__":
    main(sys.argv[1:])
