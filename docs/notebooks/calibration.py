# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Calibration to your data
#
# A small study measured drug concentrations after one infusion and MADRS in two arms. This notebook shows which model
# parameters these data inform and which remain as uncertain as before. It samples values from the spreads of the
# tables (the prior), simulates all draws at once, and weights each draw by its likelihood.
#
# > For research and education only: not treatment or dosing advice.

# %%
from io import StringIO

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import ketamech as km
from ketamech.population.virtual_population import VirtualPatients

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}
model = km.Model.load()
ARMS = {"ketamine": "racemic 0.5 mg/kg IV over 40 min", "placebo": "placebo IV"}

# %% [markdown]
# ## What was measured
#
# One line per measurement: arm, output, hour, standard error. The measured values are added below.

# %%
READINGS = """arm,output,hour,se
ketamine,venous.ketamine,0.5,0.04
ketamine,venous.ketamine,0.75,0.05
ketamine,venous.ketamine,1.5,0.02
ketamine,venous.ketamine,3.0,0.012
ketamine,venous.ketamine,6.0,0.006
ketamine,mood.change,4,1.2
ketamine,mood.change,24,1.2
ketamine,mood.change,168,1.3
placebo,mood.change,4,1.2
placebo,mood.change,24,1.2
placebo,mood.change,168,1.3
"""
data = pd.read_csv(StringIO(READINGS))

# %% [markdown]
# ## Estimated parameters
#
# Four quantities are estimated. The prior of each is its value in the parameter tables with the spread of that row. The
# clearances of both enantiomers are scaled together, because one racemic infusion cannot distinguish them.

# %%
MOVED = {
    "clearance": ("pharmacokinetics.intrinsic_clearance_s", "pharmacokinetics.intrinsic_clearance_r"),
    "connectivity": ("mood.connectivity_weight",),
    "habenula": ("mood.habenula_weight",),
    "expectancy": ("mood.expectancy_weight",),
}
for names in MOVED.values():
    row = model.parameters[names[0]]
    print(f"{row.name:42} {row.value:8g} {row.unit:6} {row.spread.kind} {row.spread.a}   {row.status}")

# %%
DRAWS = 3000
random = np.random.default_rng(1)
spread = {name: model.parameters[names[0]].spread.a for name, names in MOVED.items()}
prior = pd.DataFrame({name: np.exp(spread[name] * random.standard_normal(DRAWS)) for name in MOVED})
prior.describe().loc[["mean", "std"]].round(2)  # factors on the table values

# %% [markdown]
# ## Simulate every draw at once
#
# Each draw is a virtual patient: a number and the parameter values that differ, in canonical units. All patients are
# solved together, at the hours of the measurements.


# %%
def patients(draws):
    """One virtual patient for each draw."""
    table = model.parameters
    columns = {n: draws[name].to_numpy() * table[n].canonical for name, names in MOVED.items() for n in names}
    return VirtualPatients(np.arange(len(draws)), columns, {}, table)


def predict(draws):
    """The prediction of each draw for each measurement: [draw, measurement]."""
    times = [0.0, *sorted(set(data["hour"]))]
    found = np.empty((len(draws), len(data)))
    for arm, readings in data.groupby("arm"):
        run = model.simulate(ARMS[arm], patients(draws), outputs=["venous.ketamine", "mood.change"], times=times)
        for i, reading in readings.iterrows():
            found[:, i] = run[reading["output"]].sel(time=reading["hour"])
    return found


simulated = predict(prior)
simulated.shape

# %% [markdown]
# ## The data
#
# **These values are simulated**: they come from the model with four hidden parameter values plus noise, to test whether
# the method recovers them. Replace them by your own column: `data["value"] = ...`.

# %%
HIDDEN = pd.Series({"clearance": 1.15, "connectivity": 1.2, "habenula": 1.0, "expectancy": 0.85})
noise = np.random.default_rng(7).standard_normal(len(data)) * data["se"]
data["value"] = predict(HIDDEN.to_frame().T)[0] + noise
data.round(3)

