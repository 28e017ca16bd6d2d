"""A trial that was run: its data set, its analysis, its power and sample size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import xarray as xr

from ketamech.core import InputError
from ketamech.core.deprecated_names import as_fraction, renamed_arguments
from ketamech.core.progress import Progress, progress_by_count
from ketamech.simulation.citations import papers_behind, with_papers
from ketamech.simulation.model import Model, load_model
from ketamech.trials.analysis.analyse import TrialAnalysis, analyse, reference_arm
from ketamech.trials.analysis.power import ALPHA, TRIALS_PER_REPLICATE, check_comparison, power, success_criterion
from ketamech.trials.analysis.sample_size import sample_sizes, total_patients
from ketamech.trials.design import Trial
from ketamech.trials.posterior_draws import PosteriorSource, canonical_draws
from ketamech.trials.run_trial import run_trial

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TrialResult:
    """A trial that was run.

    `dataset`: dims (replicate, patient, visit): each scale as rated and, as `true_<scale>`, without error; `arm`,
    `visit_time` (h), `left` (h), `why_left`, doses, exposures and covariates. Missing values are NaN.
    """

    dataset: xr.Dataset
    trial: Trial = field(repr=False)

    @cached_property
    def analysis(self) -> TrialAnalysis:
        """The tables of `analyse`, computed once."""
        return analyse(self.dataset, self.trial)

    def analyse(self) -> TrialAnalysis:
        """Means, response rates, the primary comparison of each replicate, repeated measures, relapse."""
        return self.analysis

    @renamed_arguments(draws="trials_per_replicate")
    def power(
        self, patients: Sequence[int] | None = None, *, patients_per_arm: Sequence[int] | None = None,
        scale: str | None = None, visit: str | None = None, trials_per_replicate: int = TRIALS_PER_REPLICATE,
        alpha: float = ALPHA, margin: float | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Power of the primary comparison (or of `scale` at `visit`) in trials of other sizes.

        A size is the number of `patients` in all, arms in proportion, or `patients_per_arm`, as `ketamech trial
        --power`. Each replicate gives up to `trials_per_replicate` smaller trials, with no patient in two of them.
        Columns: patients, arm, patients_per_arm, power with its 95 % interval low to high (share of trials with p <
        `alpha`, or not inferior by `margin` points), trials. Raises InputError for more patients than were simulated,
        for a trial of one arm, and where not one of the two kinds of size is given. In a crossover each of the
        `patients` is in every arm.
        """
        import pandas as pd

        if (patients is None) == (patients_per_arm is None):
            what = "no size" if patients is None else "sizes of both kinds"
            raise InputError(what, key="patients", expected="patients in all, or patients_per_arm", type_this="[80]")
        check_comparison(self.trial)
        arms = self.trial.arms
        each_in_all = bool(self.trial.washout)
        sizes = [
            {arm.name: total if each_in_all else round(arm.n * total / self.trial.patients) for arm in arms}
            for total in patients or ()
        ]
        sizes += [{arm.name: number for arm in arms} for number in patients_per_arm or ()]
        totals = patients or [total_patients(self.trial, size) for size in sizes]
        criterion = success_criterion(self.trial, alpha, margin)
        comparison = (scale or self.trial.primary[0], visit or self.trial.primary[1], reference_arm(self.trial))
        tables = [
            power(
                self.dataset, *comparison, [size], trials_per_replicate=trials_per_replicate, criterion=criterion
            ).assign(patients=total)
            for total, size in zip(totals, sizes, strict=True)
        ]
        powers = pd.concat(tables, ignore_index=True)
        return powers[["patients", *powers.columns.drop("patients")]]

    def sample_size(self, power: float = 0.8, *, alpha: float = ALPHA, margin: float | None = None) -> pd.DataFrame:
        """The number of patients for a `power` (a fraction) of the primary comparison, with its 95 % interval.

        One row for each compared arm: arm, target, patients in all with the interval low to high (missing where it is
        above the simulated number), patients_per_arm, limit (the power that no number exceeds), type_2_error (share of
        trials of that size that do not succeed), text ... Raises InputError for a trial of one arm.
        """
        import pandas as pd

        criterion = success_criterion(self.trial, alpha, margin)
        sizes, _ = sample_sizes(self.dataset, self.trial, target=as_fraction(power, "power"), criterion=criterion)
        return pd.DataFrame([size.row() for size in sizes])


def run_and_analyse(
    trial: Trial, model: Model | None, *, replicates: int, posterior: PosteriorSource, seed: int | None,
    threads: int | None, progress: Progress | None,
) -> TrialResult:  # fmt: skip
    """The result of `Trial.run`, whose arguments these are."""
    chosen = model or load_model()
    data = run_trial(
        trial, chosen, replicates=replicates, seed=seed, threads=threads, posterior=canonical_draws(chosen, posterior),
        progress=progress_by_count(progress, "replicates", replicates),
    )  # fmt: skip
    return TrialResult(with_papers(data, papers_behind(chosen)), trial)
