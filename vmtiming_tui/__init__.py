"""Boot N virtual machines at once and say, believably, how long each took."""

__version__ = "0.1.0"
