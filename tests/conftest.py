"""Settings of all tests."""

from pathlib import Path

from hypothesis import settings

# a shared machine is slow at times, which is no fault of an example
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

NOTEBOOKS = Path(__file__).parent / "notebooks"


def pytest_collection_modifyitems(items):
    """Files that take longest first, so that no worker is left alone with one of them at the end."""
    slow: dict[Path, int] = {}
    for item in items:
        slow[item.path] = slow.get(item.path, 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: (item.path.parent != NOTEBOOKS, -slow[item.path]))
