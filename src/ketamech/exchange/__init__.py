"""Results as files other tools read."""

from ketamech.exchange.cohort_store import read_cohort, refuse_occupied, refuse_small_disk, write_cohort
from ketamech.exchange.curves_io import read_run, to_long_table, write_curves
from ketamech.exchange.output_folder import MANIFEST, atomic_folder, read_manifest, replace_folder

__all__ = [
    "MANIFEST",
    "atomic_folder",
    "read_cohort",
    "read_manifest",
    "read_run",
    "refuse_occupied",
    "refuse_small_disk",
    "replace_folder",
    "to_long_table",
    "write_cohort",
    "write_curves",
]
