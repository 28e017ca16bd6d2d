"""Brain areas: how strong each one's synapses are, how active it is, and how closely areas go together."""

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
    """Eleven areas as a linear network over undirected couplings, each relative to a healthy, drug-free person (1).

    Synaptic strength follows spines and surface receptors by each area's own dependence: cortex and hippocampus lose
    synapses under stress, amygdala and accumbens gain (Vyas 2002, Christoffel 2011). Tone adds what other areas do to
    it: prefrontal restraint of limbic areas, habenular restraint of reward. Activity is tone times transmission now:
    more where glutamate surges, less where NMDA receptors are blocked. Two areas go together by G = g W a a' for
    couplings W and activities a; in a linear network with noise their correlation is G + GG + ..., cut here after two
    steps. Readouts are ratios to the healthy value.
    """
    own = {area: _strength(stage, area) - 1 for area in AREAS if area != "habenula"}
    bursts = stage.input("habenula.bursting", "1") / stage.parameter("habenula.bursting_healthy")
    own["habenula"] = stage.parameter("brain_network.habenula_gain") * (bursts - 1)
    active = {area: _activity(stage, area, own) for area in AREAS}
    shared = {area: _common_drive(stage, area, active) for area in AREAS}
    _prefrontal_connectivity(stage, active, shared)
    _readout(stage, "default_mode", active, combinations(DEFAULT_MODE, 2), "coupling within the default mode network")
    for name, area in WITH_DEFAULT_MODE.items():
        pairs = [(area, other) for other in DEFAULT_MODE]
        _readout(
            stage,
            f"{name}_default_mode",
            active,
            pairs,
            f"coupling of {_area_label(area)} with the default mode network",
        )
    _readout(stage, "salience", active, [("insula", "dorsal_cingulate")], "coupling within the salience network")
    _readout(stage, "posterior_insula", active, [("posterior_cingulate", "insula")], "posterior cingulate with insula")


def _strength(stage: Stage, area: str) -> sympy.Symbol:
    """Synaptic strength: spines kept or gained, receptors on them, what sessions add; with diminishing returns."""
    plastic = stage.parameter(f"brain_network.{area}_plasticity")
    kept = 1 + stage.parameter(f"brain_network.{area}_stress") * (stage.input("spines.density", "1") - 1)
    receptors = stage.parameter("brain_network.surface_gain") * plastic * stage.parameter(f"brain_network.{area}_ampa")
    seizures = stage.input("other_treatments.ect_plasticity", "1")
    stimulated = seizures + _stimulated(stage, area) * stage.input("other_treatments.tms_plasticity", "1")
    total = kept * (1 + receptors * (stage.input("ampa.surface", "1") - 1)) + plastic * stimulated
    room, pace = stage.parameter("brain_network.strength_ec50"), stage.parameter("brain_network.rate_constant")
    about = f"synaptic strength of {_area_label(area)}, healthy 1"
    strength = stage.state(f"brain_network.{area}_strength", "1", initial_guess=1.0, scale=0.3, description=about)
    stage.rate(
        strength, +pace * total * (1 + room) / (total + room), because="spines and receptors, with diminishing returns"
    )
    stage.rate(strength, -pace * strength, because="the network follows over hours")
    return strength


def _stimulated(stage: Stage, area: str) -> sympy.Expr:
    """Share of magnetic stimulation that reaches an area: all where the coil is, the rest by coupling to it."""
    target = PREFRONTAL[0]
    return (
        sympy.S.One
        if area == target
        else stage.parameter("brain_network.stimulation_spread") * _coupling(stage, target, area)
    )


def _activity(stage: Stage, area: str, own: Values) -> sympy.Symbol:
    """Tone (lasting: own synapses and other areas) and activity now."""
    others = _drive(stage, area, own, EXCITES) - _drive(stage, area, own, INHIBITS)
    tone = 1 + own[area] + stage.parameter("brain_network.control_gain") * others
    lasting = stage.output(
        f"brain_network.{area}_tone", tone, "1", description=f"lasting activity of {_area_label(area)}, healthy 1"
    )
    about = f"activity of {_area_label(area)} now, healthy 1"
    if area == "habenula":
        return stage.output(f"brain_network.{area}_activity", lasting, "1", description=about)
    pace = stage.parameter("brain_network.activity_rate_constant")
    now = stage.state(f"brain_network.{area}_activity", "1", initial_guess=1.0, scale=0.3, description=about)
    stage.rate(
        now, +pace * lasting * _transmission(stage, area), because="what tone allows, through what transmitters do now"
    )
    stage.rate(now, -pace * now, because="follows within minutes")
    return now


def _drive(stage: Stage, area: str, own: Values, senders: Mapping[str, tuple[str, ...]]) -> sympy.Expr:
    return _sum(_coupling(stage, sender, area) * own[sender] for sender, reached in senders.items() if area in reached)


