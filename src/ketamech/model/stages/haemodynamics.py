"""Haemodynamics: the sympathetic increase of blood pressure, heart rate and cardiac output."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def haemodynamics(stage: Stage) -> None:
    """Increases above the person's own baseline; outflow follows the drug in brain, without tolerance.

    0.5 mg/kg over 40 min raises systolic pressure by 3 to 16 mmHg at 30-40 min in three clinics, equally from the
    first to the sixth infusion (Riva-Posse 2018, Zheng, Yale 2024); anaesthesia raises mean pressure by 27 % and heart
    rate by 44 % (Langsjo 2005); a nasal dose peaks at 40 min and is over by 4 h (label); cardiac output rises 40-50 %
    at 320 ng/mL S-ketamine (Sigtermans). The baroreflex holds the heart rate at small rises of outflow, so it follows
    the square of outflow. Pressures in mmHg; heart rate in beats per minute; cardiac output as fold of baseline.
    """
    drug = stage.input("nmda.equivalent_drug", "umol/L")
    outflow = stage.output(
        "haemodynamics.sympathetic",
        hill(drug, stage.parameter("haemodynamics.sympathetic_ec50"), stage.parameter("haemodynamics.steepness")),
        "1",
        description="sympathetic outflow above baseline, fraction of its maximum",
    )
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
        heart_rate_gain * outflow**2,
        "beats",
        description="heart rate above own baseline, beats per minute",
    )
    stage.output(
        "haemodynamics.cardiac_output",
        1 + output_gain * outflow,
        "1",
        description="cardiac output, fold of own baseline",
    )
