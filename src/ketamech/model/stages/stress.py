"""Stress: the lasting level of a person, and stress imposed by an experimental protocol."""

from __future__ import annotations

from ketamech.model.stage import Stage


def stress(stage: Stage) -> None:
    """Level of stress, 0 healthy to 1 the chronic stress of depression; it scales every depression-related change.

    `person.stress` is the lasting level, which is part of the drug-free steady state. A protocol (restraint, defeat)
    adds to it, up to the maximum of the scale, and its effect decays within hours of its end. Unit: fraction of the
    scale.
    """
    lasting = stage.parameter("person.stress")
    imposed = stage.state("stress.imposed", "1", description="stress imposed by a protocol, 1 = full")
    stage.rate(imposed, -stage.parameter("stress.relief_rate") * imposed, because="relief after the protocol")
    stage.output(
        "stress.level", lasting + (1 - lasting) * imposed, "1", description="stress, 0 healthy, 1 as in depression"
    )
