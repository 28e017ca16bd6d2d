# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A new mechanism in one cell
#
# This notebook adds a mechanism to the model: slow-wave activity in sleep, which a sleep laboratory can measure, depends
# on released BDNF. The mechanism is an invented example and its numbers are **assumed**. It needs one table of values
# and one function with one flux per line. The program checks units, steady state, recovery and bounds.
#
# > For research and education only: not treatment or dosing advice.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

import ketamech as km

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}
model = km.Model.load()

# %% [markdown]
# ## One table and one function
#
# Each row of the table has a value, a unit, a spread and a status. The status `assumed` is allowed; a row without a
# status, or with status `measured` and no evidence, is refused.
#
# In the function, `input` declares a quantity of another stage, `baseline` its drug-free value in this patient, and
# `state` a quantity with a differential equation. Each flux is one `rate` with its reason. `with_stage` builds the
# equations, checks the units of every term, and compiles (10 to 15 s the first time).

# %%
Path("my_tables").mkdir(exist_ok=True)
Path("my_tables/sleep.csv").write_text("""name,value,unit,spread,status,evidence,locator,reason
sleep.rate,0.1,1/h,lognormal 0.4,assumed,,none,Slow-wave activity follows BDNF with a time constant of ten hours
sleep.gain,0.5,1,lognormal 0.4,assumed,,none,Relative increase of slow-wave activity for a doubling of BDNF
""")


def sleep(stage):
    """Slow-wave activity in sleep, relative to the same patient before treatment."""
    relative_bdnf = stage.input("plasticity.bdnf", "1") / stage.baseline("plasticity.bdnf", "1")
    rate = stage.parameter("sleep.rate")
    gain = stage.parameter("sleep.gain")
    waves = stage.state("sleep.slow_waves", "1", initial_guess=1.0, description="slow-wave activity over baseline")
    stage.rate(waves, +rate * (1 + gain * (relative_bdnf - 1)), because="BDNF strengthens synapses")
    stage.rate(waves, -rate * waves, because="synaptic renormalisation during sleep")


extended = model.with_stage(sleep, "my_tables/sleep.csv")
print(len(model.layout.states), "states before,", len(extended.layout.states), "states now")

# %% [markdown]
# ## The new output is used like any other

# %%
run = extended.simulate("racemic 0.5 mg/kg IV over 40 min")
figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
for name, colour in (("plasticity.bdnf", "0.6"), ("sleep.slow_waves", "#1f5f8b")):
    line = run[name].sel(patient="treated", time=slice(0, 96))
    axis.plot(line.time, line / line[0], color=colour, label=run[name].attrs["long_name"])
axis.axhline(1, color="0.8", lw=0.8, zorder=0)
axis.set(xlabel="hours since the start of the infusion", ylabel="baseline = 1", xticks=range(0, 97, 24))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Checks of the equations
#
# The same checks apply to every stage: steady state, recovery from half and double values, bounds, response to a dose,
# and decay of every mode.

# %%
for line in km.check("sleep", model=extended):
    print("passes" if line.passed else "FAILS ", f"{line.stage:13} {line.examined:32} {line.detail[:60]}")

# %% [markdown]
# ## An error in a unit
#
# Here the rate constant has the unit h instead of 1/h. The program names the term and both units, and does not build the
# model.

# %%
Path("wrong_tables").mkdir(exist_ok=True)
wrong = Path("my_tables/sleep.csv").read_text().replace("0.1,1/h", "0.1,h")
Path("wrong_tables/sleep.csv").write_text(wrong)
try:
    model.with_stage(sleep, "wrong_tables/sleep.csv")
except km.KetaMechError as problem:
    print(problem)

# %% [markdown]
# ## What to try next
#
# - Add an effect: a function `mood` with one more term, which reads `stage.input("sleep.slow_waves", "1")`. A function
#   with the name of a shipped stage replaces that stage.
# - `km.scorecard(model=extended)` compares the extended model with the published values.
# - Make it part of the model: the function becomes `model/stages/sleep.py`, the table becomes
#   `data/parameters/sleep.csv`, and the name is added to `STAGES`: [adding a term](../adding-a-term.md).
# - Replace `assumed` by evidence: add a row to `data/evidence` with the number and unit of the paper.
# - The equations of the present stages are shown in [theory](../theory.md).
