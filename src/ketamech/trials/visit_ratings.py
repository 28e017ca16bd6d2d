"""Ratings at the visits of a trial: from outputs of the model to scores with rating error."""

from __future__ import annotations

import numpy as np

from ketamech.trials.decision_rules import Scores
from ketamech.trials.design import Trial


class VisitRatings:
    """At which visits of a trial each scale is rated, and at which visit the last full rating was."""

    def __init__(self, trial: Trial, outputs: tuple[str, ...]) -> None:
        self.trial, self.outputs = trial, outputs
        plan = trial.visit_schedule
        begins = [period * len(trial.visits) for _, _, period in plan]
        self.rated = {name: np.array([name in visit.scales for visit, _, _ in plan]) for name in trial.scales}
        self.full = {name: self._full(name, begins) for name in trial.scales}

    def _full(self, name: str, begins: list[int]) -> np.ndarray:
        """Index of the visit of the last full rating [visit], among visits at which this scale is rated."""
        plan, rated = self.trial.visit_schedule, np.flatnonzero(self.rated[name])
        first = [int(np.searchsorted(rated, begins[k])) for k in rated]
        last = self.trial.scales[name].full_ratings([plan[k][1] for k in rated], first)
        found = np.zeros(len(plan), dtype=int)
        found[rated] = rated[last]
        return found

    def true_scores(self, values: np.ndarray) -> Scores:
        """Scores without error [patient, visit] from outputs [patient, visit, output]; NaN where not rated."""
        found = {}
        for name, scale in self.trial.scales.items():
            output = values[:, :, self.outputs.index(scale.output)]
            truth = scale.true_scores(output, output[:, self.full[name]])
            found[name] = np.where(self.rated[name], truth, np.nan)
        return found

    def rated_scores(
        self, true_scores: Scores, rating_normals: np.ndarray, fluctuation_normals: np.ndarray, hours: np.ndarray,
        missing: np.ndarray,
    ) -> Scores:  # fmt: skip
        """Scores with error at `hours` [patient, visit]; NaN where `missing` [patient, visit].

        `rating_normals` [patient, 2, visit, scale] and `fluctuation_normals` [patient, scale] are standard normal.
        """
        found = {}
        for k, (name, scale) in enumerate(self.trial.scales.items()):
            own = scale.fluctuations(hours, rating_normals[:, 1, :, k], fluctuation_normals[:, k])
            truth = true_scores[name] + scale.background_scores(hours, rating_normals[:, 1, :, k])
            found[name] = np.where(missing, np.nan, scale.rated_scores(truth, rating_normals[:, 0, :, k], own))
        return found
