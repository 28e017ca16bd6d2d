# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A new mechanism in one file
#
# You believe that a step is missing. Here: slow-wave activity in sleep, which a sleep laboratory can measure, follows
# released BDNF. The step is invented for this page and its numbers are **assumed**; what matters is how little has to
# be written: values in a table, one function with one flux a line, and the program checks units, rest, recovery and
# bounds.
#
# > For research and education only: not treatment or dosing advice.

# %%
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt

import ketamech
from ketamech.analysis import examine
from ketamech.core import KetaMechError
from ketamech.engine import load_kernel
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.stages import story
from ketamech.study import Model
from ketamech.system import build

plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}

# %% [markdown]
# ## Values with a unit, a spread and a status
#
# `assumed` is honourable. A row without a status, or `measured` without evidence, is refused.

# %%
TABLE = """name,value,unit,spread,status,evidence,place,why
sleep.pace,0.1,1/h,lognormal 0.4,assumed,,none,Sleep follows BDNF within about ten hours
sleep.gain,0.5,1,lognormal 0.4,assumed,,none,Slow-wave activity gained for a doubling of BDNF
"""
Path("my_tables").mkdir(exist_ok=True)
Path("my_tables/sleep.csv").write_text(TABLE)
mine = load_parameters("my_tables")
table = ParameterTable({**load_parameters().rows, **mine.rows})

# %% [markdown]
# ## Equations with reasons
#
# `needs` names what comes from other stages, `resting` this person's own drug-free value, `state` what moves through
# time. One `rate` a flux, each with its reason.


# %%
def sleep(m):
    """Slow-wave activity in sleep, relative to the person's own nights before treatment."""
    bdnf = m.needs("plasticity.bdnf", "1")
    usual = m.resting("plasticity.bdnf", "1")
    pace = m.parameter("sleep.pace")
    waves = m.state("sleep.slow_waves", "1", at_rest=1.0, about="slow-wave activity relative to own rest")
    m.rate(waves, +pace * (1 + m.parameter("sleep.gain") * (bdnf / usual - 1)), because="BDNF strengthens synapses")
    m.rate(waves, -pace * waves, because="sleep renormalises them")


system = build(table, [*story(), sleep])
print(len(system.states), "states,", len(system.parameter_names), "parameters; units fit")

# %% [markdown]
# ## What a slip looks like
#
# A pace in hours where a rate per hour is meant: the program says where, shows the line, and refuses to build.

# %%
slip = replace(table["sleep.pace"], unit="h")
wrong = ParameterTable({**table.rows, "sleep.pace": slip})
try:
    build(wrong, [*story(), sleep])
except KetaMechError as problem:
    print(problem)

# %% [markdown]
# ## Compile and examine
#
# Compiled once (10 to 15 s), then kept on disk under the hash of the equations. Every stage takes the same
# examination: does it rest, recover from half and double, stay in bounds, respond to a dose, and does every mode
# decay?

# %%
model = Model(system.layout, table, load_kernel(system.layout, lambda: system), lambda: system)
for finding in examine(model, "sleep"):
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
axis.set(xlabel="hours since the start of the infusion", ylabel="own rest = 1", xticks=range(0, 97, 24))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What to try next
#
# - Let it act: give `mood` a term with `m.needs("sleep.slow_waves", "1")`. Then `ketamech scorecard` says which published
#   rows moved, in either direction.
# - Make it part of the model: the function becomes `stages/sleep.py`, the table `data/parameters/sleep.csv`, its name goes into
#   `STORY`. Nothing else changes: [adding a term](../adding-a-term.md).
# - Replace `assumed` by evidence: a row in `data/evidence` with the paper's number in the paper's unit.
# - See your equation drawn as the others are: [theory](../theory.md).
