"""Constants of time and size, and nothing else. One convention: a year is 8,760 hours, a month a twelfth of it."""

from __future__ import annotations

from typing import Final

HOURS_PER_YEAR: Final = 8760.0
MONTHS_PER_YEAR: Final = 12
HOURS_PER_MONTH: Final = HOURS_PER_YEAR / MONTHS_PER_YEAR
HOURS_PER_DAY: Final = 24.0
MINUTES_PER_HOUR: Final = 60.0
SECONDS_PER_HOUR: Final = 3600.0
SECONDS_PER_DAY: Final = HOURS_PER_DAY * SECONDS_PER_HOUR
SECONDS_PER_YEAR: Final = HOURS_PER_YEAR * SECONDS_PER_HOUR
TOKENS_PER_MTOK: Final = 1e6
GIB_BYTES: Final = 2.0**30
GB_BYTES: Final = 1e9
BITS_PER_BYTE: Final = 8.0
DAYS_PER_YEAR: Final = 365.25  # of the calendar, in dates; money counts 8,760 hours
MS_PER_S: Final = 1e3
GB_PER_TB: Final = 1e3
US: Final = 1e-6
