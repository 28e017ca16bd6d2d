"""The command line: thin, over the same public names as the Python interface."""

from ketamech.cli.main import app, main

__all__ = ["app", "main"]
