# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A new mechanism in one file
#
# This notebook adds a mechanism to the model: slow-wave activity in sleep, which a sleep laboratory can measure, depends
# on released BDNF. The mechanism is an invented example and its numbers are **assumed**. It needs values in a table and
# one function with one flux per line. The program checks units, steady state, recovery and bounds.
#
# > For research and education only: not treatment or dosing advice.

# %%
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt

import ketamech
from ketamech.analysis.model_checks import run_checks
from ketamech.core import KetaMechError
from ketamech.engine import load_kernel
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.model.stages import all_stages
from ketamech.simulation.model import Model
from ketamech.model.assemble import build_system

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}

# %% [markdown]
# ## Values with a unit, a spread and a status
#
# The status `assumed` is allowed. A row without a status, or with status `measured` and no evidence, is refused.

# %%
TABLE = """name,value,unit,spread,status,evidence,place,why
sleep.pace,0.1,1/h,lognormal 0.4,assumed,,none,Slow-wave activity follows BDNF with a time constant of ten hours
sleep.gain,0.5,1,lognormal 0.4,assumed,,none,Relative increase of slow-wave activity for a doubling of BDNF
"""
Path("my_tables").mkdir(exist_ok=True)
Path("my_tables/sleep.csv").write_text(TABLE)
mine = load_parameters("my_tables")
table = ParameterTable({**load_parameters().rows, **mine.rows})

# %% [markdown]
# ## Equations with reasons
#
# `input` declares a quantity of another stage, `baseline` the drug-free value of this patient, `state` a quantity with a
# differential equation. Each flux is one `rate` with its reason.


# %%
def sleep(stage):
    """Slow-wave activity in sleep, relative to the same patient before treatment."""
    bdnf = stage.input("plasticity.bdnf", "1")
    usual = stage.baseline("plasticity.bdnf", "1")
    rate_constant = stage.parameter("sleep.pace")
    waves = stage.state("sleep.slow_waves", "1", initial_guess=1.0, description="slow-wave activity relative to baseline")
    stage.rate(waves, +rate_constant * (1 + stage.parameter("sleep.gain") * (bdnf / usual - 1)), because="BDNF strengthens synapses")
    stage.rate(waves, -rate_constant * waves, because="synaptic renormalisation during sleep")


system = build_system(table, [*all_stages(), sleep])
print(len(system.states), "states,", len(system.parameter_names), "parameters; units are consistent")

# %% [markdown]
# ## An error in a unit
#
# Here the rate constant has the unit h instead of 1/h. The program reports the place, shows the line, and does not build
# the system.

# %%
slip = replace(table["sleep.pace"], unit="h")
wrong = ParameterTable({**table.rows, "sleep.pace": slip})
try:
    build_system(wrong, [*all_stages(), sleep])
except KetaMechError as problem:
    print(problem)

# %% [markdown]
# ## Compile and check
#
# The system is compiled once (10 to 15 s) and stored in the cache under the hash of its equations. The same checks apply
# to every stage: steady state, recovery from half and double values, bounds, response to a dose, and decay of every
# mode.

# %%
model = Model(system.layout, table, load_kernel(system.layout, lambda: system), lambda: system)
for finding in run_checks(model, "sleep"):
    print("passes" if finding.passed else "FAILS ", f"{finding.stage:13} {finding.examined:32} {finding.detail[:60]}")

# %% [markdown]
# ## Use it like any other output

# %%
curves = ketamech.simulate("racemic 0.5 mg/kg IV over 40 min", model=model)
figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
for name, colour in (("plasticity.bdnf", "0.6"), ("sleep.slow_waves", "#1f5f8b")):
    line = curves[name].sel(patient="treated", time=slice(0, 96))
    axis.plot(line.time, line / line[0], color=colour, label=curves[name].attrs["long_name"])
axis.axhline(1, color="0.8", lw=0.8, zorder=0)
axis.set(xlabel="hours since the start of the infusion", ylabel="baseline = 1", xticks=range(0, 97, 24))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What to try next
#
# - Add an effect: give `mood` a term with `stage.input("sleep.slow_waves", "1")`. Then `ketamech scorecard` shows which
#   comparisons changed.
# - Make it part of the model: the function becomes `stages/sleep.py`, the table becomes `data/parameters/sleep.csv`, and
#   the name is added to `STORY`. No other file changes: [adding a term](../adding-a-term.md).
# - Replace `assumed` by evidence: add a row to `data/evidence` with the number and unit of the paper.
# - The equations of the present stages are shown in [theory](../theory.md).
