"""Sweeps: right, identical whatever the workers, and hard to kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rackecon
from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.errors import InputError
from rackecon.sweeps import chunk
from rackecon.sweeps import sweep as sweep_module
from rackecon.sweeps.grid import grid_from_text
from rackecon.sweeps.sweep import chunk_points, sweep
from rackecon.sweeps.workers import check_versions, workers_at

GRID = """
fixed: {model: gpt-oss-20b, osl_tokens: 500}
grid:
  price_factor: {from: 0.5, to: 2, points: 5}
  accelerator: [h100-sxm, mi355x]
list:
  - {isl_tokens: 1000, prefix_cache_hit: 0.0}
  - {isl_tokens: 4000, prefix_cache_hit: 0.5}
sobol:
  samples: 10
  seed: 3
  ranges: {utilisation: [0.3, 0.9], electricity_usd_per_kwh: [0.04, 0.2], horizon_years: [3, 6]}
"""
PLAIN = GRID.partition("sobol:")[0].replace(
    "accelerator:", "utilisation: {from: 0.3, to: 0.9, points: 10}\n  accelerator:"
)
"""As many points without drawn ones, which each new process would import scipy.stats for."""
POINTS = 200
CHUNK = 10


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(GRID, encoding="utf-8")
    return path


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(PLAIN, encoding="utf-8")
    return path


def undisturbed(text, folder):
    """What a grid gives, in chunks of 10 points."""
    (folder / "grid.yaml").write_text(text, encoding="utf-8")
    assert sweep(folder / "grid.yaml", folder / "out.parquet", chunk=CHUNK)["points"] == POINTS
    return (folder / "out.parquet").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return undisturbed(GRID, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def plain_whole(tmp_path_factory):
    return undisturbed(PLAIN, tmp_path_factory.mktemp("plain"))


def test_points_are_numbered_without_gap_and_equal_an_evaluation(grid, tmp_path):
    out = tmp_path / "out.parquet"
    record = sweep(grid, out, chunk=30)
    found = pd.read_parquet(out)
    assert record["points"] == POINTS
    assert list(found["point"]) == list(range(POINTS))
    assert not (tmp_path / "out.parquet.parts").exists()
    case = catalog.scenario(next(iter(catalog.scenarios())))
    for number in (0, 57, 101, 199):
        row = found.iloc[number]
        one = replace(
            case, isl_tokens=row.isl_tokens, osl_tokens=500, prefix_cache_hit=row.prefix_cache_hit,
            ttft_limit_ms=None, tpot_limit_ms=None, latency_statistic="median",
        )  # fmt: skip
        money = {n: float(row[n]) for n in ("utilisation", "electricity_usd_per_kwh", "horizon_years", "price_factor")}
        expected = evaluate([row.accelerator], [row.model], [one], intervals=False, **money).iloc[0]
        for name in (
            "total_tok_s_per_gpu", "revenue_usd_per_gpu_hour", "cost_usd_per_gpu_hour", "profit_usd_per_gpu_hour",
            "gross_margin", "cost_usd_per_mtok_total", "cost_usd_per_mtok_output", "break_even_price_factor",
            "profit_usd_per_rack_year", "profit_usd_per_mw_year",
        ):  # fmt: skip
            assert row[name] == pytest.approx(expected[name], rel=1e-9), name


def test_content_does_not_depend_on_the_workers(grid, tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    sweep(grid, one, jobs=1, chunk=30)
    sweep(grid, two, jobs=2, chunk=30)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("physics", "money", "least", "most"),
    [(100, 1, 8, 20), (200_000, 1, 390, 410), (7, 10_000, 7, 8), (1, 10**6, 100, 100)],
)
def test_chunks_are_of_a_second_and_enough_for_every_worker(physics, money, least, most):
    axes = (
        f"isl_tokens: {{from: 1000, to: 9000, points: {physics}}}, utilisation: {{from: 0.3, to: 0.9, points: {money}}}"
    )
    text = f"{{fixed: {{accelerator: h100-sxm, model: gpt-oss-120b, osl_tokens: 500}}, grid: {{{axes}}}}}"
    chunk, total = chunk_points(grid_from_text(text)), physics * money
    assert least <= -(-total // chunk) <= most
    assert chunk % money == 0 or chunk < money


def test_chunk_size_moves_no_value(grid, tmp_path):
    sweep(grid, tmp_path / "one.parquet", chunk=30)
    sweep(grid, tmp_path / "two.parquet")
    pd.testing.assert_frame_equal(*(pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("one", "two")))


def test_interrupted_sweep_continues_without_gap_or_duplicate(grid, whole, tmp_path):
    out = tmp_path / "out.parquet"

    class Interrupted(Exception):
        pass

    def stop(done, total):
        if done >= 90:
            raise Interrupted

    with pytest.raises(Interrupted):
        sweep(grid, out, chunk=CHUNK, progress=stop)
    assert not out.exists()
    assert len(list((tmp_path / "out.parquet.parts").glob("part-*.parquet"))) == 9
    seen = []
    sweep(grid, out, chunk=CHUNK, progress=lambda done, total: seen.append(done))
    assert seen[0] == 90
    assert out.read_bytes() == whole


def test_chunks_of_another_sweep_are_never_mixed_in(grid, tmp_path):
    out = tmp_path / "out.parquet"
    parts = tmp_path / "out.parquet.parts"
    parts.mkdir()
    (parts / "manifest.json").write_text(json.dumps({"grid": "other"}), encoding="utf-8")
    with pytest.raises(InputError, match="unfinished sweep of another"):
        sweep(grid, out)
    assert (parts / "manifest.json").read_text(encoding="utf-8") == '{"grid": "other"}'


def test_duckdb_reads_it(grid, tmp_path):
    out = tmp_path / "out.parquet"
    sweep(grid, out)
    query = f"select count(*), count(distinct point), min(utilisation) >= 0.3 from '{out}' where profit_usd_per_gpu_hour is not null"
    assert duckdb.sql(query).fetchall() == [(POINTS, POINTS, True)]
    assert json.loads(pq.read_schema(out).metadata[b"rackecon"])["data"]["prices"] == catalog.table_digest("prices")


def command(*words):
    return [sys.executable, "-c", "from rackecon.cli import main; main()", "sweep", *map(str, words), "--quiet"]


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(plain, plain_whole, tmp_path):
    out = tmp_path / "out.parquet"
    running = subprocess.Popen(command(plain, "-o", out, "-j", 2, "--chunk", CHUNK), stderr=subprocess.PIPE)
    parts = tmp_path / "out.parquet.parts"
    deadline = time.monotonic() + 60
    while len(list(parts.glob("part-*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    children = psutil.Process(running.pid).children()
    worker = next(child for child in children if "spawn_main" in " ".join(child.cmdline()))
    worker.send_signal(signal.SIGKILL)
    _, fault = running.communicate(timeout=120)
    assert running.returncode == 0, fault
    assert out.read_bytes() == plain_whole


def test_columns_made_of_buffers_are_those_of_arrow():
    for words in (["é", None, "ab", 3.5], ["tp8", "", "tp8"], [None], []):
        known = [None if word is None else str(word) for word in words]
        assert chunk._texts(np.array(words, dtype=object)).equals(pa.array(known, pa.string()))
    for numbers in ([1.0, np.nan, -0.0], [2.0], [np.nan] * 9, []):
        made = chunk._numbers(np.array(numbers), pa.float64())
        assert made.equals(pa.array(numbers, pa.float64(), from_pandas=True))


def test_a_worker_does_not_import_pandas():
    """It took 0.4 s of each before its first point."""
    work = f"import sys; from rackecon.sweeps.chunk import chunk_bytes; chunk_bytes({PLAIN!r}, 0, 3); print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True).stdout == "False\n"


def sleep_and_say(seconds):
    time.sleep(seconds)
    return "done"


@pytest.mark.slow
def test_a_worker_that_dies_takes_no_other_workers_chunk_and_is_replaced():
    with workers_at(None, 2) as workers:
        other = workers.submit(1, sleep_and_say, 1.0)
        with pytest.raises(BrokenProcessPool):
            workers.submit(0, os._exit, 1).result(timeout=60)
        assert other.result(timeout=60) == "done"
        workers.renew(0)
        assert workers.submit(0, sleep_and_say, 0.0).result(timeout=60) == "done"


class Counted:
    """Workers in threads that note how many chunks are out and not yet written."""

    count = 3

    def __init__(self, parts):
        self.parts, self.handed, self.most, self.pool = parts, 0, 0, ThreadPoolExecutor(self.count)

    def submit(self, worker, work, *arguments):
        self.handed += 1
        self.most = max(self.most, self.handed - len(list(self.parts.glob("part-*.parquet"))))
        return self.pool.submit(work, *arguments)

    def renew(self, worker):
        raise AssertionError


def test_no_worker_holds_more_than_one_chunk_that_is_not_written(grid, tmp_path, monkeypatch):
    made = Counted(tmp_path / "out.parquet.parts")
    monkeypatch.setattr(sweep_module, "workers_at", lambda *_: contextlib.nullcontext(made))
    sweep(grid, tmp_path / "out.parquet", jobs=3, chunk=10)
    assert (made.handed, made.most) == (POINTS // 10, made.count)


@pytest.mark.slow
def test_a_killed_sweep_restarted_completes_without_gap_or_duplicate_and_leaves_no_worker(plain, plain_whole, tmp_path):
    out = tmp_path / "out.parquet"
    running = subprocess.Popen(command(plain, "-o", out, "-j", 2, "--chunk", CHUNK), stderr=subprocess.DEVNULL)
    parts = tmp_path / "out.parquet.parts"
    deadline = time.monotonic() + 60
    while len(list(parts.glob("part-*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    workers = psutil.Process(running.pid).children()
    running.kill()
    running.wait(timeout=30)
    assert not out.exists()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    kept = len(list(parts.glob("part-*.parquet")))
    assert 2 <= kept < POINTS // CHUNK
    seen = []
    sweep(plain, out, chunk=CHUNK, progress=lambda done, total: seen.append(done))
    assert seen[0] == kept * CHUNK
    assert list(pd.read_parquet(out)["point"]) == list(range(POINTS))
    assert out.read_bytes() == plain_whole


@contextlib.contextmanager
def cluster(tmp_path, workers, environment=None):
    """A Dask scheduler and workers on this machine: its address and the processes, the scheduler's first."""
    address = tmp_path / "scheduler.json"
    cli = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(address)]
    started = [subprocess.Popen([*cli, *options], stderr=subprocess.DEVNULL)]
    try:
        deadline = time.monotonic() + 60
        while not address.is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        scheduler = json.loads(address.read_text(encoding="utf-8"))["address"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "1", "--no-dashboard"]
        worker += ["--no-nanny"]  # which would start a worker that dies again
        started += [
            subprocess.Popen(
                [*worker, "--local-directory", str(tmp_path / f"w{n}")],
                stderr=subprocess.DEVNULL,
                env=os.environ | (environment or {}),
            )
            for n in range(workers)
        ]
        yield scheduler, started
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:  # a worker that looks for a scheduler that was killed
                process.kill()
                process.wait()


