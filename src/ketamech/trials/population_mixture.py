"""The population of a trial, which may consist of shares of several populations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import numpy as np

from ketamech.core.units import number_text
from ketamech.dosing.dose_events import DoseEvent
from ketamech.parameters import ParameterTable
from ketamech.population.random_draws import patient_streams
from ketamech.population.virtual_population import COVARIATE, Population, VirtualPatients, load_population
from ketamech.trials.trial_text import SourceFile

POPULATION_BLOCK = 2  # block of the stream "trial" that decides from which population a patient is drawn
POPULATION_SEPARATOR, SHARE_SEPARATOR = " + ", " % "


@dataclass(frozen=True)
class MixedPopulation:
    """Populations `parts`, from which each patient is drawn with the probabilities `shares`.

    Patient i is the same as in the population from which the patient is drawn.
    """

    parts: tuple[Population, ...]
    shares: tuple[float, ...]

    @property
    def name(self) -> str:
        """Names of the populations with their shares."""
        return population_text({part.name: share for part, share in zip(self.parts, self.shares, strict=True)})

    def with_marginals(self, words: Mapping[str, str], parameters: ParameterTable) -> MixedPopulation:
        """The mixture with other distributions of some variables in every part."""
        return replace(self, parts=tuple(part.with_marginals(words, parameters) for part in self.parts))

    def draw(
        self, parameters: ParameterTable, seed: int, patient_ids: Sequence[int] | np.ndarray, *, replicate: int = 0,
        base: Mapping[str, float] | None = None, study_size: int | None = None,
    ) -> VirtualPatients:  # fmt: skip
        """The patients with these numbers [patient]; arguments as of `Population.draw`.

        The covariate `in_<population>` is 1 for those of a population, else 0.
        """
        drawn = [
            part.draw(parameters, seed, patient_ids, replicate=replicate, base=base, study_size=study_size)
            for part in self.parts
        ]
        place = self._place(seed, patient_ids, replicate)
        values = {
            name: np.choose(place, [one.values[name] for one in drawn]) for name in drawn[0].values
        }  # fmt: skip
        covariates = {
            name: np.choose(place, [one.covariates[name] for one in drawn]) for name in drawn[0].covariates
        }  # fmt: skip
        covariates |= {f"{COVARIATE}in_{part.name}": (place == k).astype(float) for k, part in enumerate(self.parts)}
        redraw = partial(self.draw, seed=seed, replicate=replicate, base=base, study_size=study_size)
        return replace(drawn[0], values=values, covariates=covariates, redraw=redraw)

    def _place(self, seed: int, patient_ids: Sequence[int] | np.ndarray, replicate: int) -> np.ndarray:
        """Index of the population from which each patient is drawn [patient]."""
        streams = patient_streams(seed, patient_ids, "trial", replicate=replicate, block=POPULATION_BLOCK)
        uniforms = np.array([generator.random() for generator in streams])
        return np.searchsorted(np.cumsum(self.shares)[:-1], uniforms, side="right")

    def course_events(
        self, parameters: ParameterTable, seed: int, patient_ids: Sequence[int] | np.ndarray, begin: float,
        until: float, *, replicate: int = 0, base: Mapping[str, float] | None = None, in_progress: bool = False,
    ) -> tuple[DoseEvent, ...]:  # fmt: skip
        """Events of the natural course; each patient has those of the population from which the patient is drawn."""
        place = self._place(seed, patient_ids, replicate)
        return tuple(
            replace(event, amount=event.amount * (place == k))
            for k, part in enumerate(self.parts)
            for event in part.course_events(
                parameters, seed, patient_ids, begin, until, replicate=replicate, base=base, in_progress=in_progress
            )
        )

    def occasion_factors(
        self, name: str, seed: int, patient_ids: Sequence[int] | np.ndarray, count: int, *, replicate: int = 0
    ) -> np.ndarray:
        """As `Population.occasion_factors`: variation between occasions is the same in all populations."""
        return self.parts[0].occasion_factors(name, seed, patient_ids, count, replicate=replicate)


TrialPopulation = Population | MixedPopulation


def population_text(stated: str | Mapping[str, float]) -> str:
    """A population of a trial file as text: its name, or "70 % trd + 30 % bipolar"."""
    if isinstance(stated, str):
        return stated
    percent = {name: float(100 * Decimal(repr(float(share)))) for name, share in stated.items()}
    return POPULATION_SEPARATOR.join(
        f"{number_text(number)}{SHARE_SEPARATOR}{name}" for name, number in percent.items()
    )


def trial_population(text: str) -> TrialPopulation:
    """The population of a text of `population_text`. Raises UnknownNameError with the nearest name."""
    if SHARE_SEPARATOR not in text:
        return load_population(text)
    pairs = [part.split(SHARE_SEPARATOR) for part in text.split(POPULATION_SEPARATOR)]
    return MixedPopulation(
        tuple(load_population(name) for _, name in pairs), tuple(float(share) / 100 for share, _ in pairs)
    )


def read_population(file: SourceFile, stated: str | Mapping[str, float]) -> TrialPopulation:
    """The population of a trial file, by name or as shares."""
    if isinstance(stated, str):
        return file.with_location(("population",), partial(load_population, stated))
    for name in stated:
        file.with_location(("population", name), partial(load_population, name))
    file.check_shares(("population",), stated, max(1, len(stated)))
    return trial_population(population_text(stated))
