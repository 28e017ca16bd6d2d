"""Tracks of the timeline figure and of the page: outputs, order, labels, units and colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ketamech.core import InputError
from ketamech.core.csv_table import CsvRow, read_table, rows_by
from ketamech.core.environment import DATA
from ketamech.parameters.concentration_units import molar_masses
from ketamech.report.palette import SECONDARY
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.ensemble import baseline_of

DIRECTORY = DATA / "tracks"
COLUMNS = (
    "id", "group", "label", "unit", "display_mode", "scale", "direction", "always_shown", "baseline",
    "relative_height", "min_change_to_show", "animals_only", "rating_scale", "compared_with_control", "note",
)  # fmt: skip
DISPLAY_MODES = ("relative_to_baseline", "relative_to_healthy", "percent", "unit")
DIRECTIONS = ("peak", "trough", "either")


@dataclass(frozen=True)
class TrackCurve:
    """A curve of a track: an output, or a sum written "a + b"; drawn only where all its parts exist.

    `molar_mass`: the parameter that holds it, for a concentration outside blood that is shown in ng/mL.
    """

    outputs: str
    label: str = ""
    molar_mass: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The outputs that are added."""
        return tuple(part.strip() for part in self.outputs.split(" + "))

    def values(self, dataset: AnyCurves) -> np.ndarray:
        """(patient, time), in the outputs' unit."""
        return np.sum([dataset.variables[name].transpose("patient", "time").values for name in self.names], axis=0)

    def baseline(self, dataset: AnyCurves) -> np.ndarray:
        """Drug-free values [patient], in the outputs' unit."""
        return np.sum([baseline_of(dataset, name) for name in self.names], axis=0)


@dataclass(frozen=True)
class TrackGroup:
    """A group of tracks. `similar_colour`: the palette colour that is too similar to `colour`."""

    name: str
    colour: str
    similar_colour: str


@dataclass(frozen=True)
class Track:
    """One track; data/tracks/README.md explains the columns that these fields come from.

    `fixed_baseline`: the column `baseline`; None: the drug-free value of each patient.
    """

    key: str
    group: str
    label: str
    unit: str
    curves: tuple[TrackCurve, ...]
    display_mode: str = "relative_to_baseline"
    scale: float | str = 1.0
    direction: str = "either"
    always_shown: bool = True
    fixed_baseline: float | None = None
    relative_height: float = 1.0
    min_change_to_show: float = 1e-6
    animals_only: bool = False
    rating_scale: bool = False
    compared_with_control: bool = False

    def present(self, dataset: AnyCurves) -> tuple[TrackCurve, ...]:
        """The curves that this run contains and that are not always zero; the first curve always."""
        curves = [s for s in self.curves if all(name in dataset for name in s.names)]
        return tuple(s for s in curves if s is curves[0] or np.nanmax(np.abs(s.values(dataset))) > 1e-9)

    @property
    def is_relative(self) -> bool:
        """Whether the track is relative to the drug-free value of each patient."""
        return self.display_mode == "relative_to_baseline"

    def factor(self, series: TrackCurve, values: Mapping[str, float]) -> float:
        """The scale factor of a curve; for ng/mL the molar mass of its drug among `values`."""
        if isinstance(self.scale, str):
            return values.get(series.molar_mass or molar_masses()[series.names[0]], 1.0)
        return self.scale


def load_groups() -> dict[str, TrackGroup]:
    """Groups of tracks by name, in display order."""
    return _groups(DIRECTORY)


def load_tracks() -> dict[str, Track]:
    """Every track by its id, in display order. Raises InputError naming file, line and column of the first bad cell."""
    return _tracks(DIRECTORY)


def series_colours(group: str, count: int) -> list[str]:
    """Colours of `count` curves: the colour of the group, then colours that differ from it."""
    group_row = load_groups()[group]
    return [group_row.colour, *(colour for colour in SECONDARY if colour != group_row.similar_colour)][:count]


@cache
def _groups(folder: Path) -> dict[str, TrackGroup]:
    rows = read_table(folder / "groups.csv", ("group", "colour", "similar_colour"))
    return {row["group"]: TrackGroup(row["group"], row["colour"], row["similar_colour"]) for row in rows}


@cache
def _tracks(folder: Path) -> dict[str, Track]:
    groups, curves = _groups(folder), _curves(folder)
    tracks: dict[str, Track] = {}
    for name, row in rows_by(read_table(folder / "tracks.csv", COLUMNS), "id", "a short name").items():
        row.one_of("group", groups)
        if name not in curves:
            raise row.error("id", f"'{name}' has no curve", expected="at least one row in curves.csv")
        tracks[name] = _track(row, tuple(curves.pop(name)))
    if curves:
        message = f"curves of unknown tracks: {', '.join(curves)}"
        raise InputError(message, file=folder / "curves.csv", key="track", expected="tracks of tracks.csv")
    return tracks


def _curves(folder: Path) -> dict[str, list[TrackCurve]]:
    curves: dict[str, list[TrackCurve]] = {}
    for row in read_table(folder / "curves.csv", ("track", "outputs", "label", "molar_mass")):
        curve = TrackCurve(row.required("outputs", "an output"), row["label"], row["molar_mass"])
        curves.setdefault(row["track"], []).append(curve)
    return curves


def _track(row: CsvRow, series: tuple[TrackCurve, ...]) -> Track:
    return Track(
        key=row["id"],
        group=row["group"],
        label=row.required("label", "what the track shows"),
        unit=row.required("unit", "the unit as a reader sees it"),
        curves=series,
        display_mode=row.one_of("display_mode", DISPLAY_MODES),
        scale=row["scale"] if row["scale"][:1].isalpha() else row.number("scale"),
        direction=row.one_of("direction", DIRECTIONS),
        always_shown=row.is_yes("always_shown"),
        fixed_baseline=row.number("baseline") if row["baseline"] else None,
        relative_height=row.number("relative_height"),
        min_change_to_show=row.number("min_change_to_show"),
        animals_only=row.is_yes("animals_only"),
        rating_scale=row.is_yes("rating_scale"),
        compared_with_control=row.is_yes("compared_with_control"),
    )


def tracks_of(dataset: AnyCurves) -> tuple[Track, ...]:
    """The tracks that this run contains, in display order; optional tracks only if they change."""
    animal = dataset.attrs.get("species", "human") != "human"
    tracks: Iterator[Track] = (track for track in load_tracks().values() if animal or not track.animals_only)
    return tuple(
        track for track in tracks if track.present(dataset) and (track.always_shown or _is_changing(track, dataset))
    )


def _is_changing(track: Track, dataset: AnyCurves) -> bool:
    series = [s.values(dataset) for s in track.present(dataset)]
    return any(
        np.nanmax(np.ptp(y, axis=1), initial=0.0) > track.min_change_to_show for y in series if np.isfinite(y).all()
    )
