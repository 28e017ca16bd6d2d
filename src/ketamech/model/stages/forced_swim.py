"""Forced-swim test of an animal: immobility and active coping, within minutes and over days."""

from __future__ import annotations

from ketamech.model.functions import exp
from ketamech.model.stage import Stage


def forced_swim(stage: Stage) -> None:
    """Immobility relative to the animal's own baseline (1): a logistic function of the drive to cope.

    The drive is that of mood plus the effect of AMPA receptors inserted above baseline: half an hour after a dose
    swimming follows hippocampal and cortical throughput, which needs eEF2 kinase, BDNF, translation, GluA2 and
    adenosine (Autry 2011, Nosyreva 2013), while mood in humans follows the network more slowly. Quinolinic acid above
    its baseline, which opens NMDA receptors, lowers the drive: a day after endotoxin mice are more immobile although
    cytokines are back, unless ketamine was given (Walker 2013); people have no low mood by then. Immobility cannot
    exceed the duration of the test. Locomotion is not modelled. Unit: fold of own baseline.
    """
    inserted_ampa = stage.input("ampa.surface", "1") - stage.baseline("ampa.surface", "1")
    unblocked = 1 - stage.input("tool_compounds.nbqx_share", "1")
    throughput = stage.parameter("forced_swim.ampa_weight") * unblocked * inserted_ampa
    quinolinate = stage.input("inflammation.quinolinate", "1") - stage.baseline("inflammation.quinolinate", "1")
    despair = stage.parameter("forced_swim.quinolinate_weight") * quinolinate
    coping = stage.output(
        "forced_swim.coping",
        stage.input("mood.log_odds_shift", "1") + throughput - despair,
        "1",
        description="drive to cope, 0 at own baseline",
    )
    baseline_immobility = stage.parameter("forced_swim.baseline_immobility")
    odds_of_coping = exp(stage.parameter("forced_swim.gain") * coping)
    stage.output(
        "forced_swim.immobility",
        1 / (baseline_immobility + (1 - baseline_immobility) * odds_of_coping),
        "1",
        description="immobility in the forced-swim test, relative to own baseline",
    )
