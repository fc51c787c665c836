"""A chart that has not changed keeps the bytes of its picture; one that has is drawn afresh."""

import base64
import io
import json
from typing import Any

import numpy as np
from PIL import Image

from rackecon.figures import display
from rackecon.figures.display import VEGALITE_MIME
from rackecon.figures.pictures import PNG_MIME, keep_pictures, same_picture


def picture(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


GREY = np.full((40, 60, 3), 128)


def one_chart(spec: dict[str, Any], pixels: np.ndarray) -> dict[str, Any]:
    return {"cells": [{"outputs": [{"data": {VEGALITE_MIME: spec, PNG_MIME: picture(pixels)}}]}, {"source": "text"}]}


def png(notebook: dict[str, Any]) -> str:
    return str(notebook["cells"][0]["outputs"][0]["data"][PNG_MIME])


def rounded(pixels: np.ndarray) -> np.ndarray:
    other = pixels.copy()
    other[3, 4] += 1
    return other


def drawn(pixels: np.ndarray) -> np.ndarray:
    other = pixels.copy()
    other[10:14, 10:50] = 0  # a bar that was not there
    return other


def test_a_rounding_difference_keeps_the_committed_bytes():
    before = one_chart({"mark": "bar"}, GREY)
    after = keep_pictures(one_chart({"mark": "bar"}, rounded(GREY)), before)
    assert png(after) == png(before)
    assert png(after) != picture(rounded(GREY))


def test_another_specification_is_drawn_afresh():
    fresh = one_chart({"mark": "line"}, rounded(GREY))
    assert png(keep_pictures(fresh, one_chart({"mark": "bar"}, GREY))) == picture(rounded(GREY))


def test_a_picture_that_looks_different_is_drawn_afresh_though_its_specification_is_the_same():
    fresh = one_chart({"mark": "bar"}, drawn(GREY))
    assert png(keep_pictures(fresh, one_chart({"mark": "bar"}, GREY))) == picture(drawn(GREY))


def test_another_size_is_another_picture():
    assert not same_picture(picture(GREY), picture(GREY[:39]))


def test_a_chart_of_the_page_before_is_not_drawn_again_and_any_other_is(tmp_path, monkeypatch):
    spec = {"mark": "bar", "title": "a", "width": 200, "data": {"values": [{"x": 0.1 + 0.2}]}}
    drawn = display.chart_bundle(spec)[0]
    page = {"cells": [{"outputs": [{"data": {**drawn, PNG_MIME: "kept"}}]}]}
    (tmp_path / display.BEFORE).write_text(json.dumps(page), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert display.chart_bundle(spec)[0] == {**drawn, PNG_MIME: "kept"}
    changed = display.chart_bundle(spec | {"title": "b"})[0]
    assert changed[PNG_MIME] not in ("kept", drawn[PNG_MIME])


def test_a_page_before_that_cannot_be_read_is_no_fault(tmp_path, monkeypatch):
    (tmp_path / display.BEFORE).write_text('{"cells": 3}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert display.chart_bundle({"mark": "bar", "width": 200})[0][PNG_MIME]
