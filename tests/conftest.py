"""Settings of all tests."""

from hypothesis import settings

# a shared machine is slow at times, which is no fault of an example
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
