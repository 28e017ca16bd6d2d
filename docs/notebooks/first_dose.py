# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # First dose
#
# This notebook simulates one infusion of racemic ketamine, 0.5 mg/kg over 40 minutes, in one typical patient with
# depression, from plasma to the mood score (MADRS, 0 to 60 points, higher is worse). It then switches one pathway off.
#
# > For research and education only: not treatment or dosing advice.
#
# The first run on a machine compiles the equations (10 to 15 s); later runs start in about two seconds.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

import ketamech as km

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}
model = km.Model.load()
run = model.simulate("racemic 0.5 mg/kg IV over 40 min").ketamech.shown()
run

# %% [markdown]
# The result is an `xarray.Dataset`. It has two patients: `treated`, and `control`, the same patient with the same
# expectancy and no drug. Time is in hours. Every variable has a unit and a description. The model computes in µmol/L;
# `.ketamech.shown()` gives concentrations in blood in ng/mL, as reports do:

# %%
for name in ("venous.ketamine", "nmda.blocked_interneuron", "spines.density", "mood.madrs"):
    print(f"{name:28} {run[name].attrs['units']:8} {run[name].attrs['long_name']}")

# %% [markdown]
# ## From minutes to weeks in one figure
#
# One curve is drawn by `run["mood.madrs"].plot(hue="patient")`. Here six curves share one time axis. It is logarithmic,
# because the drug is eliminated within a day and its effects last for weeks.

# %%
TRACKS = {
    "venous.ketamine": "ketamine in\nvenous plasma, ng/mL",
    "nmda.blocked_interneuron": "NMDA receptors blocked,\ninterneurons, share",
    "glutamate.extracellular": "glutamate,\nbaseline = 1",
    "plasticity.mtorc1": "active mTORC1,\nbaseline = 1",
    "spines.density_change": "spines,\nbaseline = 1",
    "mood.madrs": "MADRS, points",
}
after = run.sel(time=slice(1 / 60, None))
figure, tracks = plt.subplots(len(TRACKS), 1, figsize=(7, 9), sharex=True, layout="constrained")
for track, (name, label) in zip(tracks, TRACKS.items(), strict=True):
    track.plot(after.time, after[name].sel(patient="control"), "--", color="0.6", label="control")
    track.plot(after.time, after[name].sel(patient="treated"), color="#1f5f8b", label="treated")
    track.set_ylabel(label, rotation=0, ha="right", va="center")
    track.set_xscale("log")
tracks[0].legend(frameon=False)
tracks[-1].set_xticks([1 / 60, 1, 24, 168, 672], ["1 min", "1 h", "1 d", "1 wk", "4 wk"])
tracks[-1].minorticks_off()
tracks[-1].set_xlabel("time since the start of the infusion")
plt.show()

# %% [markdown]
# Each track shows a cause of the track below it. Block of NMDA receptors on interneurons increases the firing of
# pyramidal cells; glutamate rises for an hour; mTORC1 increases protein synthesis for a day; additional spines
# maintain the effect for two weeks.
#
# ## Numbers at the usual visits

# %%
visits = {"40 min": 40 / 60, "2 h": 2, "24 h": 24, "day 3": 72, "day 7": 168, "day 14": 336}
madrs = run["mood.madrs"].sel(time=list(visits.values()), method="nearest")
table = madrs.transpose("time", "patient").to_pandas().set_index([list(visits)]).round(1)
table["difference"] = (table["treated"] - table["control"]).round(1)
table

# %% [markdown]
# The control also improves, because expectancy acts in every arm. The difference is the effect of the drug.
#
# `km.cite` lists the papers whose values the run used.

# %%
papers = km.cite(run).splitlines()
print(len(papers), "papers, the first three:", *papers[:3], sep="\n")

# %% [markdown]
# ## From a typical patient to a population
#
# The typical patient has the usual value of every parameter. Patients of a population differ in covariates and
# parameters. The band holds 90 % of 200 patients with treatment-resistant depression.

# %%
people = km.Population.named("trd", seed=1).sample(200)
several = model.simulate("racemic 0.5 mg/kg IV over 40 min", people, outputs=["mood.madrs"])
low, median, high = several["mood.madrs"].quantile([0.05, 0.5, 0.95], "patient")
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.fill_between(several.time / 24, low, high, color="#1f5f8b", alpha=0.15, label="90 % of 200 patients")
axes.plot(several.time / 24, median, color="#1f5f8b", label="median")
axes.plot(run.time / 24, run["mood.madrs"].sel(patient="treated"), "--", color="#c2571a", label="typical patient")
axes.set(xlabel="days", ylabel="MADRS, points", xlim=(0, 14))
axes.legend(frameon=False)
plt.show()

# %% [markdown]# ## One pathway off
#
# A scenario file can also define the patient, the pathways that are switched off and the simulation horizon. Here
# AMPA receptors are blocked as by NBQX in rodents.

# %%
SCENARIO = """
title: Ketamine 0.5 mg/kg with AMPA receptors blocked
treatments:
  - racemic 0.5 mg/kg IV over 40 min
person:
  weight: 70 kg         # needed where a dose is per kilogram
perturbations:
  nbqx: 0.95          # 0 none, 1 full
horizon: 28 days
"""
Path("with_nbqx.yaml").write_text(SCENARIO)
blocked = model.simulate("with_nbqx.yaml")

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for label, shown, colour in (("ketamine", run, "#1f5f8b"), ("ketamine and NBQX", blocked, "#c2571a")):
    change = shown["mood.madrs"].sel(patient="treated") - shown["mood.madrs"].sel(patient="control")
    axes.plot(shown.time / 24, change, color=colour, label=label)
axes.axhline(0, color="0.6", lw=0.8)
axes.set(xlabel="days", ylabel="MADRS against control, points", xlim=(0, 14))
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What to try next
#
# - `habenula: off` under `pathways:` instead of the block; `ketamech equations` lists every pathway.
# - Another route: `"esketamine 84 mg nasal"`. The notebook [two drugs compared](two_drugs.py) continues with it.
# - The same simulation on the command line, with a report:
#   `ketamech simulate "racemic 0.5 mg/kg IV over 40 min"`.
# - Sources: `ketamech cite RUN` for a run, [theory](../theory.md) for an equation. [Limits](../limits.md) lists known
#   errors of the model.
