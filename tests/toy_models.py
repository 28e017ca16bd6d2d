"""Small stages with known answers, built from the same language as the biology."""

from __future__ import annotations

from dataclasses import dataclass

from ketamech.model.functions import hill, positive_part
from ketamech.model.stage import Stage


@dataclass(frozen=True)
class Value:
    canonical: float
    unit: str


TABLE = {
    "toy.clearance": Value(10.0, "L/h"),
    "toy.volume": Value(20.0, "L"),
    "toy.exchange": Value(30.0, "L/h"),
    "toy.other_volume": Value(60.0, "L"),
    "toy.delay": Value(5.0, "1/h"),
    "toy.half": Value(0.5, "umol/L"),
    "toy.steepness": Value(1.5, "1"),
    "toy.turnover": Value(0.3, "1/h"),
    "toy.gain": Value(2.0, "1"),
    "toy.width": Value(0.1, "1"),
}


def kinetics(m: Stage) -> None:
    """Two compartments with a sink."""
    clearance, volume = m.parameter("toy.clearance"), m.parameter("toy.volume")
    exchange, other_volume = m.parameter("toy.exchange"), m.parameter("toy.other_volume")
    central = m.state("kinetics.central", "umol", kind="amount")
    other = m.state("kinetics.other", "umol", kind="amount")
    gone = m.state("kinetics.gone", "umol", kind="amount", is_sink=True)
    concentration = m.output("kinetics.concentration", central / volume, "umol/L")
    m.transfer(central, gone, clearance * concentration, because="elimination")
    m.transfer(central, other, exchange * concentration, because="distribution")
    m.transfer(other, central, exchange * other / other_volume, because="return")


def response(m: Stage) -> None:
    """An effect compartment that drives a turnover, relative to the person's own baseline."""
    concentration = m.input("kinetics.concentration", "umol/L")
    delay, half, n = m.parameter("toy.delay"), m.parameter("toy.half"), m.parameter("toy.steepness")
    turnover, gain, width = m.parameter("toy.turnover"), m.parameter("toy.gain"), m.parameter("toy.width")
    site = m.state("response.site", "umol/L", scale=0.1)
    level = m.state("response.level", "1", initial_guess=0.7, bounds=(0, 3))
    m.rate(site, delay * (concentration - site), because="equilibration")
    m.rate(level, turnover * (1 + gain * hill(site, half, n)), because="production")
    m.rate(level, -turnover * level, because="loss")
    change = m.output("response.change", level / m.baseline("response.level", "1") - 1, "1")
    m.output("response.rise", positive_part(change, width), "1")


def expectancy(m: Stage) -> None:
    """The states that visits enter."""
    for name in ("belief", "anticipation"):
        state = m.state(f"expectancy.{name}", "1")
        m.rate(state, -m.parameter("expectancy.decay_rate") * state, because="fades")
