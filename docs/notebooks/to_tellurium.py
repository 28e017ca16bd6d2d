# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Taking the model to Tellurium
#
# The whole model, with one patient's doses as events, leaves as SBML and runs in Tellurium or plain libRoadRunner: the same
# names, the same units, the same curves. Then we change it there, as you would.
#
# > For research and education only: not treatment or dosing advice.
#
# Needs `pip install "ketamech[exchange]" libroadrunner` (or `tellurium`, which brings libRoadRunner along).

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import roadrunner

import ketamech
from ketamech.exchange.sbml import course_sbml
from ketamech.study import courses, load_model, load_scenario

try:
    from tellurium import loadSBMLModel as load
except ImportError:  # Tellurium is not here: its engine does the same
    load = roadrunner.RoadRunner

plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
print("loaded by", load.__module__)

# %% [markdown]
# ## Out
#
# From the command line this is `ketamech export "racemic 0.5 mg/kg IV over 40 min" --to infusion.xml`.

# %%
SENTENCE = "racemic 0.5 mg/kg IV over 40 min"
model = load_model()
treated = courses(load_scenario(SENTENCE), model)[0]
text = course_sbml(model, treated, name="one infusion")
Path("infusion.xml").write_text(text, encoding="utf-8")
print(f"{len(text) / 1e6:.1f} MB of SBML")

# %% [markdown]
# ## In
#
# `stage.thing` has become `stage__thing`; time stays in hours. libRoadRunner multiplies a single absolute tolerance by the present
# value of each state; giving one per state avoids that.

# %%
there = load("infusion.xml")
there.integrator.relative_tolerance = 1e-8
there.integrator.absolute_tolerance = [1e-10] * there.model.getNumRateRules()
print(there.model.getNumRateRules(), "rate rules,", there.model.getNumEvents(), "events")

WATCHED = ("venous.ketamine", "glutamate.extracellular", "spines.density", "mood.madrs")
there.timeCourseSelections = ["time", *(name.replace(".", "__") for name in WATCHED)]
elsewhere = np.array(there.simulate(0, 168, 1681))
here = ketamech.simulate(SENTENCE, model=model).sel(patient="treated")

# %% [markdown]
# ## The same curves
#
# Lines: Tellurium. Dots: KetaMech. Below each picture is the largest difference as a share of the largest value.

# %%
figure, axes = plt.subplots(2, 2, figsize=(8, 5), sharex=True, layout="constrained")
for i, (axis, name) in enumerate(zip(axes.flat, WATCHED, strict=True), 1):
    ours = here[name].sel(time=slice(0, 168))
    axis.plot(elsewhere[:, 0], elsewhere[:, i], color="#1f5f8b")
    axis.plot(ours.time[::4], ours[::4], ".", color="#c2571a", ms=4)
    hours = np.intersect1d(np.round(elsewhere[:, 0], 6), ours.time)
    at = np.searchsorted(np.round(elsewhere[:, 0], 6), hours)
    off = np.abs(elsewhere[at, i] - ours.sel(time=hours)).max() / np.abs(ours).max()
    axis.set(title=f"{name}, {here[name].attrs['units']}", xlabel=f"hours   (largest difference {float(off):.0e})")
    axis.title.set_fontsize(9)
plt.show()

# %% [markdown]
# Doses are given exactly when they are due and our engine runs at a tolerance of 1e-3 to 1e-6, so expect differences about as small
# as that. [The certificate](../credibility.md) makes this comparison for every example.
#
# ## Change it there
#
# Parameters keep their names too. Habenula off, in Tellurium: a resting value `rest__...` is that of the exported person and does
# not follow, so change what acts after the dose, not what shapes the person.

# %%
there.reset()
there.setValue("pathway__habenula", 0.0)
off = np.array(there.simulate(0, 168, 1681))
figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
axis.plot(elsewhere[:, 0], elsewhere[:, -1], color="#1f5f8b", label="whole model")
axis.plot(off[:, 0], off[:, -1], color="#c2571a", ls="--", label="habenula off, changed in Tellurium")
axis.set(xlabel="hours", ylabel="MADRS, points")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What to try next
#
# - The other way about: a scenario with `pathways: {habenula: off}`, exported again. The two agree.
# - COPASI: *File, Import SBML*. Everything is in the file, doses included.
# - Parameter scans, steady states, metabolic control: Tellurium's own tools work on `there` from here.
# - Coming from another program? [Names you know, and what they are called here](../coming-from.md).
