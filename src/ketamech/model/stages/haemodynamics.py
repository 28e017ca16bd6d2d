"""Haemodynamics: the sympathetic rise of blood pressure, heart rate and cardiac output."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def haemodynamics(stage: Stage) -> None:
    """Rises above the person's own rest; sympathetic outflow follows the brain drug by minutes, without tolerance.

    0.5 mg/kg over 40 min raises systolic pressure by 3 to 7 mmHg at 30-40 min, alike from the first to
    the sixth infusion (Riva-Posse 2018, Zheng); a nasal dose peaks at 40 min and is over by 4 h (label);
    cardiac output rises 40-50 % at 320 ng/mL S-ketamine (Sigtermans). Pressures in mmHg; heart rate in
    beats a minute; cardiac output as fold of rest.
    """
    drug = stage.input("nmda.equivalent_drug", "umol/L")
    pace = stage.parameter("haemodynamics.rate_constant")
    outflow = stage.state(
        "haemodynamics.sympathetic",
        "1",
        bounds=(0, 1),
        scale=0.1,
        description="extra sympathetic outflow, share of the most",
    )
    driven = hill(drug, stage.parameter("haemodynamics.sympathetic_ec50"), stage.parameter("haemodynamics.steepness"))
    stage.rate(outflow, +pace * driven, because="NMDA block frees sympathetic outflow")
    stage.rate(outflow, -pace * outflow, because="noradrenaline taken up again, vessels relax")
    systolic, diastolic = (
        stage.parameter("haemodynamics.systolic_gain"),
        stage.parameter("haemodynamics.diastolic_gain"),
    )
    heart, output = stage.parameter("haemodynamics.heart_rate_gain"), stage.parameter("haemodynamics.output_gain")
    stage.output(
        "haemodynamics.systolic_rise", systolic * outflow, "mmHg", description="systolic pressure above own rest"
    )
    stage.output(
        "haemodynamics.diastolic_rise", diastolic * outflow, "mmHg", description="diastolic pressure above own rest"
    )
    stage.output(
        "haemodynamics.heart_rate_rise",
        heart * outflow,
        "beats",
        description="heart rate above own rest, beats a minute",
    )
    stage.output(
        "haemodynamics.cardiac_output", 1 + output * outflow, "1", description="cardiac output, fold of own rest"
    )
