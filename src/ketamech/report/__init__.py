"""Figures, tables, bibliography and pages that a person reads."""

from ketamech.report.bibliography import cite
from ketamech.report.describe import describe
from ketamech.report.index import write_index
from ketamech.report.run_folder import refuse_folder, write_run
from ketamech.report.scorecard_files import write_scorecard
from ketamech.report.summary import summary_rows

__all__ = ["cite", "describe", "refuse_folder", "summary_rows", "write_index", "write_run", "write_scorecard"]
