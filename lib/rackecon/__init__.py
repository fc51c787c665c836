"""rackecon: from serving physics to the return on a rack, with an honest interval."""

__version__ = "0.1.0"
