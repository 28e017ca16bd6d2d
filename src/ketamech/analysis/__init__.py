"""What the curves mean: the standard examination, and the scorecard against published numbers."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from ketamech.analysis.claims.evaluate_claims import evaluate_claims as evaluate_claims
    from ketamech.analysis.interspecies_dose import equivalent_dose as equivalent_dose
    from ketamech.analysis.model_checks import CheckResult as CheckResult
    from ketamech.analysis.model_checks import check as check
    from ketamech.analysis.model_checks import run_checks as run_checks
    from ketamech.analysis.perturbation_scorecard import experiment_counts as experiment_counts
    from ketamech.analysis.perturbation_scorecard import run_experiments as run_experiments
    from ketamech.analysis.perturbation_scorecard import tally_by_evidence as tally_by_evidence
    from ketamech.analysis.scorecard import Scorecard as Scorecard
    from ketamech.analysis.scorecard import scorecard as scorecard
    from ketamech.analysis.trial_scorecard import TrialScorecard as TrialScorecard
    from ketamech.analysis.trial_scorecard import trial_scorecard as trial_scorecard
    from ketamech.analysis.verdict import Verdict as Verdict
    from ketamech.analysis.verdict import compare_with_published as compare_with_published
    from ketamech.estimation.calibration import Calibration as Calibration
    from ketamech.estimation.clinical_targets import load_clinical as load_clinical
    from ketamech.estimation.clinical_targets import shipped_trial as shipped_trial
    from ketamech.estimation.posterior import load_posterior as load_posterior
    from ketamech.estimation.posterior import posterior_hash as posterior_hash
    from ketamech.estimation.surrogate_posterior import DesignPoints as DesignPoints
    from ketamech.estimation.surrogate_posterior import QuadraticEmulator as QuadraticEmulator
    from ketamech.estimation.surrogate_posterior import sample_posterior as sample_posterior
    from ketamech.simulation.observable import Observable as Observable
    from ketamech.simulation.observable import TimeCourse as TimeCourse

_WHERE = {
    "Calibration": "calibration",
    "TimeCourse": "measure",
    "QuadraticEmulator": "emulation",
    "CheckResult": "examination",
    "Observable": "measure",
    "Scorecard": "scoring",
    "Verdict": "comparison",
    "answer_claims": "claims",
    "tally_by_evidence": "experiments",
    "check": "examination",
    "compare_with_published": "comparison",
    "run_checks": "examination",
    "experiment_counts": "experiments",
    "load_clinical": "clinical",
    "load_posterior": "posterior",
    "DesignPoints": "emulation",
    "TrialScorecard": "population",
    "trial_scorecard": "population",
    "posterior_hash": "posterior",
    "run_experiments": "experiments",
    "sample_posterior": "emulation",
    "scorecard": "scoring",
    "shipped_trial": "clinical",
    "equivalent_dose": "translation",
}

__all__ = sorted(_WHERE)
__getattr__ = lazy_getattr(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