@pytest.mark.slow
def test_dask_gives_identical_content_with_a_worker_killed_midway_and_its_loss_is_one_line(grid, whole, tmp_path):
    """One cluster: a worker dies and nothing is missing; then its scheduler does, and the sweep goes on without it."""
    out, lost = tmp_path / "out.parquet", tmp_path / "lost.parquet"
    with cluster(tmp_path, 2) as (scheduler, started):
        killed = []

        def kill_one(done, total):
            if done >= 40 and not killed:
                killed.append(started[1])
                killed[0].kill()

        sweep(grid, out, chunk=CHUNK, scheduler=scheduler, progress=kill_one)
        assert killed
        assert out.read_bytes() == whole

        def kill_scheduler(done, total):
            if done >= 20:
                started[0].kill()

        with pytest.raises(InputError, match=r"the cluster at tcp://.* failed .*run it again to go on"):
            sweep(grid, lost, chunk=CHUNK, scheduler=scheduler, progress=kill_scheduler)
    seen = []
    sweep(grid, lost, chunk=CHUNK, progress=lambda done, total: seen.append(done))
    assert seen[0] >= 20
    assert lost.read_bytes() == whole


class Told:
    """A cluster whose workers say which version they have."""

    def __init__(self, found):
        self.found = found

    def run(self, work):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_workers_of_another_version_or_without_the_library_are_refused():
    check_versions(Told({"tcp://a": rackecon.__version__}), "tcp://s")
    with pytest.raises(InputError, match=r"worker tcp://b has rackecon 0\.0\.1, this is "):
        check_versions(Told({"tcp://a": rackecon.__version__, "tcp://b": "0.0.1"}), "tcp://s")
    with pytest.raises(InputError, match=r"the workers at tcp://s cannot load rackecon .*No module named"):
        check_versions(Told(ModuleNotFoundError("No module named 'rackecon'")), "tcp://s")


