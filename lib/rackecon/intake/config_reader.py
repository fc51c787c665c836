"""Typed reading of a configuration that remembers which keys it has read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from rackecon.errors import InputError, plain

LIMITS: Final = {
    "num_hidden_layers": (1, 1000),
    "hidden_size": (64, 200_000),
    "vocab_size": (256, 5_000_000),
    "num_attention_heads": (1, 4096),
    "num_key_value_heads": (1, 4096),
    "head_dim": (8, 4096),
    "max_position_embeddings": (128, 1_000_000_000),
}
MOST: Final = 10**9
WRAPPERS: Final = ("thinker_config", "text_config", "llm_config", "language_config", "language_model_config")
OF_THE_WHOLE: Final = ("quantization_config", "compression_config", "_name_or_path", "tie_word_embeddings")
LONGEST_VALUE: Final = 60


def shown(value: object) -> str:
    """A value of a file as a fault shows it: short, on one line, nothing invisible.

    Examples
    --------
    >>> len(shown("x" * 500)), shown(10**5000)
    (60, 'a number of more than 4,000 digits')
    """
    try:
        return plain(repr(value) if isinstance(value, str) else str(value), LONGEST_VALUE)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of more than 4,000 digits"


def inner_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The language model's own configuration, out of however many wrappers; what is said of the whole is kept.

    Examples
    --------
    >>> inner_config({"model_type": "x_vl", "thinker_config": {"text_config": {"model_type": "x"}}})
    {'model_type': 'x'}
    """
    out = dict(config)
    for _ in range(len(WRAPPERS)):
        found = [name for name in WRAPPERS if isinstance(out.get(name), dict) and out[name]]
        if not found:
            return out
        if len(found) > 1:
            raise InputError(f"config: both {' and '.join(found)} hold a model; hand in the one that is served")
        kept = (*OF_THE_WHOLE, *(() if out[found[0]].get("model_type") else ("model_type",)))
        out = {name: out[name] for name in kept if out.get(name) is not None} | out[found[0]]
    return out


class Reader:
    """Values of a configuration by their usual names; a fault names the key.

    Parameters
    ----------
    values : mapping
        The configuration of the language model.
    spellings : mapping
        Usual name of a quantity to what other families call it.
    """

    def __init__(self, values: Mapping[str, Any], spellings: Mapping[str, tuple[str, ...]]) -> None:
        self.values = values
        self.spellings = spellings
        self.read: set[str] = set()

    def spelt(self, name: str) -> str:
        """The spelling that has a value, else the usual one."""
        return next((key for key in (name, *self.spellings.get(name, ())) if self.values.get(key) is not None), name)

    def skip(self, *names: str) -> None:
        """Keys that are known and say nothing new here."""
        for name in names:
            self.read.update((name, *self.spellings.get(name, ())))

    def has(self, name: str) -> bool:
        """Whether any spelling has a value."""
        return self.values.get(self.spelt(name)) is not None

    def get(self, name: str) -> Any:
        """The value as it is; where several spellings are given they agree."""
        self.skip(name)
        given = {
            key: self.values[key]
            for key in (name, *self.spellings.get(name, ()))
            if self.values.get(key) is not None and not isinstance(self.values[key], list)
        }
        if any(value != self.values[self.spelt(name)] for value in given.values()):
            raise InputError(f"config: {' and '.join(given)} are two spellings of one quantity and differ")
        return self.values.get(self.spelt(name))

    def whole(self, name: str, empty: int | None = None) -> int:
        """A whole number of at least 0; a list of one value over is that value.

        Raises
        ------
        InputError
            Missing where ``empty`` is none, not a whole number, out of range, or another one in each layer.
        """
        value, key = self.get(name), self.spelt(name)
        if isinstance(value, list) and value:
            if any(item != value[0] for item in value):
                raise InputError(f"config {key}: differs from layer to layer, which has no arithmetic here")
            value = value[0]
        if value is None or value == []:
            if empty is None:
                raise InputError(f"config: '{name}' is missing")
            return empty
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or (isinstance(value, float) and (not math.isfinite(value) or value != int(value))) or value < 0:
            raise InputError(f"config {key}: {shown(value)} is not a whole number of at least 0")
        low, high = LIMITS.get(name, (0, MOST))
        if not low <= value <= high:
            raise InputError(f"config {key}: {shown(value)} is not between {low} and {high}")
        return int(value)

    def flag(self, name: str, empty: bool = False) -> bool:
        """True or false."""
        value = self.get(name)
        if value is None:
            return empty
        if not isinstance(value, bool):
            raise InputError(f"config {self.spelt(name)}: {shown(value)} is not true or false")
        return value

    def items(self, name: str, layers: int) -> list[Any] | None:
        """One item a layer; None where the key has no list."""
        value = self.get(name)
        if not isinstance(value, list) or not value:
            return None
        if len(value) != layers:
            raise InputError(f"config {self.spelt(name)}: {len(value):,} layers, num_hidden_layers says {layers}")
        return value
