"""Results as files other tools read."""

from ketamech.exchange.folder import MANIFEST, read_manifest, whole_folder
from ketamech.exchange.store import read_run, tidy, write_curves

__all__ = ["MANIFEST", "read_manifest", "read_run", "tidy", "whole_folder", "write_curves"]
