# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A trial and its power
#
# A curve of one typical patient does not say whether a trial would succeed. Here virtual people with their own
# weight, severity, hope and kinetics are enrolled, allocated, dosed and rated with error, and the data are analysed
# as a statistician would. Then the trial is made smaller until it fails.
#
# > For research and education only: not treatment or dosing advice.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

from ketamech.analysis.trials import analyse
from ketamech.analysis.trials.power import power
from ketamech.study import load_model, load_trial, run_trial

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}

# %% [markdown]
# ## The protocol is a file
#
# Two arms, one dose each, MADRS at baseline and three visits, dissociation on the day. `population: trd` is a shipped
# description of people with treatment-resistant depression (`ketamech people --population trd` draws it).

# %%
PROTOCOL = """
title: One nasal dose against an active control
population: trd
arms:
  esketamine:
    treatment: esketamine 84 mg nasal
    n: 60
  midazolam:
    treatment: midazolam 0.045 mg/kg IV over 40 min
    n: 60
visits:
  MADRS-24h: [4 h, 24 h, 7 d]
  CADSS: [40 min, 2 h]
primary: MADRS-24h at 24 h
"""
Path("my_trial.yaml").write_text(PROTOCOL)
trial = load_trial("my_trial.yaml")
data = run_trial(trial, load_model(), replicates=12, seed=1)  # twelve trials of 120 people
data[["MADRS-24h", "CADSS", "arm"]]

# %% [markdown]
# ## One trial as it would be reported
#
# Replicate 0. Each person is a line: the group means are not the story of anyone.

# %%
first = data.isel(replicate=0)
names = [str(v) for v in data["visit"].values]
places = [i for i, name in enumerate(names) if first["MADRS-24h"].isel(visit=i).notnull().any()]
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
for axis, arm, colour in zip(axes, ("esketamine", "midazolam"), ("#c2571a", "0.4"), strict=True):
    people = (first["arm"] == arm).all("visit")
    scores = first["MADRS-24h"].where(people, drop=True).isel(visit=places).transpose("visit", "patient")
    axis.plot([names[i] for i in places], scores, color=colour, alpha=0.15, lw=0.8)
    axis.plot([names[i] for i in places], scores.mean("patient"), color=colour, lw=2.5)
    axis.set_title(f"{arm}, mean and {scores.sizes['patient']} people", fontsize=9)
axes[0].set_ylabel("MADRS, points")
plt.show()

# %% [markdown]
# The analysis: change from baseline adjusted for baseline (ANCOVA) at the primary visit, and responders.

# %%
found = analyse(data, trial)
primary = found.primary.head(3)[["replicate", "difference", "low", "high", "p"]].round(2)
primary.assign(p=found.primary["p"].map("{:.0e}".format))

# %%
columns = ["arm", "visit", "response", "response_low", "response_high", "remission"]
found.shares["MADRS-24h"][columns].round(1)  # percent, with the 95 % interval over the twelve trials

# %% [markdown]
# Twelve trials of the same protocol do not agree. This is chance alone; `ketamech trial` also draws parameter values
# from the posterior, so that what is not known widens the picture.

# %%
estimates = found.primary.reset_index(drop=True)
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
reach = [estimates["difference"] - estimates["low"], estimates["high"] - estimates["difference"]]
axis.errorbar(estimates["difference"], estimates.index, xerr=reach, fmt="o", color="#1f5f8b", capsize=2)
axis.axvline(0, color="0.6", lw=0.8)
axis.set(xlabel="esketamine minus midazolam at 24 h, MADRS points (95 %)", ylabel="trial")
plt.show()

# %% [markdown]
# ## How small may it be?
#
# Smaller trials are drawn out of these. Power is the share with p < 0.05; with twelve trials it is a rough figure,
# and the interval says so.

# %%
sizes = [8, 12, 20, 30, 60]
table = power(data, "MADRS-24h", "24 h", found.reference, sizes)
figure, axis = plt.subplots(figsize=(5.5, 3), layout="constrained")
axis.fill_between(table["n_per_arm"], table["low"], table["high"], color="#1f5f8b", alpha=0.15)
axis.plot(table["n_per_arm"], table["power"], "o-", color="#1f5f8b")
axis.axhline(80, color="0.6", ls="--", lw=0.8)
axis.set(xlabel="patients an arm", ylabel="power, %", ylim=(0, 102))
plt.show()

# %% [markdown]
# Too good to be true? The model's control arms are too uniform and its nasal effect at 24 h too large: the [trial
# scorecard](../trials-scorecard.md) shows by how much. Plan no real trial on this.
#
# ## What to try next
#
# - A published trial: `ketamech trial murrough2013 --replicates 100 --power "10, 15, 20"`.
# - Rules, drop-out, rescue, crossover, decisions on the way: [virtual trials](../trials.md).
# - The tables that trialists file (ADSL, ADQS, ADPC) lie in the folder that the command writes.
# - Your own data behind the parameters: [calibrating to your data](calibrating.py).
