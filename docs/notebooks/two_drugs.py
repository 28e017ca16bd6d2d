# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Two drugs compared
#
# This notebook compares intravenous racemic ketamine with nasal esketamine: plasma concentration, dissociation, and
# the effect on mood a day later. It then varies the duration of the infusion.
#
# > For research and education only: not treatment or dosing advice.

# %%
import matplotlib.pyplot as plt
import pandas as pd

import ketamech as km

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}
model = km.Model.load()  # compiled once, used for every run below
ARMS = {
    "racemic 0.5 mg/kg IV over 40 min": "#1f5f8b",
    "esketamine 84 mg nasal": "#c2571a",
    "esketamine 56 mg nasal": "#e0a030",
}
runs = {arm: model.simulate(arm).ketamech.shown() for arm in ARMS}  # concentrations in blood in ng/mL


# %% [markdown]
# ## The first four hours
#
# One part of a nasal dose is absorbed in the nose. The other part is swallowed and undergoes first-pass metabolism.


# %%
def against_control(run, name):
    """Treated minus control over time."""
    return run[name].sel(patient="treated") - run[name].sel(patient="control")


SHOWN = {
    "venous.ketamine": "ketamine (S + R) in\nvenous plasma, ng/mL",
    "nmda.occupancy": "NMDA receptors\noccupied, share",
    "dissociation.cadss": "dissociation,\nCADSS points",
    "haemodynamics.systolic_rise": "systolic pressure\nabove baseline, mmHg",
}
figure, axes = plt.subplots(2, 2, figsize=(8, 5), sharex=True, layout="constrained")
for axis, (name, label) in zip(axes.flat, SHOWN.items(), strict=True):
    for arm, colour in ARMS.items():
        early = runs[arm].sel(time=slice(0, 4))
        axis.plot(early.time, early[name].sel(patient="treated"), color=colour, label=arm)
    axis.set_ylabel(label)
for axis in axes[-1]:
    axis.set_xlabel("hours")
axes[0, 0].legend(frameon=False, fontsize=7)
plt.show()

# %% [markdown]
# ## The same as a table
#
# The table shows Cmax, tmax and AUC, then dissociation (unwanted) and the effect on mood (wanted).


# %%
def row(run):
    """Exposure, dissociation and mood of one treated patient."""
    treated = run.sel(patient="treated")
    plasma = treated["venous.ketamine"]
    return {
        "Cmax, ng/mL": float(plasma.max()),
        "tmax, h": float(plasma.idxmax("time")),
        "AUC, ng·h/mL": float(plasma.integrate("time")),
        "maximal CADSS": float(treated["dissociation.cadss"].max()),
        "MADRS at 24 h against control": float(against_control(run, "mood.madrs").sel(time=24, method="nearest")),
    }


pd.DataFrame({arm: row(run) for arm, run in runs.items()}).round(2)

# %% [markdown]
# ## One dose at decreasing rates
#
# In the model dissociation depends on the peak concentration and the effect on mood on exposure. A slower infusion of
# the same dose should therefore reduce dissociation and preserve the effect on mood. This is a prediction; see
# [limits](../limits.md) on early mood.

# %%
minutes = [2, 10, 20, 40, 80, 160, 320]
infusions = {over: model.simulate(f"racemic 0.5 mg/kg IV over {over} min").ketamech.shown() for over in minutes}
slower = pd.DataFrame({over: row(run) for over, run in infusions.items()}).T
figure, left = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
left.plot(minutes, slower["maximal CADSS"], "o-", color="#c2571a")
left.set_ylabel("maximal CADSS, points", color="#c2571a")
left.set(xscale="log", xlabel="duration of the infusion of 0.5 mg/kg, min", ylim=(0, 50))
left.set_xticks(minutes, [str(m) for m in minutes])
left.minorticks_off()
right = left.twinx()
right.spines["right"].set_visible(True)
right.plot(minutes, -slower["MADRS at 24 h against control"], "s--", color="#1f5f8b")
right.set_ylabel("improvement of MADRS at 24 h, points", color="#1f5f8b")
right.set_ylim(0, 12)
plt.show()

# %% [markdown]
# ## What to try next
#
# - Four weeks of each: `"esketamine 84 mg nasal twice weekly for 4 weeks"` against
#   `"racemic 0.5 mg/kg IV over 40 min twice weekly for 4 weeks"`.
# - Combinations and other treatments: `"racemic 0.5 mg/kg IV over 40 min plus psychotherapy weekly for 12 weeks"`,
#   `"antidepressant daily for 6 weeks"`, `"ECT twice weekly for 4 weeks"`.
# - `ketamech design` searches dose, rate, route and interval for regimens with a large effect on mood and little
#   dissociation.
# - The notebook [a trial and its power](trial_and_power.py) shows whether a trial of a given size would detect a
#   difference.
