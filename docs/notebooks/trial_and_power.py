# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A trial and its power
#
# The curve of one typical patient does not show whether a trial would succeed. Here virtual patients with individual
# weight, severity, expectancy and pharmacokinetics are enrolled, randomised, treated and rated with error, and the
# data are analysed with the usual statistics. The number of patients is then reduced until the power is too low.
#
# > For research and education only: not treatment or dosing advice.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

import ketamech as km

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}

# %% [markdown]
# ## The protocol is a file
#
# The trial has two arms with one dose each, MADRS at baseline and three visits, and dissociation on the first day.
# `population: trd` is a shipped virtual population with treatment-resistant depression (`ketamech population --population
# trd` samples it).

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
model = km.Model.load()
result = km.Trial.read("my_trial.yaml").run(replicates=12, seed=1, model=model)  # twelve trials of 120 patients
data = result.dataset
data[["MADRS-24h", "CADSS", "arm"]]

# %% [markdown]
# ## One trial as it would be reported
#
# The figure shows replicate 0. Each thin line is one patient, the thick line is the mean of the arm.

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
    axis.set_title(f"{arm}, mean and {scores.sizes['patient']} patients", fontsize=9)
axes[0].set_ylabel("MADRS, points")
plt.show()

# %% [markdown]
# The analysis uses the change from baseline adjusted for baseline (ANCOVA) at the primary visit, and responder rates.

# %%
found = result.analyse()
primary = found.primary.head(3)[["replicate", "difference", "low", "high", "p"]].round(2)
primary.assign(p=found.primary["p"].map("{:.0e}".format))

# %%
columns = ["arm", "visit", "response", "response_low", "response_high", "remission"]
found.shares["MADRS-24h"][columns].round(3)  # shares, with the 95 % interval over the twelve trials

# %% [markdown]
# Twelve trials of the same protocol differ by chance, by the setting (who is enrolled, how strong expectancy is) and by
# the parameter values, which are draws of the posterior. `posterior="none"` uses the values of the tables instead.

# %%
estimates = found.primary.reset_index(drop=True)
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
reach = [estimates["difference"] - estimates["low"], estimates["high"] - estimates["difference"]]
axis.errorbar(estimates["difference"], estimates.index, xerr=reach, fmt="o", color="#1f5f8b", capsize=2)
axis.axvline(0, color="0.6", lw=0.8)
axis.set(xlabel="esketamine minus midazolam at 24 h, MADRS points (95 %)", ylabel="trial")
plt.show()

# %% [markdown]
# ## How many patients are needed?
#
# Smaller trials are sampled from these trials, with the arms in proportion. Power is the share with p < 0.05. With twelve
# trials it is imprecise, as the interval shows.

# %%
table = result.power([16, 24, 40, 60, 120])
figure, axis = plt.subplots(figsize=(5.5, 3), layout="constrained")
axis.fill_between(table["patients"], table["low"], table["high"], color="#1f5f8b", alpha=0.15)
axis.plot(table["patients"], table["power"], "o-", color="#1f5f8b")
axis.axhline(0.8, color="0.6", ls="--", lw=0.8)
axis.set(xlabel="patients in both arms", ylabel="power", ylim=(0, 1.02))
plt.show()

# %% [markdown]
# This power is too optimistic. The control arms of the model are too uniform and its nasal effect at 24 h is too large;
# the [trial scorecard](../trials-scorecard.md) gives the size of these errors. Do not plan a real trial with this result.
#
# ## What to try next
#
# - A published trial: `km.Trial.read("murrough2013").replace(patients=120).run(replicates=100)`, or
#   `ketamech trial murrough2013 --replicates 100 --power "10, 15, 20"`.
# - Decision rules, dropout, rescue and crossover: [virtual trials](../trials.md).
# - The command writes the analysis data sets ADSL, ADQS and ADPC into its result folder.
# - Parameters estimated from your own data: [calibration to your data](calibration.py).
