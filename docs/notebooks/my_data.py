# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # From my data to a fitted patient in ten lines
#
# A table of doses and measured levels becomes a patient of the model: most probable parameters, with intervals that
# combine the levels and the variability between people. Then the same patient receives another dose.
#
# > For research and education only: not treatment or dosing advice. No dose on this page is a recommendation.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import ketamech as km
from ketamech.fitting.individual_dose import DoseFinder, dose_table, individuals, parse_goal

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}

# %% [markdown]
# ## Ten lines
#
# The columns are those of NONMEM ([fitting](../fitting.md)): a dose with AMT, levels in DV, `<2` for a level below the
# limit of quantification. **These levels are invented**; replace them by your own, or name a file.

# %%
Path("levels.csv").write_text("""ID,TIME,AMT,ROUTE,DUR,WT,DRUG,DV
1,0,35,IV,0.6667,70,racemic,.
1,0.4,.,.,.,70,.,128
1,0.7,.,.,.,70,.,148
1,1,.,.,.,70,.,78
1,2,.,.,.,70,.,36
1,4,.,.,.,70,.,16
1,8,.,.,.,70,.,6.1
1,24,.,.,.,70,.,<2
""")
names = ["intrinsic_clearance_s", "shallow_volume", "arteriovenous_fast_share"]
patient = km.fit("levels.csv", observe="venous.ketamine [ng/mL]", parameters=names)
patient.person_table().drop(columns="ID").round(3)

# %% [markdown]
# `estimate` with its 95 % interval (`low`, `high`) is that of the patient, `population` that of the tables; `deviation`
# is in SDs between people. `variance_reduction` is the share of the variance between people that the levels removed: near 0, the
# estimate is only the population's. Without `parameters`, KetaMech chooses those that the levels can inform.
#
# ## Does the curve pass through the levels?

# %%
data, predictor = patient.data, patient.predictor
hours = np.linspace(0.05, 24, 300)[None]
fitted, usual = (predictor.curves(at[None], hours)[0, 0, :, 0] * data.outputs[0].factor
                 for at in (patient.mode, patient.mean))  # fmt: skip
below = data.censored == 1
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(hours[0], fitted, color="#1f5f8b", label="this patient")
axis.plot(hours[0], usual, "--", color="0.6", label="population")
axis.plot(data.column("time")[~below], data.value[~below], "o", color="#c2571a", label="measured")
axis.plot(data.column("time")[below], data.value[below], "v", color="#c2571a", mfc="none", label="below the limit")
axis.set(yscale="log", xlabel="hours", ylabel="venous ketamine, ng/mL", ylim=(0.2, 300))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# The residuals say the same in numbers: most weighted residuals lie between -2 and 2.

# %%
patient.weighted_residuals.round(2)

# %% [markdown]
# ## What is known of this patient, as virtual patients
#
# Every draw of the posterior is one virtual patient. Parameters that no level can inform, such as those of
# dissociation, vary as in the population.

# %%
draws = individuals(patient, draws=100)
clearance = draws.of("1")["pharmacokinetics.intrinsic_clearance_s"]
ec50 = draws.of("1")["dissociation.cadss_ec50"]
print(f"coefficient of variation: clearance {clearance.std() / clearance.mean():.0%}, "
      f"EC50 of dissociation {ec50.std() / ec50.mean():.0%}")  # fmt: skip

# %% [markdown]
# ## A question for research: which dose would give a peak of 150 ng/mL?
#
# The median of the draws reaches the target. The bound on CADSS must hold with a probability of 80 %; if it does not,
# it limits the dose.

# %%
model = km.Model.load()
goals = ("venous.ketamine peak = 150 ng/mL", "dissociation.cadss peak <= 40")
finder = DoseFinder(model, "racemic {dose} mg/kg IV over 40 min", tuple(parse_goal(g, model) for g in goals), 0.8)
found = finder.find(draws.of("1"), (0.1, 2.0))
dose_table(finder, {"1": found}).drop(columns="ID").round(2)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
for axis, goal, values in zip(axes, finder.goals, found.endpoints, strict=True):
    low, middle, high = np.percentile(values, [5, 50, 95], axis=1)
    axis.fill_between(found.grid, low, high, color="#1f5f8b", alpha=0.2)
    axis.plot(found.grid, middle, color="#1f5f8b")
    axis.axhline(goal.value, color="0.4", ls="--")
    axis.axvline(found.dose, color="#c2571a")
    axis.set(xscale="log", xlabel="dose, mg/kg", ylabel=goal.unit, title=goal.text)
    axis.title.set_fontsize(8)
plt.show()

# %% [markdown]
# ## What to try next
#
# - Remove levels from the table, and see which intervals return to those of the population.
# - `ketamech fit levels.csv --observe "venous.ketamine [ng/mL]"` writes a report with all figures; five persons or more
#   are fitted as a group, with variability, predictive checks, LOO and WAIC.
# - `ketamech sampling-times "racemic 0.5 mg/kg IV over 40 min" --observe "venous.ketamine [ng/mL]"` says when to measure.
# - The ten lines use the error model of `data/fitting/error_models.csv`; give your own with `error="proportional 0.1"`.