def _transmission(stage: Stage, area: str) -> sympy.Expr:
    """Glutamate surge through AMPA receptors, less what blocked NMDA receptors (synaptic, and GluN2B) carried."""
    flow = stage.input("ampa.current", "1") / stage.input("ampa.surface", "1") - 1
    surge = (
        stage.parameter("brain_network.surge_gain")
        * stage.parameter(f"brain_network.{area}_surge")
        * stage.parameter(f"brain_network.{area}_ampa")
    )
    glun2b = stage.parameter(f"brain_network.{area}_glun2b")
    synaptic, outside = stage.input("nmda.blocked_pyramidal", "1"), stage.input("nmda.blocked_extrasynaptic", "1")
    closed = stage.parameter(f"brain_network.{area}_nmda") * ((1 - glun2b) * synaptic + glun2b * outside)
    return 1 + surge * flow - stage.parameter("brain_network.nmda_share") * closed


def _common_drive(stage: Stage, area: str, active: Values) -> sympy.Symbol:
    """What an area shares with all others together: its row of G, summed."""
    reach = stage.parameter("brain_network.global_coupling") * active[area]
    total = reach * _sum(_coupling(stage, area, other) * active[other] for other in AREAS if other != area)
    return stage.output(
        f"brain_network.{area}_coupling", total, "1", description=f"coupling of {_area_label(area)} with all areas"
    )


def _prefrontal_connectivity(stage: Stage, active: Values, shared: Values) -> None:
    """Mean correlation of the two prefrontal areas with every other area, to second order, healthy 1."""
    healthy = dict.fromkeys(AREAS, sympy.S.One)
    reach = stage.parameter("brain_network.global_coupling")
    alone = {area: reach * _sum(_coupling(stage, area, other) for other in AREAS if other != area) for area in AREAS}
    about = "prefrontal connectivity of a healthy person, sum of correlations"
    usual = stage.constant("brain_network.prefrontal_healthy", _rows(stage, healthy, alone), "1", about)
    now = _ratio(stage, _rows(stage, active, shared), usual)
    stage.output(
        "brain_network.prefrontal_connectivity",
        now,
        "1",
        description="global brain connectivity of prefrontal cortex, healthy 1",
    )


def _rows(stage: Stage, active: Values, shared: Values) -> sympy.Expr:
    """Sum of the prefrontal rows of G + GG, without GG of an area with itself, which is no correlation.

    Sums are nested (the third area inside): written out, programs that read the exported model take minutes over it.
    """
    reach = stage.parameter("brain_network.global_coupling")
    total = _sum(shared[area] for area in PREFRONTAL)
    for other in AREAS:
        near = [area for area in PREFRONTAL if area != other]
        there = _sum(_coupling(stage, area, other) * active[area] for area in near)
        back = _sum((_coupling(stage, area, other) * active[area]) ** 2 for area in near)
        total += reach * active[other] * (there * shared[other] - reach * active[other] * back)
    return total


def _readout(stage: Stage, name: str, active: Values, pairs: Iterable[tuple[str, str]], about: str) -> None:
    """Mean correlation of some pairs, over that of a healthy person."""
    chosen, healthy = list(pairs), dict.fromkeys(AREAS, sympy.S.One)
    usual = stage.constant(
        f"brain_network.{name}_healthy",
        _sum(_correlation(stage, *pair, healthy) for pair in chosen),
        "1",
        f"{about}, healthy person, sum of correlations",
    )
    now = _sum(_correlation(stage, *pair, active) for pair in chosen)
    stage.output(f"brain_network.{name}", _ratio(stage, now, usual), "1", description=f"{about}, healthy 1")


def _ratio(stage: Stage, now: sympy.Expr, usual: sympy.Expr) -> sympy.Expr:
    """Over the healthy value, each above a trace of common noise: areas that nothing joins read 1, not 0 over 0."""
    background = stage.parameter("brain_network.background")
    return (now + background) / (usual + background)


def _correlation(stage: Stage, one: str, other: str, active: Values) -> sympy.Expr:
    """G + GG of two areas: straight, and over every third."""
    reach, thirds = (
        stage.parameter("brain_network.global_coupling"),
        [area for area in AREAS if area not in (one, other)],
    )
    over = _sum(_coupling(stage, one, third) * _coupling(stage, third, other) * active[third] ** 2 for third in thirds)
    return reach * active[one] * active[other] * (_coupling(stage, one, other) + reach * over)


def _coupling(stage: Stage, one: str, other: str) -> sympy.Symbol:
    first, second = sorted((one, other), key=AREAS.index)
    return stage.parameter(f"coupling.{first}_and_{second}")


def _sum(terms: Iterable[sympy.Expr]) -> sympy.Expr:
    return sympy.Add(*terms)


def _area_label(area: str) -> str:
    return area.replace("_", " ")
