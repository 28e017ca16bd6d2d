"""Figures, tables, bibliography and pages that a person reads."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from benchmarks.results_figure import draw_benchmark as draw_benchmark
    from benchmarks.results_page import benchmark_page as benchmark_page

    from ketamech.report.attribution_figures import reached as reached
    from ketamech.report.attribution_page import write_attribution as write_attribution
    from ketamech.report.bibliography import cite as cite
    from ketamech.report.claims_markdown import claim_in_full as claim_in_full
    from ketamech.report.claims_markdown import write_claims_document as write_claims_document
    from ketamech.report.claims_page import claim_rows as claim_rows
    from ketamech.report.claims_page import write_claims as write_claims
    from ketamech.report.cross_simulator_page import certificate_rows as certificate_rows
    from ketamech.report.cross_simulator_page import write_certificate as write_certificate
    from ketamech.report.demo_index import write_index as write_index
    from ketamech.report.forest_figure import draw_forest as draw_forest
    from ketamech.report.model_page import describe as describe
    from ketamech.report.network_figure import draw_areas as draw_areas
    from ketamech.report.network_page import write_areas_page as write_areas_page
    from ketamech.report.perturbation_figure import save_experiments as save_experiments
    from ketamech.report.provenance import provenance_of as provenance_of
    from ketamech.report.provenance import provenance_of_many as provenance_of_many
    from ketamech.report.quantile_bands import cohort_picture as cohort_picture
    from ketamech.report.quantile_bands import percentiles as percentiles
    from ketamech.report.run_folder import refuse_folder as refuse_folder
    from ketamech.report.run_folder import write_run as write_run
    from ketamech.report.scorecard_files import write_scorecard as write_scorecard
    from ketamech.report.sensitivity_figures import draw_convergence as draw_convergence
    from ketamech.report.sensitivity_figures import draw_front as draw_front
    from ketamech.report.sensitivity_figures import draw_indices as draw_indices
    from ketamech.report.sensitivity_figures import draw_tornado as draw_tornado
    from ketamech.report.summary import summary_rows as summary_rows
    from ketamech.report.trial_figures import save_people as save_people
    from ketamech.report.trial_folder import write_trial as write_trial
    from ketamech.report.trial_scorecard_page import write_trial_scorecard as write_trial_scorecard
    from ketamech.report.trial_summary import difference_rows as difference_rows
    from ketamech.report.trial_summary import relapse_rows as relapse_rows
    from ketamech.report.trial_summary import summary_of as summary_of
    from ketamech.report.variants_page import stale as stale
    from ketamech.report.variants_page import write_average as write_average
    from ketamech.report.variants_page import write_wirings as write_wirings
    from ketamech.report.vpc_figure import draw_predictive_checks as draw_predictive_checks

_WHERE = {
    "draw_areas": "areas_picture",
    "write_areas_page": "areas_page",
    "benchmark_page": "bench_page",
    "draw_benchmark": "bench_picture",
    "cite": "bibliography",
    "certificate_rows": "certificate_page",
    "claim_in_full": "claims_document",
    "claim_rows": "claims_page",
    "cohort_picture": "bands",
    "describe": "model_page",
    "draw_forest": "forest_picture",
    "draw_convergence": "search_pictures",
    "draw_front": "search_pictures",
    "draw_indices": "search_pictures",
    "draw_predictive_checks": "vpc_picture",
    "draw_tornado": "search_pictures",
    "percentiles": "bands",
    "provenance_of": "provenance",
    "provenance_of_many": "provenance",
    "reached": "attribution_pictures",
    "refuse_folder": "run_folder",
    "save_experiments": "experiments_picture",
    "save_people": "trial_pictures",
    "stale": "wiring_page",
    "difference_rows": "trial_summary",
    "relapse_rows": "trial_summary",
    "summary_of": "trial_summary",
    "summary_rows": "summary",
    "write_attribution": "explain_page",
    "write_average": "wiring_page",
    "write_certificate": "certificate_page",
    "write_claims": "claims_page",
    "write_claims_document": "claims_document",
    "write_index": "index",
    "write_run": "run_folder",
    "write_scorecard": "scorecard_files",
    "write_trial": "trial_folder",
    "write_wirings": "wiring_page",
    "write_trial_scorecard": "trial_scorecard_page",
}

__all__ = sorted(_WHERE)
__getattr__ = lazy_getattr(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
