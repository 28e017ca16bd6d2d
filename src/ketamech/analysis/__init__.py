"""What the curves mean: the standard examination, and the scorecard against published numbers."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily, listing

if TYPE_CHECKING:
    from ketamech.analysis.calibration import Calibration as Calibration
    from ketamech.analysis.claims import answer_claims as answer_claims
    from ketamech.analysis.clinical import load_clinical as load_clinical
    from ketamech.analysis.clinical import shipped_trial as shipped_trial
    from ketamech.analysis.comparison import Verdict as Verdict
    from ketamech.analysis.comparison import compare as compare
    from ketamech.analysis.emulation import Emulator as Emulator
    from ketamech.analysis.emulation import Points as Points
    from ketamech.analysis.emulation import sampled as sampled
    from ketamech.analysis.examination import Finding as Finding
    from ketamech.analysis.examination import check as check
    from ketamech.analysis.examination import examine as examine
    from ketamech.analysis.experiments import by_evidence as by_evidence
    from ketamech.analysis.experiments import experiment_counts as experiment_counts
    from ketamech.analysis.experiments import run_experiments as run_experiments
    from ketamech.analysis.measure import Curves as Curves
    from ketamech.analysis.measure import Measure as Measure
    from ketamech.analysis.population import PopulationCard as PopulationCard
    from ketamech.analysis.population import population_card as population_card
    from ketamech.analysis.posterior import load_posterior as load_posterior
    from ketamech.analysis.posterior import posterior_hash as posterior_hash
    from ketamech.analysis.scoring import Scorecard as Scorecard
    from ketamech.analysis.scoring import scorecard as scorecard
    from ketamech.analysis.translation import translate as translate

_WHERE = {
    "Calibration": "calibration",
    "Curves": "measure",
    "Emulator": "emulation",
    "Finding": "examination",
    "Measure": "measure",
    "Scorecard": "scoring",
    "Verdict": "comparison",
    "answer_claims": "claims",
    "by_evidence": "experiments",
    "check": "examination",
    "compare": "comparison",
    "examine": "examination",
    "experiment_counts": "experiments",
    "load_clinical": "clinical",
    "load_posterior": "posterior",
    "Points": "emulation",
    "PopulationCard": "population",
    "population_card": "population",
    "posterior_hash": "posterior",
    "run_experiments": "experiments",
    "sampled": "emulation",
    "scorecard": "scoring",
    "shipped_trial": "clinical",
    "translate": "translation",
}

__all__ = sorted(_WHERE)
__getattr__ = lazily(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
