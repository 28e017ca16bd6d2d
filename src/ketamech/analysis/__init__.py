"""What the curves mean: the standard examination, and the scorecard against published numbers."""

from ketamech.analysis.comparison import Verdict, compare
from ketamech.analysis.examination import Finding, examine
from ketamech.analysis.measure import Curves, Measure
from ketamech.analysis.scoring import Scorecard, scorecard

check = examine

__all__ = ["Curves", "Finding", "Measure", "Scorecard", "Verdict", "check", "compare", "examine", "scorecard"]
