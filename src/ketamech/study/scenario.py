"""A scenario: who is given what, which pathways are off, how long to look. A YAML file or one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ketamech.core import BadInput
from ketamech.parameters import ParameterTable, load_connectome
from ketamech.study.giving import entries
from ketamech.study.regimen import LONGEST, Regimen

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Scenario:
    """A checked scenario. `values`: parameters that differ, canonical units. `horizon` in h."""

    title: str
    description: str
    regimen: Regimen
    values: Mapping[str, float]
    horizon: float
    control: bool
    seed: int
    source: str
    assumptions: tuple[str, ...] = ()

    def wired(self, connectome: Path | None, receptors: Path | None) -> Scenario:
        """The same scenario over a connectome, a receptor map or both from files; what it sets itself stays."""
        named = [path for path in (connectome, receptors) if path]
        if not named:
            return self
        note = f"brain areas are joined, or hold receptors, as {' and '.join(path.name for path in named)} says"
        values = {**load_connectome(connectome, receptors=receptors), **self.values}
        return replace(self, values=values, assumptions=(*self.assumptions, note))

    def cycle(self, parameters: ParameterTable) -> tuple[Regimen, float]:
        """What repeats itself before the start, and after how many hours (0: the start is drug-free)."""
        name = "expectancy.visit_gap"
        return self.regimen.cycle(self.values.get(name, parameters[name].canonical))


def load_scenario(source: str | Path, parameters: ParameterTable | None = None) -> Scenario:
    """A scenario from a YAML file or from a regimen sentence.

    Raises BadInput with file, line, key, expectation, nearest valid name and what to type.
    """
    from ketamech.parameters import load_parameters

    table = load_parameters() if parameters is None else parameters
    if isinstance(source, Path) or _names_a_file(source):
        from ketamech.study.scenario_from_file import scenario_from_file  # YAML and its checks, loaded when needed

        return scenario_from_file(Path(source), table)
    regimen = Regimen.parse(source)
    horizon = min(regimen.horizon(), LONGEST)
    check(regimen, table, {}, horizon)
    weight = table["person.weight"]
    notes = (f"body weight {weight.value:g} {weight.unit}, none was given",) if per_kilogram(regimen) else ()
    return Scenario(source, "", regimen, {}, horizon, True, 1, source, (*notes, *salts(regimen), *luck(regimen)))


def check(regimen: Regimen, table: ParameterTable, values: Mapping[str, float], horizon: float) -> None:
    """Refuse now, before anything is simulated or written, what cannot be given or would never be given."""
    regimen.cycle(table["expectancy.visit_gap"].canonical)
    entries(regimen, table, values, horizon)
    for treatment in regimen.treatments:
        if treatment.start >= horizon:
            raise BadInput(
                f"{treatment.drug} would start at {treatment.start:g} h, after the {horizon:g} h that are looked at",
                key="horizon",
                expected="doses that start before the horizon",
                type_this=f"horizon: {treatment.start / 24 + 28:.0f} days",
            )


def _names_a_file(text: str) -> bool:
    if text.lower().endswith(_SUFFIXES):
        return True
    try:
        return Path(text).is_file()
    except OSError:  # a sentence longer than a file name may be
        return False


def per_kilogram(regimen: Regimen) -> bool:
    """Whether a dose goes by body weight."""
    return any("/kg" in treatment.unit for treatment in regimen.treatments)


def salts(regimen: Regimen) -> tuple[str, ...]:
    """What each mass is taken to be a mass of."""
    weighed = [treatment for treatment in regimen.treatments if treatment.amount is not None]
    named = dict.fromkeys((treatment.drug, treatment.salt) for treatment in weighed)
    words = {"base": "free base, no salt was named", "hydrochloride": "hydrochloride, as named"}
    return tuple(f"doses of {drug} are masses of {words[salt]}" for drug, salt in named)


def luck(regimen: Regimen) -> tuple[str, ...]:
    """What the typical person is spared and each of many is not."""
    by_chance = any(treatment.missing for treatment in regimen.treatments)
    return ("the typical person misses no dose by chance; --patients draws who does",) if by_chance else ()
