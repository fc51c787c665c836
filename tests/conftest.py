"""Settings of all tests."""

import gc
import signal
from pathlib import Path

import pytest
from hypothesis import settings

import rackecon  # noqa: F401  before NumPy, so that workers of tests, and what they start, do linear algebra in one thread

# a shared machine is slow at times, which is no fault of an example; the same commit has the same examples, so that what is
# green stays green: `--hypothesis-profile=random` looks for others
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile("same")

gc.set_threshold(50_000)  # as for a command: what is imported and collected lasts as long as the process

if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # as of tests begun in a shell's background: what they start is interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)

NOTEBOOKS = Path(__file__).parent / "notebooks"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Folder of the user's own rows, of which there are none yet."""
    folder = tmp_path / "own"
    monkeypatch.setenv("RACKECON_USER_DATA", str(folder))
    return folder


def pytest_collection_modifyitems(items):
    """Files that take longest first, so that no worker is left alone with one of them at the end."""
    slow: dict[Path, int] = {}
    for item in items:
        slow[item.path] = slow.get(item.path, 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: (item.path.parent != NOTEBOOKS, -slow[item.path]))


def pytest_collection_finish(session):
    """Thousands of tests and modules are garbage of none of them."""
    gc.freeze()
