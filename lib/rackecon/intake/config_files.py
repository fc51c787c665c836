"""Where a model's configuration is: a file, a folder of a checkpoint, Mistral's params.json, the local Hugging Face cache."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from rackecon.catalog.text_file import read_text
from rackecon.errors import InputError

SIDE_FILE: Final = "hf_quant_config.json"
NAMELESS: Final = ("config", "params")


def cached_folder(repository: str) -> Path:
    """Folder of a snapshot in the local Hugging Face cache; nothing is downloaded.

    Raises
    ------
    InputError
        Not ORG/NAME, or not in the cache.
    """
    if not re.fullmatch(r"[\w.\-]{1,96}/[\w.\-]{1,96}", repository):
        raise InputError(f"hf:{repository[:80]}: a repository is ORG/NAME")
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    folder = hub / f"models--{repository.replace('/', '--')}"
    head = folder / "refs" / "main"
    snapshots = sorted((folder / "snapshots").glob("*/config.json"))
    if head.is_file():
        current = folder / "snapshots" / head.read_text(encoding="utf-8").strip() / "config.json"
        snapshots = [current] if current.is_file() else snapshots
    if not snapshots:
        raise InputError(
            f"hf:{repository}: not in the local Hugging Face cache (HF_HOME); `hf download {repository} config.json` puts it there"
        )
    return snapshots[-1].parent


def _file(path: Path) -> Path:
    if path.is_dir():
        for name in ("config.json", "params.json"):
            if (path / name).is_file():
                return path / name
        raise InputError(f"{path}: no config.json or params.json in this folder")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path


def _read(path: Path) -> dict[str, Any]:
    text = read_text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path.name}: not a JSON object")
    return found


def _of_params(params: dict[str, Any], name: str) -> dict[str, Any]:
    """A configuration in the usual spelling, of Mistral's or Meta's ``params.json``."""
    out = dict(params)
    routed = out.pop("moe", None)
    if "hidden_dim" not in out and "multiple_of" in out:
        step, factor = out.pop("multiple_of"), out.pop("ffn_dim_multiplier", 1.0)
        if not all(isinstance(x, int | float) and x > 0 for x in (step, factor, out.get("dim"))):
            raise InputError(f"{name}: dim, multiple_of and ffn_dim_multiplier must be positive numbers")
        out["hidden_dim"] = int(step * -(-int(factor * int(8 * out["dim"] / 3)) // step))
    if isinstance(routed, dict):
        out |= {
            "num_local_experts": routed.get("num_experts"),
            "num_experts_per_tok": routed.get("num_experts_per_tok"),
        }
        known = {"num_experts", "num_experts_per_tok"}
        out |= {f"moe_{key}": value for key, value in routed.items() if key not in known}
    return {"model_type": "mixtral" if routed else "mistral", "max_position_embeddings": 32768, **out}


def read_config(path: Path) -> dict[str, Any]:
    """A configuration from its file or the folder it lies in; size and text are looked at before it is read.

    Raises
    ------
    InputError
        No such file, too large, not UTF-8, not a JSON object.
    """
    file = _file(path)
    found = _read(file)
    if "dim" in found and "n_layers" in found and "model_type" not in found:
        return _of_params(found, file.name)
    return found


def read_side(path: Path) -> dict[str, Any] | None:
    """ModelOpt's ``hf_quant_config.json`` from beside a configuration, where there is one."""
    beside = path / SIDE_FILE if path.is_dir() else path.with_name(path.name.removesuffix("config.json") + SIDE_FILE)
    return _read(beside) if beside.is_file() else None


def model_name(path: Path, config: dict[str, Any]) -> str:
    """Id of a model: its own name in the file, else the folder's or the file's."""
    own = str(config.get("_name_or_path") or "").rstrip("/").split("/")[-1]
    folder = path if path.is_dir() else path.parent
    name = own or (folder.resolve().name if path.is_dir() or path.stem in NAMELESS else path.stem)
    return re.sub(r"[^a-z0-9.\-]+", "-", name.lower()).strip("-.")[:64] or "own"
