"""Haemodynamics: the sympathetic rise of blood pressure, heart rate and cardiac output."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, hill


def haemodynamics(m: Stage) -> None:
    """Rises above the person's own rest; sympathetic outflow follows the brain drug by minutes, without tolerance.

    0.5 mg/kg over 40 min raises systolic pressure by 3 to 7 mmHg at 30-40 min, alike from the first to
    the sixth infusion (Riva-Posse 2018, Zheng); a nasal dose peaks at 40 min and is over by 4 h (label);
    cardiac output rises 40-50 % at 320 ng/mL S-ketamine (Sigtermans). Pressures in mmHg; heart rate in
    beats a minute; cardiac output as fold of rest.
    """
    drug = m.needs("nmda.equivalent_drug", "umol/L")
    pace = m.parameter("haemodynamics.pace")
    outflow = m.state(
        "haemodynamics.sympathetic",
        "1",
        within=(0, 1),
        scale=0.1,
        about="extra sympathetic outflow, share of the most",
    )
    driven = hill(drug, m.parameter("haemodynamics.half_outflow"), m.parameter("haemodynamics.steepness"))
    m.rate(outflow, +pace * driven, because="NMDA block frees sympathetic outflow")
    m.rate(outflow, -pace * outflow, because="noradrenaline taken up again, vessels relax")
    systolic, diastolic = (
        m.parameter("haemodynamics.systolic_gain"),
        m.parameter("haemodynamics.diastolic_gain"),
    )
    heart, output = m.parameter("haemodynamics.heart_rate_gain"), m.parameter("haemodynamics.output_gain")
    m.offers("haemodynamics.systolic_rise", systolic * outflow, "mmHg", about="systolic pressure above own rest")
    m.offers("haemodynamics.diastolic_rise", diastolic * outflow, "mmHg", about="diastolic pressure above own rest")
    m.offers(
        "haemodynamics.heart_rate_rise",
        heart * outflow,
        "beats",
        about="heart rate above own rest, beats a minute",
    )
    m.offers("haemodynamics.cardiac_output", 1 + output * outflow, "1", about="cardiac output, fold of own rest")
