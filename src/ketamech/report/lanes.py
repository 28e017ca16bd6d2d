"""The lanes of the story: which outputs a reader sees, in which order, in which words and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ketamech.simulation import baseline_of
from ketamech.study.levels import SHOWN, molar_masses


@dataclass(frozen=True)
class Series:
    """A curve of a lane: an output, or a sum written "a + b"; drawn only where all its parts exist."""

    outputs: str
    label: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The outputs that are added."""
        return tuple(part.strip() for part in self.outputs.split(" + "))

    def values(self, dataset: xr.Dataset) -> np.ndarray:
        """(patient, time), in the outputs' unit."""
        return np.sum([dataset.variables[name].transpose("patient", "time").values for name in self.names], axis=0)

    def baseline(self, dataset: xr.Dataset) -> np.ndarray:
        """Drug-free values [patient], in the outputs' unit."""
        return np.sum([baseline_of(dataset, name) for name in self.names], axis=0)


@dataclass(frozen=True)
class Lane:
    """One lane. `show`: times (of own rest), percent, points or a unit; `scale` turns the output into it.

    A `scale` of ng/mL, for levels in blood: by the molar mass of each substance.
    `always`: drawn even when nothing moves. `cares`: "peak", "trough" or "most" (whichever moved more). `rest`: the
    drug-free value where a dose at hour 0 hides it; None: that of the curves. `tall`: height in lanes.
    `least`: how far something must move for an optional lane to be drawn. `animals`: drawn for animals only.
    """

    key: str
    group: str
    label: str
    unit: str
    series: tuple[Series, ...]
    show: str = "times"
    scale: float | str = 1.0
    cares: str = "most"
    always: bool = True
    rest: float | None = None
    tall: float = 1.0
    least: float = 1e-6
    animals: bool = False

    def present(self, dataset: xr.Dataset) -> tuple[Series, ...]:
        """The series whose outputs this run has and that are not zero throughout; the first output always."""
        found = [s for s in self.series if all(name in dataset for name in s.names)]
        return tuple(s for s in found if s is found[0] or np.nanmax(np.abs(s.values(dataset))) > 1e-9)

    @property
    def relative(self) -> bool:
        """Whether it shows multiples of each patient's own drug-free value."""
        return self.show == "times" and self.unit == "times own rest"

    def factor(self, series: Series, values: Mapping[str, float]) -> float:
        """The scale of a series as a number; `values` of parameters hold the molar masses."""
        if isinstance(self.scale, str):
            return values.get(molar_masses()[series.names[0]], 1.0)
        return self.scale


GROUPS = ("Drug", "Receptors and circuit", "Molecules", "Structure and network", "What people feel and doctors measure")
_MORPHINE = 0.28534  # mg in a umol

