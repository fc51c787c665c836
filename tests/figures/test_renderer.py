"""Pictures drawn by the process that draws for all pages: those that a kernel draws for itself."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

from rackecon.figures import renderer

SPEC = json.dumps(
    {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": [{"x": 1, "y": 2}, {"x": 3, "y": 5}]},
        "mark": "line",
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
    }
)


@pytest.mark.slow
def test_a_picture_is_the_same_wherever_it_is_drawn_and_the_process_ends_with_the_report(tmp_path, monkeypatch):
    alone = renderer.png_of(SPEC)
    assert alone.startswith(b"\x89PNG")
    started = []
    monkeypatch.setattr(subprocess, "Popen", _noting(started))
    with renderer.renderer(tmp_path):
        deadline = time.monotonic() + 60
        while not (tmp_path / "renderer").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        monkeypatch.setattr(renderer, "_drawn", lambda _: b"here")
        assert renderer.png_of(SPEC) == alone
        assert renderer.png_of("{") == b"here"  # what is no chart has no answer
    assert started[0].poll() is not None
    assert renderer.ADDRESS not in os.environ


def test_without_such_a_process_a_kernel_draws_for_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(renderer, "_drawn", lambda _: b"here")
    monkeypatch.setenv(renderer.ADDRESS, str(tmp_path / "none"))
    assert renderer.png_of(SPEC) == b"here"


def _noting(started):
    popen = subprocess.Popen

    def noted(*words, **options):
        started.append(popen(*words, **options))
        return started[-1]

    return noted
