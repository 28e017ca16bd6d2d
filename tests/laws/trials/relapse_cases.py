"""Relapse of hand-made ratings, by the rules that simulated trials follow."""

import numpy as np

from ketamech.trials.trial_reader import load_trial
from ketamech.trials.visit_ratings import relapse_times


def trial_of(hours, since, **relapse):
    """A trial of one arm that rates MADRS at these hours after baseline."""
    visits = {"MADRS": [f"{hour:g} h" for hour in hours[1:]]}
    rule = {"when": "MADRS > 50 % of baseline", "since": f"{since:g} h", **relapse}
    return load_trial(
        {"title": "x", "arms": {"drug": {"treatment": "placebo IV", "n": 9}}, "visits": visits, "relapse": rule}
    )


def relapses(scores, hours, since, uniforms=None, **relapse):
    """Relapses of scores [patient, visit]; `hours` [visit] of the plan."""
    table = np.array(scores, dtype=float)
    chances = np.full(table.shape, 0.999) if uniforms is None else np.asarray(uniforms)
    held = np.broadcast_to(np.asarray(hours, dtype=float), table.shape)
    return relapse_times(trial_of(hours, since, **relapse), {"MADRS": table}, held, chances)


def with_relapse(data, hours, since, scale="MADRS", **relapse):
    """A dataset of one replicate with the variables about relapse; ratings of a `scale` count as MADRS."""
    found = relapses(data[scale].values[0], hours, since, **relapse)
    names = ("at_risk_from", "relapsed_at", "observed_until")
    return data.assign({name: (("replicate", "patient"), getattr(found, name)[None]) for name in names})
