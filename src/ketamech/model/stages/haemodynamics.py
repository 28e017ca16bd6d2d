"""Haemodynamics: the sympathetic increase of blood pressure, heart rate and cardiac output."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def haemodynamics(stage: Stage) -> None:
    """Increases above the person's own baseline; outflow lags the drug in brain by minutes, without tolerance.

    0.5 mg/kg over 40 min raises systolic pressure by 3 to 7 mmHg at 30-40 min, equally from the first to the sixth
    infusion (Riva-Posse 2018, Zheng); a nasal dose peaks at 40 min and is over by 4 h (label); cardiac output rises
    40-50 % at 320 ng/mL S-ketamine (Sigtermans). Pressures in mmHg; heart rate in beats per minute; cardiac output as
    fold of baseline.
    """
    drug = stage.input("nmda.equivalent_drug", "umol/L")
    rate_constant = stage.parameter("haemodynamics.rate_constant")
    outflow = stage.state(
        "haemodynamics.sympathetic",
        "1",
        bounds=(0, 1),
        scale=0.1,
        description="sympathetic outflow above baseline, fraction of its maximum",
    )
    drug_effect = hill(
        drug, stage.parameter("haemodynamics.sympathetic_ec50"), stage.parameter("haemodynamics.steepness")
    )
    stage.rate(outflow, +rate_constant * drug_effect, because="NMDA block disinhibits sympathetic outflow")
    stage.rate(outflow, -rate_constant * outflow, because="reuptake of noradrenaline, vessels relax")
    systolic_gain, diastolic_gain = (
        stage.parameter("haemodynamics.systolic_gain"),
        stage.parameter("haemodynamics.diastolic_gain"),
    )
    heart_rate_gain, output_gain = (
        stage.parameter("haemodynamics.heart_rate_gain"),
        stage.parameter("haemodynamics.output_gain"),
    )
    stage.output(
        "haemodynamics.systolic_rise",
        systolic_gain * outflow,
        "mmHg",
        description="systolic pressure above own baseline",
    )
    stage.output(
        "haemodynamics.diastolic_rise",
        diastolic_gain * outflow,
        "mmHg",
        description="diastolic pressure above own baseline",
    )
    stage.output(
        "haemodynamics.heart_rate_rise",
        heart_rate_gain * outflow,
        "beats",
        description="heart rate above own baseline, beats per minute",
    )
    stage.output(
        "haemodynamics.cardiac_output",
        1 + output_gain * outflow,
        "1",
        description="cardiac output, fold of own baseline",
    )