LANES = (
    Lane("plasma", GROUPS[0], "Drug in blood plasma", SHOWN, (
        Series("plasma.esketamine + plasma.arketamine", "ketamine, arterial"),
        Series("venous.ketamine", "ketamine, venous"),
        Series("plasma.s_norketamine + plasma.r_norketamine", "norketamine, arterial"),
    ), "unit", SHOWN, "peak", rest=0.0, tall=1.15),
    Lane("brain", GROUPS[0], "Free drug in the brain", "nmol/L", (
        Series("brain.esketamine + brain.arketamine", "ketamine"),
        Series("brain.norketamine_s + brain.norketamine_r", "norketamine"),
        Series("brain.hydroxynorketamine_s + brain.hydroxynorketamine_r", "hydroxynorketamine"),
    ), "unit", 1000.0, "peak", rest=0.0),
    Lane("second_blocker", GROUPS[0], "Memantine in the brain", "nmol/L, unbound", (
        Series("second_blocker.brain_unbound"),),
         "unit", 1000.0, "peak", always=False, rest=0.0),
    Lane("antagonists", GROUPS[1], "Given beside", "% of the target", (
        Series("antagonists.nbqx_share", "AMPA block"),
        Series("antagonists.rapamycin_share", "mTORC1 block"),
        Series("antagonists.anti_bdnf_share", "BDNF bound"),
        Series("antagonists.trkb_block_share", "TrkB block"),
        Series("antagonists.naltrexone_share", "opioid block"),
        Series("antagonists.verapamil_share", "calcium channels"),
        Series("antagonists.lamotrigine_share", "release held back"),
        Series("antagonists.glun2b_block_share", "GluN2B block"),
    ), "percent", 100.0, "peak", always=False, rest=0.0, tall=1.25),
    Lane("nmda", GROUPS[1], "NMDA block", "% of receptors", (
        Series("nmda.occupancy", "whole brain"),
        Series("nmda.blocked_interneuron", "on interneurons"),
        Series("nmda.blocked_pyramidal", "on pyramidal cells"),
        Series("nmda.blocked_extrasynaptic", "outside synapses"),
        Series("nmda.blocked_resting", "at resting synapses"),
        Series("nmda.blocked_habenula", "in the habenula"),
    ), "percent", 100.0, "peak", rest=0.0, tall=1.7),
    Lane("circuit", GROUPS[1], "Cortical circuit", "times own rest", (
        Series("circuit.gamma_power", "gamma power"),
        Series("circuit.pyramidal_rate", "pyramidal firing"),
        Series("circuit.pv_rate", "PV interneurons"),
        Series("circuit.sst_rate", "SST interneurons"),
    ), tall=1.25),
    Lane("glutamate", GROUPS[1], "Glutamate", "times own rest", (Series("glutamate.extracellular"),)),
    Lane("ampa", GROUPS[1], "AMPA receptors", "times own rest", (
        Series("ampa.current", "current"), Series("ampa.surface", "at the surface"),
    )),
    Lane("bdnf", GROUPS[2], "BDNF and TrkB", "times own rest", (
        Series("plasticity.bdnf", "BDNF"), Series("plasticity.trkb", "active TrkB"),
    )),
    Lane("mtor", GROUPS[2], "Protein-making switches", "times own rest", (
        Series("plasticity.mtorc1", "mTORC1"),
        Series("plasticity.eef2_phosphorylated", "phospho-eEF2 (the brake)"),
        Series("plasticity.gsk3_active", "active GSK3"),
    )),
    Lane("protein", GROUPS[2], "Synaptic protein", "times own rest", (Series("plasticity.synaptic_protein"),)),
    Lane("stress", GROUPS[2], "Stress", "% of chronic stress", (Series("stress.level"),),
         "percent", 100.0, "peak", always=False),
    Lane("inflammation", GROUPS[2], "Inflammation", "healthy = 1", (
        Series("inflammation.il6", "IL-6"), Series("inflammation.tnf", "TNF"), Series("inflammation.il10", "IL-10"),
    ), cares="peak", tall=1.25),
    Lane("acute_phase", GROUPS[2], "C-reactive protein", "healthy = 1",
         (Series("inflammation.crp"),), cares="peak", always=False, least=1.0),
    Lane("kynurenine", GROUPS[2], "Kynurenine branch", "healthy = 1", (
        Series("inflammation.quinolinate", "quinolinate"),
        Series("inflammation.excitotoxic_ratio", "over kynurenate"),
    ), always=False, least=0.1),
    Lane("opioid", GROUPS[2], "Opioid tone", "% of the most",
         (Series("opioid.tone"),), "percent", 100.0, "peak", always=False),
    Lane("spines", GROUPS[3], "Dendritic spines", "healthy = 1", (Series("spines.density"),)),
    Lane("habenula", GROUPS[3], "Habenula bursting", "% of cells", (Series("habenula.bursting"),), "percent", 100.0),
    Lane("areas", GROUPS[3], "Activity of brain areas", "healthy = 1", (
        Series("areas.medial_prefrontal_activity", "medial prefrontal"),
        Series("areas.subgenual_cingulate_activity", "subgenual cingulate"),
        Series("areas.amygdala_activity", "amygdala"), Series("areas.hippocampus_activity", "hippocampus"),
        Series("areas.accumbens_activity", "accumbens"),
    ), tall=1.4),
    Lane("networks", GROUPS[3], "Brain areas in touch", "healthy = 1", (
        Series("areas.prefrontal_connectivity", "prefrontal with all"),
        Series("areas.default_mode", "default mode"),
        Series("areas.insula_default_mode", "insula to default"),
        Series("areas.subgenual_default_mode", "subgenual to default"),
    ), tall=1.25),
    Lane("comparators", GROUPS[3], "Other treatments", "model units", (
        Series("comparators.serotonin_bias", "serotonin"), Series("comparators.skill", "therapy skills"),
        Series("comparators.tms_plasticity", "TMS"), Series("comparators.ect_plasticity", "ECT"),
        Series("comparators.midazolam_effect", "midazolam"),
    ), "unit", always=False, rest=0.0, tall=1.25),
    Lane("mood", GROUPS[4], "Depression (MADRS)", "points, 0 to 60",
         (Series("mood.madrs"),), "unit", cares="trough", tall=1.4),
    Lane("behaviour", GROUPS[4], "Immobility, forced swim", "times own rest",
         (Series("behaviour.immobility"),), cares="trough", always=False, animals=True),
    Lane("suicidality", GROUPS[4], "Suicidal ideation (SSI)", "points, 0 to 38",
         (Series("suicidality.ideation"),), "unit",
         cares="trough"),
    Lane("dissociation", GROUPS[4], "Dissociation (CADSS)", "points, 0 to 92",
         (Series("dissociation.cadss"),), "unit",
         cares="peak"),
    Lane("sedation", GROUPS[4], "Sedation", "% of anaesthesia",
         (Series("sedation.depth", "depth"),), "percent", 100.0, "peak", rest=0.0),
    Lane("haemodynamics", GROUPS[4], "Blood pressure, pulse", "rise in mmHg, beats/min", (
        Series("haemodynamics.systolic_rise", "systolic"), Series("haemodynamics.diastolic_rise", "diastolic"),
        Series("haemodynamics.heart_rate_rise", "pulse"),
    ), "unit", cares="peak"),
    Lane("pain", GROUPS[4], "Pain relief", "% of full relief", (
        Series("pain.acute_relief", "acute"), Series("pain.lasting_relief", "lasting"),
        Series("pain.morphine_relief", "morphine"),
    ), "percent", 100.0, "peak"),
    Lane("acute_pain", GROUPS[4], "Pain of the wound (NRS)", "points, 0 to 10",
         (Series("pain.acute"),), "unit", cares="peak", always=False, rest=0.0),
    Lane("sensitised", GROUPS[4], "Sensitisation to pain", "% of the most", (Series("pain.wind_up"),),
         "percent", 100.0, "peak", always=False, rest=0.0, least=0.02),
    Lane("morphine", GROUPS[4], "Morphine asked for", "mg, summed", (Series("pain.morphine_taken"),),
         "unit", _MORPHINE, "peak", always=False, rest=0.0),
    Lane("cognition", GROUPS[4], "Speed and memory", "times own rest",
         (Series("cognition.performance"),), cares="trough", rest=1.0),
    Lane("thought", GROUPS[4], "Thought pattern", "times own rest", (
        Series("cognition.rumination", "rumination"), Series("cognition.belief_updating", "uptake of good news"),
    )),
    Lane("expectancy", GROUPS[4], "Belief in the treatment", "1 = one treatment",
         (Series("expectancy.belief"),), "unit",
         cares="peak", always=False, rest=0.0),
)  # fmt: skip


def lanes_of(dataset: xr.Dataset) -> tuple[Lane, ...]:
    """The lanes this run can fill, in story order; optional ones only when something moves in them."""
    animal = dataset.attrs.get("species", "human") != "human"
    mine = (lane for lane in LANES if animal or not lane.animals)
    return tuple(lane for lane in mine if lane.present(dataset) and (lane.always or _moves(lane, dataset)))


def _moves(lane: Lane, dataset: xr.Dataset) -> bool:
    series = [s.values(dataset) for s in lane.present(dataset)]
    return any(np.nanmax(np.ptp(y, axis=1), initial=0.0) > lane.least for y in series if np.isfinite(y).all())
