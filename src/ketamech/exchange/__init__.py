"""Results as files other tools read."""

from ketamech.exchange.folder import MANIFEST, read_manifest, renewed, whole_folder
from ketamech.exchange.store import read_run, tidy, write_curves
from ketamech.exchange.stream import read_cohort, refuse_occupied, refuse_small_disk, stream

__all__ = [
    "MANIFEST",
    "read_cohort",
    "read_manifest",
    "read_run",
    "refuse_occupied",
    "refuse_small_disk",
    "renewed",
    "stream",
    "tidy",
    "whole_folder",
    "write_curves",
]
