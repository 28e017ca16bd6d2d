"""What the curves mean: the standard examination, and the scorecard against published numbers."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily

if TYPE_CHECKING:
    from ketamech.analysis.comparison import Verdict as Verdict
    from ketamech.analysis.comparison import compare as compare
    from ketamech.analysis.examination import Finding as Finding
    from ketamech.analysis.examination import check as check
    from ketamech.analysis.examination import examine as examine
    from ketamech.analysis.measure import Curves as Curves
    from ketamech.analysis.measure import Measure as Measure
    from ketamech.analysis.scoring import Scorecard as Scorecard
    from ketamech.analysis.scoring import scorecard as scorecard

_WHERE = {
    "Curves": "measure",
    "Finding": "examination",
    "Measure": "measure",
    "Scorecard": "scoring",
    "Verdict": "comparison",
    "check": "examination",
    "compare": "comparison",
    "examine": "examination",
    "scorecard": "scoring",
}

__all__ = sorted(_WHERE)
__getattr__ = lazily(__name__, _WHERE)