# %% [markdown]
# ## Weight by likelihood
#
# The likelihood is normal around the simulated value with the reported standard error. No model is exact, so an
# additional error of 5 % of each concentration and 1 MADRS point is included. Without it the posterior would be too
# narrow.

# %%
own = np.where(data["output"] == "mood.change", 1.0, 0.05 * data["value"])
sigma = np.hypot(data["se"], own).to_numpy()
misfit = (((simulated - data["value"].to_numpy()) / sigma) ** 2).sum(axis=1)
weight = np.exp(-0.5 * (misfit - misfit.min()))
weight /= weight.sum()
print(f"effective draws: {1 / (weight**2).sum():.0f} of {DRAWS}")

# %%
posterior = prior.sample(4000, replace=True, weights=weight, random_state=1)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
for axis, name in zip(axes, MOVED, strict=True):
    bins = np.linspace(*np.quantile(prior[name], [0.005, 0.995]), 30)
    axis.hist(prior[name], bins, density=True, color="0.85", label="prior")
    axis.hist(posterior[name], bins, density=True, color="#1f5f8b", alpha=0.6, label="posterior")
    axis.axvline(HIDDEN[name], color="#c2571a", label="hidden value")
    axis.set(xlabel=f"{name}, factor", yticks=[])
axes[0].legend(frameon=False, fontsize=7)
plt.show()

# %% [markdown]
# The concentrations determine clearance and the placebo arm determines expectancy. The weights of connectivity and
# habenula are correlated: one arm with three visits cannot separate them. The table shows the contraction of each
# posterior relative to its prior.

# %%
pd.DataFrame(
    {
        "contraction": (1 - posterior.std() / prior.std()).round(2),
        "median": posterior.median().round(2),
        "2.5 %": posterior.quantile(0.025).round(2),
        "97.5 %": posterior.quantile(0.975).round(2),
        "hidden value": HIDDEN,
    }
)

# %% [markdown]
# ## Posterior predictive check
#
# The posterior must reproduce the data that were used. Bars: data with 95 % interval; bands: 95 % of the weighted draws.

# %%
order = np.argsort(simulated, axis=0)
ranked = np.take_along_axis(simulated, order, axis=0)
share = np.cumsum(weight[order], axis=0)
low, middle, high = (
    np.array([ranked[np.searchsorted(share[:, i], q), i] for i in range(len(data))]) for q in (0.025, 0.5, 0.975)
)
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
for axis, (arm, output) in zip(axes, data[["arm", "output"]].drop_duplicates().itertuples(index=False), strict=True):
    chosen = ((data["arm"] == arm) & (data["output"] == output)).to_numpy()
    hours = data["hour"][chosen]
    axis.fill_between(hours, low[chosen], high[chosen], color="#1f5f8b", alpha=0.2)
    axis.plot(hours, middle[chosen], color="#1f5f8b")
    axis.errorbar(hours, data["value"][chosen], yerr=1.96 * data["se"][chosen], fmt="o", color="#c2571a", capsize=2)
    axis.set(title=f"{arm}: {output}", xlabel="hours")
    axis.title.set_fontsize(8)
    if output == "venous.ketamine":
        axis.set_yscale("log")
        axis.set_yticks([0.05, 0.1, 0.3, 0.6], ["0.05", "0.1", "0.3", "0.6"])
        axis.minorticks_off()
plt.show()

# %% [markdown]
# ## What to try next
#
# - Remove a visit and compare the widths of the histograms. This shows the value of that visit for a study design.
# - The shipped calibration estimates twenty parameters from whole virtual trials with a surrogate model and emcee:
#   `ketamech calibrate --design-points 600 --draws 200`; [limits](../limits.md) reports which parameters it informed.
# - `ketamech sensitivity` shows which parameters have the largest influence.
# - To store a value permanently, add a row with status `calibrated` and the ids of its evidence; see
#   [adding a term](../adding-a-term.md).
