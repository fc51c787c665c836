"""Colours of platforms: each of the catalogue has its own, told apart by eyes of every kind."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import rackecon
from rackecon import catalog
from rackecon.figures.theme import GREY, PLATFORM_DARK, PLATFORM_LIGHT, platform_colours, swatch

LIBRARY = Path(rackecon.__file__).parent
# Linear RGB as seen without red, green or blue cones: Machado, Oliveira and Fernandes (2009), severity 1
EYES = [
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
]
# Oklab: Ottosson (2020)
CONES = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def linear(colours: dict[str, str]) -> np.ndarray:
    """Linear RGB of hexadecimal colours."""
    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in colours.values()])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def nearest(colours: dict[str, str], eye: np.ndarray) -> float:
    """Least distance in Oklab of two of the colours as an eye sees them."""
    seen = np.cbrt(np.clip(linear(colours) @ eye.T, 0.0, 1.0) @ CONES.T) @ LAB.T
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    return float(apart[~np.eye(len(seen), dtype=bool)].min())


@pytest.mark.parametrize("colours", [PLATFORM_LIGHT, PLATFORM_DARK], ids=["light", "dark"])
def test_every_platform_has_a_colour_that_eyes_of_every_kind_tell_from_the_others(colours):
    assert set(colours) == set(catalog.accelerators())
    # a difference that is just seen is 0.02; the eight that pages draw by themselves stand twice as far apart
    assert min(nearest(colours, eye) for eye in EYES) > 0.04
    eight = {name: colours[name] for name in list(PLATFORM_LIGHT)[:8]}
    assert min(nearest(eight, eye) for eye in EYES) > 0.07


@pytest.mark.parametrize(
    ("colours", "ground", "least"), [(PLATFORM_LIGHT, "#ffffff", 2.99), (PLATFORM_DARK, "#12161c", 3.56)]
)
def test_every_colour_stands_out_from_the_page(colours, ground, least):
    share = np.array([0.2126, 0.7152, 0.0722])
    own, page = linear(colours) @ share + 0.05, float(linear({"": ground})[0] @ share) + 0.05
    contrast = np.maximum(own, page) / np.minimum(own, page)
    assert contrast.min() > 2.0
    assert contrast[:8].min() > least  # those that every page draws


def test_light_colours_turn_dark_one_by_one():
    """Charts swap their inks by text: a colour of one theme may not be another platform's in the other."""
    assert not set(PLATFORM_LIGHT.values()) & set(PLATFORM_DARK.values())


def test_a_platform_of_the_readers_own_is_grey():
    assert platform_colours(["mi300x", "mi325x", "mine"])[2] == GREY
    assert swatch("mine") == "var(--p-other)"


def texts_of(tree: ast.AST) -> list[str]:
    """Channels of charts that are given as a text or by ``value``, and lists of tooltips that hold one."""
    found = []
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in ("encode", "value")
        ):
            given = [word.value for word in call.keywords if word.arg]
            given += [one for x in given if isinstance(x, ast.List) for one in x.elts]
            if call.func.attr == "value" or any(isinstance(x, ast.Constant | ast.JoinedStr) for x in given):
                found.append(ast.unparse(call))
    return found


def test_channels_of_charts_are_named_by_their_classes():
    """Altair works out its whole schema for each that is a text: 7 ms, of more than two hundred in a report."""
    assert texts_of(ast.parse('chart.encode(x="a:Q", tooltip=[tip])')) == ["chart.encode(x='a:Q', tooltip=[tip])"]
    assert texts_of(ast.parse('chart.encode(y=alt.Y("a:Q"), tooltip=[f"{a}:N"])')) != []
    assert texts_of(ast.parse("chart.encode(y=alt.value(3))")) != []
    assert texts_of(ast.parse('chart.encode(y=alt.Y("a:Q"), x=alt.XValue(3), text=name)')) == []
    files = [path for name in ("figures", "pages") for path in (LIBRARY / name).rglob("*.py")]
    assert len(files) > 20
    assert {path.name: found for path in files if (found := texts_of(ast.parse(path.read_text("utf-8"))))} == {}
