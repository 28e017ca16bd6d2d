"""Natural course of the illness: changing circumstances, spontaneous remission, usual care and hospital."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def course(stage: Stage) -> None:
    """What changes mood without a drug, in log odds of the mood scale; all are 0 in the typical patient.

    Load is the burden of circumstances and of the illness above the person's own average. Weekly changes and life
    events enter it at random times in virtual patients (`NaturalCourse`), and it returns to the average
    within months: a mean-reverting process. Patients who enter a trial at a bad time therefore improve on average
    (regression to the mean), and remitters relapse after adverse events. A spontaneous remission begins at a time that
    is drawn for each patient, develops over weeks and lasts for a year. Contacts with usual care or days in hospital
    support mood for some days. Load acts in proportion to the distance from the worst score: a very ill person can
    hardly become worse, and a recovered person has more to lose.

    Regained prefrontal tone protects from adverse events that come after the first dose, and from no other load:
    ketamine before a week of stress prevents its effect in mice (r-ket-prophyl). Their load is a state of its own.
    Where nothing protects, only the sum of the two loads matters.
    """
    load = _returning_load(stage, "course.load", "burden above the person's own average, log odds")
    event_load = _returning_load(stage, "course.event_load", "burden of adverse events since treatment began, log odds")
    stage.output(
        "course.relief",
        stage.parameter("course.remission_weight") * _remission(stage)
        + stage.parameter("course.support_weight") * _support(stage)
        - (load + event_load * _vulnerability(stage)) * _distance_from_worst(stage),
        "1",
        description="drive towards recovery without treatment, 0 at the own average, log odds of the scale",
    )


def _returning_load(stage: Stage, name: str, description: str) -> sympy.Symbol:
    load = stage.state(name, "1", bounds=(None, None), description=description)
    stage.rate(load, -stage.parameter("course.reversion_rate") * load, because="return to the own average over months")
    return load


def _distance_from_worst(stage: Stage) -> sympy.Expr:
    """Distance of the score from the end of the scale, 1 at the person's own baseline."""
    scale_maximum = stage.parameter("mood.scale_maximum")
    baseline = stage.parameter("person.baseline_madrs")
    return (scale_maximum - stage.input("mood.madrs", "points")) / (scale_maximum - baseline)


def _vulnerability(stage: Stage) -> sympy.Expr:
    """Effect of adverse events relative to that without a drug: less while prefrontal tone is above the baseline."""
    name = "brain_network.medial_prefrontal_tone"
    gain = stage.input(name, "1") - stage.baseline(name, "1")
    return 1 - hill(gain, stage.parameter("course.protection_ec50"), 1)


def _remission(stage: Stage) -> sympy.Symbol:
    onset = stage.state("course.onset", "1", bounds=(0, 1), description="beginning of a spontaneous remission, 1 each")
    remission = stage.state("course.remission", "1", bounds=(0, 1), description="spontaneous remission, fraction")
    development = stage.parameter("course.remission_rate") * onset
    stage.rate(onset, -development, because="the remission develops over weeks")
    stage.rate(remission, +development, because="transfer from onset to remission")
    stage.rate(remission, -stage.parameter("course.recurrence_rate") * remission, because="recurrence over a year")
    return remission


def _support(stage: Stage) -> sympy.Expr:
    contacts = stage.state("course.contacts", "1", description="recent contacts with care, 1 each")
    stage.rate(contacts, -stage.parameter("course.support_decay_rate") * contacts, because="support fades over days")
    return hill(contacts, stage.parameter("course.support_ec50"), 1)
