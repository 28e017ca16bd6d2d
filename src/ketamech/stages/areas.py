"""Brain areas: how strong each one's synapses are, how active it is, and how closely areas go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import sympy

from ketamech.stages.declaration import Stage

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
RESTRAINS = {
    "dorsolateral_prefrontal": ("subgenual_cingulate", "posterior_cingulate", "amygdala"),
    "medial_prefrontal": ("subgenual_cingulate", "amygdala"),
    "habenula": ("accumbens",),
}
EXCITES = {"amygdala": ("subgenual_cingulate", "insula")}
Values = Mapping[str, sympy.Expr]


def areas(m: Stage) -> None:
    """Eleven areas as a linear network over undirected couplings, each relative to a healthy, drug-free person (1).

    Synaptic strength follows spines and surface receptors by each area's own dependence: cortex and hippocampus lose
    synapses under stress, amygdala and accumbens gain (Vyas 2002, Christoffel 2011). Tone adds what other areas do to
    it: prefrontal restraint of limbic areas, habenular restraint of reward. Activity is tone times transmission now:
    more where glutamate surges, less where NMDA receptors are blocked. Two areas go together by G = g W a a' for
    couplings W and activities a; in a linear network with noise their correlation is G + GG + ..., cut here after two
    steps. Readouts are ratios to the healthy value.
    """
    own = {area: _strength(m, area) - 1 for area in AREAS if area != "habenula"}
    bursts = m.needs("habenula.bursting", "1") / m.parameter("habenula.bursting_healthy")
    own["habenula"] = m.parameter("areas.habenula_gain") * (bursts - 1)
    active = {area: _activity(m, area, own) for area in AREAS}
    shared = {area: _shared(m, area, active) for area in AREAS}
    _prefrontal_connectivity(m, active, shared)
    _readout(m, "default_mode", active, combinations(DEFAULT_MODE, 2), "coupling within the default mode network")
    for name, area in WITH_DEFAULT_MODE.items():
        pairs = [(area, other) for other in DEFAULT_MODE]
        _readout(m, f"{name}_default_mode", active, pairs, f"coupling of {_words(area)} with the default mode network")
    _readout(m, "salience", active, [("insula", "dorsal_cingulate")], "coupling within the salience network")
    _readout(m, "posterior_insula", active, [("posterior_cingulate", "insula")], "posterior cingulate with insula")


def _strength(m: Stage, area: str) -> sympy.Symbol:
    """Synaptic strength: spines kept or gained, receptors on them, what sessions add; with diminishing returns."""
    plastic = m.parameter(f"areas.{area}_plasticity")
    kept = 1 + m.parameter(f"areas.{area}_stress") * (m.needs("spines.density", "1") - 1)
    receptors = m.parameter("areas.surface_gain") * plastic * m.parameter(f"areas.{area}_ampa")
    seizures = m.needs("comparators.ect_plasticity", "1")
    stimulated = seizures + _reached(m, area) * m.needs("comparators.tms_plasticity", "1")
    total = kept * (1 + receptors * (m.needs("ampa.surface", "1") - 1)) + plastic * stimulated
    room, pace = m.parameter("areas.half_strength"), m.parameter("areas.pace")
    about = f"synaptic strength of {_words(area)}, healthy 1"
    strength = m.state(f"areas.{area}_strength", "1", at_rest=1.0, scale=0.3, about=about)
    m.rate(
        strength, +pace * total * (1 + room) / (total + room), because="spines and receptors, with diminishing returns"
    )
    m.rate(strength, -pace * strength, because="the network follows over hours")
    return strength


def _reached(m: Stage, area: str) -> sympy.Expr:
    """Share of magnetic stimulation that reaches an area: all where the coil is, the rest by coupling to it."""
    target = PREFRONTAL[0]
    return sympy.S.One if area == target else m.parameter("areas.stimulation_spread") * _coupling(m, target, area)


def _activity(m: Stage, area: str, own: Values) -> sympy.Symbol:
    """Tone (lasting: own synapses and other areas) and activity now."""
    others = _pushed(m, area, own, EXCITES) - _pushed(m, area, own, RESTRAINS)
    tone = 1 + own[area] + m.parameter("areas.control_gain") * others
    lasting = m.offers(f"areas.{area}_tone", tone, "1", about=f"lasting activity of {_words(area)}, healthy 1")
    about = f"activity of {_words(area)} now, healthy 1"
    if area == "habenula":
        return m.offers(f"areas.{area}_activity", lasting, "1", about=about)
    pace = m.parameter("areas.activity_pace")
    now = m.state(f"areas.{area}_activity", "1", at_rest=1.0, scale=0.3, about=about)
    m.rate(now, +pace * lasting * _transmission(m, area), because="what tone allows, through what transmitters do now")
    m.rate(now, -pace * now, because="follows within minutes")
    return now


def _pushed(m: Stage, area: str, own: Values, senders: Mapping[str, tuple[str, ...]]) -> sympy.Expr:
    return _sum(_coupling(m, sender, area) * own[sender] for sender, reached in senders.items() if area in reached)


def _transmission(m: Stage, area: str) -> sympy.Expr:
    """Glutamate surge through AMPA receptors, less what blocked NMDA receptors (synaptic, and GluN2B) carried."""
    flow = m.needs("ampa.current", "1") / m.needs("ampa.surface", "1") - 1
    surge = m.parameter("areas.surge_gain") * m.parameter(f"areas.{area}_surge") * m.parameter(f"areas.{area}_ampa")
    glun2b = m.parameter(f"areas.{area}_glun2b")
    synaptic, outside = m.needs("nmda.blocked_pyramidal", "1"), m.needs("nmda.blocked_extrasynaptic", "1")
    closed = m.parameter(f"areas.{area}_nmda") * ((1 - glun2b) * synaptic + glun2b * outside)
    return 1 + surge * flow - m.parameter("areas.nmda_share") * closed


def _shared(m: Stage, area: str, active: Values) -> sympy.Symbol:
    """What an area shares with all others together: its row of G, summed."""
    reach = m.parameter("areas.global_coupling") * active[area]
    total = reach * _sum(_coupling(m, area, other) * active[other] for other in AREAS if other != area)
    return m.offers(f"areas.{area}_coupling", total, "1", about=f"coupling of {_words(area)} with all areas")


def _prefrontal_connectivity(m: Stage, active: Values, shared: Values) -> None:
    """Mean correlation of the two prefrontal areas with every other area, to second order, healthy 1."""
    healthy = dict.fromkeys(AREAS, sympy.S.One)
    reach = m.parameter("areas.global_coupling")
    alone = {area: reach * _sum(_coupling(m, area, other) for other in AREAS if other != area) for area in AREAS}
    about = "prefrontal connectivity of a healthy person, sum of correlations"
    usual = m.define("areas.prefrontal_healthy", _rows(m, healthy, alone), "1", about)
    now = _ratio(m, _rows(m, active, shared), usual)
    m.offers(
        "areas.prefrontal_connectivity", now, "1", about="global brain connectivity of prefrontal cortex, healthy 1"
    )


def _rows(m: Stage, active: Values, shared: Values) -> sympy.Expr:
    """Sum of the prefrontal rows of G + GG, without GG of an area with itself, which is no correlation.

    Sums are nested (the third area inside): written out, programs that read the exported model take minutes over it.
    """
    reach = m.parameter("areas.global_coupling")
    total = _sum(shared[area] for area in PREFRONTAL)
    for other in AREAS:
        near = [area for area in PREFRONTAL if area != other]
        there = _sum(_coupling(m, area, other) * active[area] for area in near)
        back = _sum((_coupling(m, area, other) * active[area]) ** 2 for area in near)
        total += reach * active[other] * (there * shared[other] - reach * active[other] * back)
    return total


def _readout(m: Stage, name: str, active: Values, pairs: Iterable[tuple[str, str]], about: str) -> None:
    """Mean correlation of some pairs, over that of a healthy person."""
    chosen, healthy = list(pairs), dict.fromkeys(AREAS, sympy.S.One)
    usual = m.define(
        f"areas.{name}_healthy",
        _sum(_correlation(m, *pair, healthy) for pair in chosen),
        "1",
        f"{about}, healthy person, sum of correlations",
    )
    now = _sum(_correlation(m, *pair, active) for pair in chosen)
    m.offers(f"areas.{name}", _ratio(m, now, usual), "1", about=f"{about}, healthy 1")


def _ratio(m: Stage, now: sympy.Expr, usual: sympy.Expr) -> sympy.Expr:
    """Over the healthy value, each above a trace of common noise: areas that nothing joins read 1, not 0 over 0."""
    background = m.parameter("areas.background")
    return (now + background) / (usual + background)


def _correlation(m: Stage, one: str, other: str, active: Values) -> sympy.Expr:
    """G + GG of two areas: straight, and over every third."""
    reach, thirds = m.parameter("areas.global_coupling"), [area for area in AREAS if area not in (one, other)]
    over = _sum(_coupling(m, one, third) * _coupling(m, third, other) * active[third] ** 2 for third in thirds)
    return reach * active[one] * active[other] * (_coupling(m, one, other) + reach * over)


def _coupling(m: Stage, one: str, other: str) -> sympy.Symbol:
    first, second = sorted((one, other), key=AREAS.index)
    return m.parameter(f"coupling.{first}_and_{second}")


def _sum(terms: Iterable[sympy.Expr]) -> sympy.Expr:
    return sympy.Add(*terms)


def _words(area: str) -> str:
    return area.replace("_", " ")
