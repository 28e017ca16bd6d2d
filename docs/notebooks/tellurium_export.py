# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Taking the model to Tellurium
#
# The whole model, with the doses of one patient as events, is exported as SBML and runs in Tellurium or libRoadRunner
# with the same names and units. The curves are compared, and a parameter is then changed in the other program.
#
# > For research and education only: not treatment or dosing advice.
#
# Requires `pip install "ketamech[exchange]" libroadrunner` (or `tellurium`, which installs libRoadRunner).

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import roadrunner

import ketamech as km

try:
    import tellurium

    load = tellurium.loadSBMLModel
except ImportError:  # without Tellurium, its engine gives the same result
    load = roadrunner.RoadRunner

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}
print("loaded by", load.__module__)

# %% [markdown]
# ## Export
#
# The command line equivalent is `ketamech export "racemic 0.5 mg/kg IV over 40 min" --to infusion.xml`.

# %%
SENTENCE = "racemic 0.5 mg/kg IV over 40 min"
model = km.Model.load()
file = km.export(SENTENCE, "infusion.xml", model=model)
print(f"{file.stat().st_size / 1e6:.1f} MB of SBML")

# %% [markdown]
# ## Load and simulate
#
# The id of `stage.thing` is `stage__thing`; time is in hours. libRoadRunner multiplies a single absolute tolerance by the
# present value of each state; one tolerance per state avoids that.

# %%
there = load("infusion.xml")
there.integrator.relative_tolerance = 1e-8
states = there.model.getNumFloatingSpecies() + there.model.getNumRateRules()
there.integrator.absolute_tolerance = [1e-10] * states
print(states, "states,", there.model.getNumReactions(), "reactions,", there.model.getNumEvents(), "events")

WATCHED = ("venous.ketamine", "glutamate.extracellular", "spines.density", "mood.madrs")
there.timeCourseSelections = ["time", *(name.replace(".", "__") for name in WATCHED)]
elsewhere = np.array(there.simulate(0, 168, 1681))
here = model.simulate(SENTENCE).sel(patient="treated")

# %% [markdown]
# ## The same curves
#
# Lines: Tellurium. Dots: KetaMech. The label below each panel gives the largest difference relative to the largest value.

# %%
figure, axes = plt.subplots(2, 2, figsize=(8, 5), sharex=True, layout="constrained")
for i, (axis, name) in enumerate(zip(axes.flat, WATCHED, strict=True), 1):
    ours = here[name].sel(time=slice(0, 168))
    axis.plot(elsewhere[:, 0], elsewhere[:, i], color="#1f5f8b")
    axis.plot(ours.time[::4], ours[::4], ".", color="#c2571a", ms=4)
    hours = np.intersect1d(np.round(elsewhere[:, 0], 6), ours.time)
    at = np.searchsorted(np.round(elsewhere[:, 0], 6), hours)
    off = np.abs(elsewhere[at, i] - ours.sel(time=hours)).max() / np.abs(ours).max()
    unit = here[name].attrs["units"].removeprefix("1")
    axis.set(title=f"{name} {unit}", xlabel=f"hours   (largest difference {float(off):.0e})")
    axis.title.set_fontsize(9)
plt.show()

# %% [markdown]
# Two independent engines agree, one with the equations in SBML and one compiled from the stages. The numerical
# difference is much smaller than the uncertainty of the biology. The [cross-simulator check](../certificate.md) makes
# this comparison for every example.
#
# ## Change a parameter in the other program
#
# Parameters also keep their names. Here the habenular pathway is switched off in Tellurium and, as a check, in KetaMech.
# Note that `reset()` keeps the parameter values after the last event, so that the infusion would stay off;
# `resetToOrigin()` restores the initial values. A baseline value `rest__...` is that of the exported patient and is not
# computed again: change only parameters that act after the dose.

# %%
there.resetToOrigin()
there.setValue("pathway__habenula", 0.0)
there.timeCourseSelections = ["time", "mood__madrs"]
changed = np.array(there.simulate(0, 168, 1681))

SCENARIO = """
title: One infusion without the habenular pathway
treatments: [racemic 0.5 mg/kg IV over 40 min]
person: {weight: 70 kg}
pathways: {habenula: off}
horizon: 7 days
"""
Path("without_habenula.yaml").write_text(SCENARIO)
checked = model.simulate("without_habenula.yaml").sel(patient="treated")

figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
axis.plot(elsewhere[:, 0], elsewhere[:, -1], color="0.6", label="whole model")
axis.plot(changed[:, 0], changed[:, -1], color="#1f5f8b", label="habenula off, in Tellurium")
axis.plot(checked.time[::4], checked["mood.madrs"][::4], ".", color="#c2571a", label="habenula off, in KetaMech")
axis.set(xlabel="hours", ylabel="MADRS, points")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What to try next
#
# - Another regimen, `"esketamine 84 mg nasal twice weekly for 4 weeks"`: every dose becomes one event.
# - COPASI: *File, Import SBML*. The file contains the doses. Antimony is a readable text form; SED-ML and OMEX also hold
#   the simulation: `ketamech export SCENARIO --to scenario.omex`; [all formats](../exchange.md).
# - Parameter scans, steady states and metabolic control analysis: use the tools of Tellurium on `there`.
# - Users of other programs find equivalent names in [coming from another program](../coming-from.md).