def test_a_chunk_that_is_anothers_or_damaged_is_made_again(grid, tmp_path):
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    sweep(grid, whole, chunk=30)

    def stop(done, total):
        if done >= 120:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(grid, out, chunk=30, progress=stop)
    first, second, third, fourth = sorted((tmp_path / "out.parquet.parts").glob("part-*.parquet"))
    second.write_bytes(first.read_bytes())  # other points under this name
    third.write_bytes(third.read_bytes()[:-20])
    fourth.rename(fourth.with_name(fourth.name.replace("000000003", "000000005")))
    seen = []
    sweep(grid, out, chunk=30, progress=lambda done, total: seen.append(done))
    assert seen[0] == 30
    assert out.read_bytes() == whole.read_bytes()


def test_two_sweeps_into_one_file_are_told_apart(grid, tmp_path):
    out = tmp_path / "out.parquet"
    faults = []

    def again(done, total):
        if done < total:
            with pytest.raises(InputError, match="another sweep writes it now") as caught:
                sweep(grid, out, chunk=100)
            faults.append(str(caught.value))

    sweep(grid, out, chunk=100, progress=again)
    assert faults
    assert len(pd.read_parquet(out)) == POINTS


BAD = {
    "not a mapping": ("[1, 2]", "a grid holds"),
    "not YAML": ("grid: [1, 2", "not YAML"),
    "extra section": ("grids: {}", "unknown name 'grids': nearest is 'grid'"),
    "unknown parameter": (GRID.replace("price_factor", "price_facter"), "nearest is 'price_factor'"),
    "unknown accelerator": (GRID.replace("h100-sxm", "h100-sxn"), "nearest is 'h100-sxm'"),
    "unknown model": (GRID.replace("gpt-oss-20b", "gpt-os-20b"), "nearest is 'gpt-oss-20b'"),
    "negative tokens": (GRID.replace("osl_tokens: 500", "osl_tokens: -500"), "is not a number from 1"),
    "utilisation above 1": (GRID.replace("0.9]", "90]"), "is not a number from 0.01 to 1"),
    "empty axis": (GRID.replace("[h100-sxm, mi355x]", "[]"), "no values"),
    "given twice": (GRID.replace("osl_tokens: 500", "isl_tokens: 500"), "given twice"),
    "missing lengths": (GRID.replace(", osl_tokens: 500", ""), "osl_tokens is not given"),
    "uneven list": (GRID.replace(", prefix_cache_hit: 0.5", ""), "list case 2"),
    "reversed range": (GRID.replace("[3, 6]", "[6, 3]"), "is no range"),
    "too many points": (
        GRID.replace("points: 5", "points: 10000000").replace("samples: 10", "samples: 1000"),
        "more than a sweep may have",
    ),
    "unknown name inside": (GRID.replace("samples:", "sample:"), "sobol: unknown name 'sample': nearest is 'samples'"),
    "no list": (
        GRID + "list: 3\n" if "list:" not in GRID else GRID.split("list:")[0] + "list: 3\n",
        "list: is not a list",
    ),
    "wrong type": (GRID.replace("samples: 10", "samples: ten"), "sobol.samples"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_bad_grid_is_one_line_and_nothing_written(tmp_path, text, message):
    path = tmp_path / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        sweep(path, tmp_path / "out.parquet")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["grid.yaml"]


def test_grid_that_is_not_text_or_too_large_is_refused(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        sweep(path, tmp_path / "out.parquet")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        sweep(path, tmp_path / "out.parquet")
    path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(InputError, match="is more than is read"):
        sweep(path, tmp_path / "out.parquet")


def test_no_scheduler_is_one_line(grid, tmp_path):
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        sweep(grid, tmp_path / "out.parquet", scheduler="nonsense://nowhere")


@pytest.mark.slow
def test_an_interrupt_ends_a_sweep_in_seconds_and_its_workers_with_it(plain, tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "rackecon", "sweep", plain, "-o", tmp_path / "out.parquet", "-j", "2", "--chunk", "1"],
        stderr=subprocess.PIPE,
    )
    parts = tmp_path / "out.parquet.parts"
    deadline = time.monotonic() + 60
    while not list(parts.glob("part-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.002)
    workers = psutil.Process(running.pid).children()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert b"Traceback" not in said
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


@pytest.mark.slow
def test_an_interrupt_that_is_lost_ends_the_command_all_the_same():
    code = """
import signal, time
from rackecon import __main__ as command
command.LAST_S = 1
signal.signal(signal.SIGINT, command._interrupted)
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    time.sleep(60)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == -signal.SIGALRM
