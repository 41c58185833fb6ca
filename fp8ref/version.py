"""The version, below everything that notes it down."""

__version__ = "0.1.0"
