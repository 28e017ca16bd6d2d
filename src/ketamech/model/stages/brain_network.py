"""Brain areas: synaptic strength and activity of each, and the functional connectivity between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import sympy

from ketamech.model.stage import Stage

AREAS = (
    "dorsolateral_prefrontal",
    "medial_prefrontal",
    "subgenual_cingulate",
    "dorsal_cingulate",
    "posterior_cingulate",
    "insula",
    "hippocampus",
    "amygdala",
    "habenula",
    "thalamus",
    "accumbens",
)
PREFRONTAL = AREAS[:2]
REFERENCE = "medial_prefrontal"  # sensitivities to stress and of plasticity are relative to this area
DEFAULT_MODE = ("medial_prefrontal", "posterior_cingulate", "hippocampus")
WITH_DEFAULT_MODE = {
    "insula": "insula",
    "subgenual": "subgenual_cingulate",
    "control": "dorsolateral_prefrontal",
}
INHIBITS = {
    "dorsolateral_prefrontal": ("subgenual_cingulate", "posterior_cingulate", "amygdala"),
    "medial_prefrontal": ("subgenual_cingulate", "amygdala"),
    "habenula": ("accumbens",),
}
EXCITES = {"amygdala": ("subgenual_cingulate", "insula")}
Values = Mapping[str, sympy.Expr]


def brain_network(stage: Stage) -> None:
    """Eleven areas as a linear network with undirected couplings, each relative to a healthy, drug-free person (1).

    Synaptic strength follows spines and surface receptors with a sensitivity for each area: cortex and hippocampus
    lose synapses under stress, amygdala and accumbens gain them (Vyas 2002, Christoffel 2011). Tone adds the effect of
    other areas: prefrontal inhibition of limbic areas, habenular inhibition of reward. Activity is tone times present
    transmission: higher during a glutamate surge, lower where NMDA receptors are blocked. The direct connectivity of
    two areas is G = g W a a' for couplings W and activities a; in a linear network with noise their correlation is G +
    GG + ..., truncated here after two steps. Readouts are ratios to the healthy value.
    """
    deviation = {area: _strength(stage, area) - 1 for area in AREAS if area != "habenula"}
    relative_bursting = stage.input("habenula.bursting", "1") / stage.parameter("habenula.bursting_healthy")
    deviation["habenula"] = stage.parameter("brain_network.habenula_gain") * (relative_bursting - 1)
    activity = {area: _activity(stage, area, deviation) for area in AREAS}
    connectivity = {area: _total_connectivity(stage, area, activity) for area in AREAS}
    _prefrontal_connectivity(stage, activity, connectivity)
    _readout(stage, "default_mode", activity, combinations(DEFAULT_MODE, 2), "coupling within the default mode network")
    for name, area in WITH_DEFAULT_MODE.items():
        pairs = [(area, other) for other in DEFAULT_MODE]
        _readout(
            stage,
            f"{name}_default_mode",
            activity,
            pairs,
            f"coupling of {_area_label(area)} with the default mode network",
        )
    _readout(stage, "salience", activity, [("insula", "dorsal_cingulate")], "coupling within the salience network")
    _readout(
        stage,
        "posterior_insula",
        activity,
        [("posterior_cingulate", "insula")],
        "coupling of posterior cingulate with insula",
    )


def _strength(stage: Stage, area: str) -> sympy.Symbol:
    """Synaptic strength: spine density, surface receptors and plasticity left by ECT and TMS, with saturation."""
    plasticity, stress = (
        sympy.S.One if area == REFERENCE else stage.parameter(f"brain_network.{area}_{kind}")
        for kind in ("plasticity", "stress")
    )
    spine_factor = 1 + stress * (stage.input("spines.density", "1") - 1)
    receptor_gain = (
        stage.parameter("brain_network.surface_gain") * plasticity * stage.parameter(f"brain_network.{area}_ampa")
    )
    ect = stage.input("other_treatments.ect_plasticity", "1")
    stimulation = ect + _stimulation_effect(stage, area) * stage.input("other_treatments.tms_plasticity", "1")
    total = spine_factor * (1 + receptor_gain * (stage.input("ampa.surface", "1") - 1)) + plasticity * stimulation
    ec50, rate_constant = stage.parameter("brain_network.strength_ec50"), stage.parameter("brain_network.rate_constant")
    description = f"synaptic strength of {_area_label(area)}, healthy 1"
    strength = stage.state(f"brain_network.{area}_strength", "1", initial_guess=1.0, scale=0.3, description=description)
    stage.rate(
        strength,
        +rate_constant * total * (1 + ec50) / (total + ec50),
        because="spines and surface receptors, with saturation",
    )
    stage.rate(strength, -rate_constant * strength, because="relaxation over hours")
    return strength


def _stimulation_effect(stage: Stage, area: str) -> sympy.Expr:
    """Fraction of the effect of TMS in an area: 1 under the coil, elsewhere in proportion to the coupling to it."""
    target = PREFRONTAL[0]
    return (
        sympy.S.One
        if area == target
        else stage.parameter("brain_network.stimulation_spread") * _coupling(stage, target, area)
    )


def _activity(stage: Stage, area: str, deviation: Values) -> sympy.Symbol:
    """Tone (lasting: synapses of the area and input from other areas) and present activity."""
    input_from_others = _input_from(stage, area, deviation, EXCITES) - _input_from(stage, area, deviation, INHIBITS)
    tone = 1 + deviation[area] + stage.parameter("brain_network.control_gain") * input_from_others
    tone_output = stage.output(
        f"brain_network.{area}_tone", tone, "1", description=f"lasting activity of {_area_label(area)}, healthy 1"
    )
    description = f"present activity of {_area_label(area)}, healthy 1"
    if area == "habenula":
        return stage.output(f"brain_network.{area}_activity", tone_output, "1", description=description)
    rate_constant = stage.parameter("brain_network.activity_rate_constant")
    present = stage.state(f"brain_network.{area}_activity", "1", initial_guess=1.0, scale=0.3, description=description)
    stage.rate(
        present,
        +rate_constant * tone_output * _transmission(stage, area),
        because="tone times present synaptic transmission",
    )
    stage.rate(present, -rate_constant * present, because="relaxation within minutes")
    return present


def _input_from(stage: Stage, area: str, deviation: Values, projections: Mapping[str, tuple[str, ...]]) -> sympy.Expr:
    return _sum(
        _coupling(stage, sender, area) * deviation[sender] for sender, targets in projections.items() if area in targets
    )


def _transmission(stage: Stage, area: str) -> sympy.Expr:
    """Glutamate surge through AMPA receptors, minus the current lost by NMDA block (synaptic, and GluN2B)."""
    relative_current = stage.input("ampa.current", "1") / stage.input("ampa.surface", "1") - 1
    surge_gain = (
        stage.parameter("brain_network.surge_gain")
        * stage.parameter(f"brain_network.{area}_surge")
        * stage.parameter(f"brain_network.{area}_ampa")
    )
    glun2b = stage.parameter(f"brain_network.{area}_glun2b")
    synaptic, extrasynaptic = stage.input("nmda.blocked_pyramidal", "1"), stage.input("nmda.blocked_extrasynaptic", "1")
    blocked = stage.parameter(f"brain_network.{area}_nmda") * ((1 - glun2b) * synaptic + glun2b * extrasynaptic)
    return 1 + surge_gain * relative_current - stage.parameter("brain_network.nmda_share") * blocked


def _total_connectivity(stage: Stage, area: str, activity: Values) -> sympy.Symbol:
    """Direct connectivity of an area with all other areas: the sum of its row of G."""
    coupling_scale = stage.parameter("brain_network.global_coupling") * activity[area]
    total = coupling_scale * _sum(_coupling(stage, area, other) * activity[other] for other in AREAS if other != area)
    return stage.output(
        f"brain_network.{area}_coupling", total, "1", description=f"coupling of {_area_label(area)} with all areas"
    )


def _prefrontal_connectivity(stage: Stage, activity: Values, connectivity: Values) -> None:
    """Mean correlation of the two prefrontal areas with every other area, to second order, relative to healthy (1)."""
    healthy = dict.fromkeys(AREAS, sympy.S.One)
    coupling_scale = stage.parameter("brain_network.global_coupling")
    healthy_connectivity = {
        area: coupling_scale * _sum(_coupling(stage, area, other) for other in AREAS if other != area) for area in AREAS
    }
    description = "prefrontal connectivity of a healthy person, sum of correlations"
    healthy_value = stage.constant(
        "brain_network.prefrontal_healthy", _prefrontal_sum(stage, healthy, healthy_connectivity), "1", description
    )
    present = _ratio(stage, _prefrontal_sum(stage, activity, connectivity), healthy_value)
    stage.output(
        "brain_network.prefrontal_connectivity",
        present,
        "1",
        description="global brain connectivity of prefrontal cortex, healthy 1",
    )


def _prefrontal_sum(stage: Stage, activity: Values, connectivity: Values) -> sympy.Expr:
    """Sum of the prefrontal rows of G + GG, without GG of an area with itself, which is no correlation.

    The sums are nested (the third area innermost): written out in full, programs that read the exported model take
    minutes.
    """
    coupling_scale = stage.parameter("brain_network.global_coupling")
    total = _sum(connectivity[area] for area in PREFRONTAL)
    for other in AREAS:
        prefrontal = [area for area in PREFRONTAL if area != other]
        first_order = _sum(_coupling(stage, area, other) * activity[area] for area in prefrontal)
        second_order_self = _sum((_coupling(stage, area, other) * activity[area]) ** 2 for area in prefrontal)
        total += (
            coupling_scale
            * activity[other]
            * (first_order * connectivity[other] - coupling_scale * activity[other] * second_order_self)
        )
    return total


def _readout(stage: Stage, name: str, activity: Values, pairs: Iterable[tuple[str, str]], description: str) -> None:
    """Mean correlation of some pairs of areas, relative to a healthy person."""
    chosen_pairs, healthy = list(pairs), dict.fromkeys(AREAS, sympy.S.One)
    healthy_value = stage.constant(
        f"brain_network.{name}_healthy",
        _sum(_correlation(stage, *pair, healthy) for pair in chosen_pairs),
        "1",
        f"{description}, healthy person, sum of correlations",
    )
    present = _sum(_correlation(stage, *pair, activity) for pair in chosen_pairs)
    stage.output(
        f"brain_network.{name}", _ratio(stage, present, healthy_value), "1", description=f"{description}, healthy 1"
    )


def _ratio(stage: Stage, present: sympy.Expr, healthy_value: sympy.Expr) -> sympy.Expr:
    """Ratio to the healthy value; with a small common background, areas without couplings read 1, not 0 / 0."""
    background = stage.parameter("brain_network.background")
    return (present + background) / (healthy_value + background)


def _correlation(stage: Stage, one: str, other: str, activity: Values) -> sympy.Expr:
    """G + GG of two areas: the direct path and the paths through every third area."""
    coupling_scale, third_areas = (
        stage.parameter("brain_network.global_coupling"),
        [area for area in AREAS if area not in (one, other)],
    )
    indirect = _sum(
        _coupling(stage, one, third) * _coupling(stage, third, other) * activity[third] ** 2 for third in third_areas
    )
    return coupling_scale * activity[one] * activity[other] * (_coupling(stage, one, other) + coupling_scale * indirect)


def _coupling(stage: Stage, one: str, other: str) -> sympy.Symbol:
    first, second = sorted((one, other), key=AREAS.index)
    return stage.parameter(f"coupling.{first}_and_{second}")


def _sum(terms: Iterable[sympy.Expr]) -> sympy.Expr:
    return sympy.Add(*terms)


def _area_label(area: str) -> str:
    return area.replace("_", " ")
