"""The compiled model: layout of the equations, parameter values, compiled kernel.

A run of which only some outputs are read needs less of the model (a scope, from the tables of `data/slices`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from ketamech.core import InputError, require_known
from ketamech.core.csv_table import read_table
from ketamech.core.deprecated_names import LoadedByCall, renamed_arguments
from ketamech.core.environment import DATA
from ketamech.core.errors import RenamedWarning
from ketamech.core.progress import Progress, progress_by_line
from ketamech.core.synonyms import synonyms
from ketamech.engine import Kernel, load_kernel
from ketamech.engine.scope import Scope, Slice
from ketamech.model.cache import cached_expression_trees, cached_layout
from ketamech.model.expression_tree import ExpressionTrees, expression_trees_of
from ketamech.model.layout import SystemLayout
from ketamech.parameters import ParameterTable, load_parameters

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketamech.dosing.regimen import Regimen
    from ketamech.model.stage import Stage
    from ketamech.model.system import System
    from ketamech.simulation.load_scenario import Settings
    from ketamech.simulation.scenario import Scenario
    from ketamech.simulation.simulate import Patients


LISTED_OUTPUTS = 'a name listed by Model.load().outputs("WORD"), or by: ketamech equations --outputs'
FOLDER = DATA / "slices"
WILDCARD = "*"  # at the end of a name: any rest


def scopes_of(layout: SystemLayout) -> tuple[Scope, ...]:
    """The scopes of a model, each within the next, that are smaller than the model.

    A scope of which an output or a receiver does not exist is left out, as are its slices. Raises InputError naming
    file, line and column.
    """
    scopes, wanted = list[Scope](), list[str]()
    for name, patterns in _scope_rows():
        outputs = _matching(patterns, layout.output_names)
        if outputs is None:
            return tuple(scopes)
        wanted += outputs
        parts = (
            (part, _matching(receivers, layout.state_names))
            for scope, part, receivers in _slice_rows()
            if scope == name
        )
        place = {state: i for i, state in enumerate(layout.state_names)}
        slices = tuple(
            Slice(part, frozenset(place[one] for one in names)) for part, names in parts if names is not None
        )
        scopes.append(Scope.of(layout, name, wanted, slices))
    return tuple(scopes)


def scope_of(scopes: Sequence[Scope], outputs: Iterable[str] | None) -> Scope | None:
    """The first scope that covers the outputs; None, the whole model, where none does or all outputs are read."""
    names = None if outputs is None else tuple(outputs)
    return next((scope for scope in scopes if names is not None and scope.covers(names)), None)


@cache
def _scope_rows() -> tuple[tuple[str, tuple[str, ...]], ...]:
    rows = read_table(FOLDER / "scopes.csv", ("scope", "outputs", "why"))
    return tuple((row.required("scope", "levels"), row.listed("outputs")) for row in rows)


@cache
def _slice_rows() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    scopes = [name for name, _ in _scope_rows()]
    rows = read_table(FOLDER / "slices.csv", ("scope", "slice", "receivers", "why"))
    return tuple(
        (row.one_of("scope", scopes), row.required("slice", "ketamine"), row.listed("receivers")) for row in rows
    )


def _matching(patterns: Sequence[str], names: Sequence[str]) -> list[str] | None:
    """The names that match; None where a pattern matches none."""
    found = list[str]()
    for pattern in patterns:
        if pattern.endswith(WILDCARD):
            matching = [name for name in names if name.startswith(pattern.removesuffix(WILDCARD))]
        else:
            matching = [name for name in names if name == pattern]
        if not matching:
            return None
        found += matching
    return found


StageFunction = Callable[["Stage"], None]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Model(metaclass=LoadedByCall, loader="load"):
    """The compiled model: layout of the equations, parameter values, kernel. `Model.load()` is the shipped one.

    The symbolic equations are built (slowly) only when `system` is read. `state_aliases` {compartment: state} redirects
    doses where the pharmacokinetics are a user's own. `stages` are the stage functions, None for the shipped ones.
    `variant`: the name of a model variant with equations of its own, which has its own posterior; else empty.

    `max_steps`: most solver steps of a patient in the search for its periodic steady state, and in a run; it fails
    above them.
    """

    layout: SystemLayout
    parameters: ParameterTable
    kernel: Kernel
    build_system: Callable[[], System] | None = field(default=None, repr=False, compare=False)
    state_aliases: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[StageFunction, ...] | None = field(default=None, repr=False)
    variant: str = ""
    max_steps: float = math.inf

    @classmethod
    def load(
        cls, parameters: ParameterTable | None = None, stages: Sequence[StageFunction] | None = None, *,
        variant: str = "", progress: Progress | None = None,
    ) -> Model:  # fmt: skip
        """The shipped model, or one with other `parameters`, e.g. those of `load_parameters().with_values({...})`.

        `stages`: other stage functions than the shipped ones; see `with_stage`. `variant`: a model variant with
        equations of its own, "reduced-core", instead. The first call on a machine compiles the equations (10 to 15 s);
        later ones read them from the cache. Raises UnitError for a term whose unit does not fit, ModelError for
        equations that do not fit together, UnknownNameError for another variant.
        """
        announce = progress_by_line(progress)
        if variant:
            return load_variant(variant, announce=announce)
        return load_model(parameters, stages, announce=announce)

    @renamed_arguments(parameters="parameter_values")
    def simulate(
        self, scenario: Scenario | Regimen | Path | str, people: Patients | None = None, *,
        person: Settings | None = None, parameter_values: Settings | None = None, perturb: str | Sequence[str] = (),
        species: str | None = None, variant: str | None = None, outputs: str | Sequence[str] | None = None,
        times: Sequence[float] | None = None,
    ) -> xr.Dataset:  # fmt: skip
        """Simulate a sentence, a scenario file, a Regimen or a Scenario on this model.

        Arguments, result and errors are those of `ketamech.simulate`, which also reads tables of dose records.
        """
        from ketamech.simulation import citations, simulate

        names = simulate.output_names(outputs)
        simulate.check_people_and_times(people, times)
        checked = simulate.as_scenario(
            scenario,
            self,
            species=species,
            perturb=perturb,
            variant=variant,
            person=person,
            parameter_values=parameter_values,
        )
        if people is not None:
            curves = simulate.simulate_scenario(checked, self, people, outputs=names, times=times)
            return citations.with_papers(curves, citations.papers_behind(self))
        curves = simulate.simulate_scenario(checked, self, times=times)
        cited = citations.papers_behind(self) if times is not None else citations.papers_of_run(curves, checked, self)
        return citations.with_papers(simulate.select_outputs(curves, self, names), cited)

    def with_stage(self, stage: StageFunction, table: ParameterTable | Path | str | None = None) -> Model:
        """The model with one stage function more, or with the stage of the same name replaced; compiled.

        `table`: a CSV file with the columns of data/parameters, named after the stage (sleep.csv holds `sleep.*`), or
        rows read by `load_parameters`; a row replaces one of the same name. Raises InputError naming file, line and
        column of a wrong cell, UnitError for a term whose unit does not fit, ModelError for a quantity that no stage
        declares.
        """
        from ketamech.model.stages import all_stages

        rows = table if isinstance(table, ParameterTable) else load_parameters(table) if table is not None else {}
        present = all_stages() if self.stages is None else self.stages
        replaced = tuple(stage if one.__name__ == stage.__name__ else one for one in present)
        stages = replaced if stage in replaced else (*replaced, stage)
        extended = load_model(ParameterTable({**self.parameters, **rows}), stages)
        return replace(extended, **self._beside_equations)

    def outputs(self, word: str = "") -> pd.DataFrame:
        """Every output with its unit and meaning, one row each; with `word` only those with it in name or meaning.

        A word such as "hnk" or "BP" may also stand for others (data/synonyms).
        These are the names of the argument `outputs`. Concentrations in blood are in umol/L, as in results; `shown`
        is the unit in which tables and reports show the output.
        """
        import pandas as pd

        from ketamech.parameters.concentration_units import shown

        units, meanings = self.layout.units, self.layout.descriptions
        rows = [(name, units[name], shown(name, units[name])[1], meanings[name]) for name in self.layout.output_names]
        table = pd.DataFrame(rows, columns=["output", "unit", "shown", "meaning"])
        texts = (table["output"] + " " + table["meaning"]).str.lower()
        words = (word.lower(), *synonyms().get(word.lower(), ()))
        return table[[any(one in text for one in words) for text in texts]].reset_index(drop=True)

    def known_outputs(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names, each of an output. Raises UnknownNameError with the nearest names and where all are listed."""
        checked = tuple(names)
        for name in checked:
            require_known(name, self.layout.output_names, f"there is no output '{name}'", expected=LISTED_OUTPUTS)
        return checked

    def __repr__(self) -> str:
        counts = f"{len(self.layout.state_names)} states, {len(self.layout.output_names)} outputs"
        variant = f", variant {self.variant}" if self.variant else ""
        return f"<Model: {counts}, {len(self.parameters)} parameters{variant}>"

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[Any, ...]]:
        """A pickled model holds its parameter values and stage functions; it is compiled where it is loaded."""
        return _unpickle, (self.parameters, self.stages, self.layout.fingerprint, self._beside_equations)

    @property
    def _beside_equations(self) -> dict[str, Any]:
        """What a model has that does not follow from its parameters and stages."""
        return {"state_aliases": self.state_aliases, "variant": self.variant, "max_steps": self.max_steps}

    @cached_property
    def system(self) -> System:
        """The symbolic equations, units checked."""
        if self.build_system is not None:
            return self.build_system()
        return _build(self.parameters, self.stages)

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """Groups of outputs that are often read together, see `scopes_of`."""
        return scopes_of(self.layout)

    def kernel_for(self, outputs: Iterable[str] | None) -> Kernel:
        """The kernel for runs of which only these outputs are read (None: all), or others of the same scope."""
        return self.kernel.within(scope_of(self.scopes, outputs))

    @cached_property
    def default_values(self) -> Mapping[str, float]:
        """The value of every parameter in canonical units."""
        return {name: row.canonical for name, row in self.parameters.items()}

    @cached_property
    def default_inputs(self) -> np.ndarray:
        """Inputs of the kernel [input]: the value of every parameter, then 0 in place of each baseline value."""
        values = [self.default_values[name] for name in self.layout.parameter_names]
        return np.array([*values, *([0.0] * len(self.layout.baseline_names))])

    @cached_property
    def input_index(self) -> dict[str, int]:
        """Index of each parameter in the inputs of the kernel."""
        return {name: i for i, name in enumerate(self.layout.parameter_names)}

    @cached_property
    def compartment_index(self) -> dict[str, int]:
        """Index in the state vector of each compartment that can receive a dose."""
        indices = {name: i for i, name in enumerate(self.layout.state_names)}
        return indices | {name: indices[state] for name, state in self.state_aliases.items()}

    @cached_property
    def expression_trees(self) -> ExpressionTrees:
        """The equations as expression trees without SymPy."""
        if self.stages is None:
            return cached_expression_trees(self.parameters, lambda: self.system)
        return expression_trees_of(self.system)


def model_by_keyword(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which for one release also accepts a Model by position, with a RenamedWarning."""

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        models = [one for one in args if isinstance(one, Model)]
        if models:
            what = f"{function.__name__}: the model is an argument by keyword, model=; by position it will stop working"
            warnings.warn(what, RenamedWarning, stacklevel=2)
            others: Any = [one for one in args if not isinstance(one, Model)]
            return function(*others, **(options | {"model": models[0]}))  # type: ignore[arg-type]
        return function(*args, **options)

    return call


def load_model(
    parameters: ParameterTable | None = None, stages: Sequence[StageFunction] | None = None, *,
    announce: Callable[[str], None] | None = None,
) -> Model:  # fmt: skip
    """The model of `stages` (default: the shipped ones) over `parameters`, units checked, compiled.

    Layout and kernel of the shipped stages are cached on disk, so that only the first run on a machine builds and
    compiles them. The equations of other stages are built each time and compiled once. `announce` receives one line
    before each slow step. Raises UnitError, ModelError.
    """
    table = load_parameters() if parameters is None else parameters
    functions = None if stages is None else tuple(stages)
    build_system = cache(lambda: _build(table, functions))

    def first_build() -> System:
        if announce:
            announce("Building the equations and checking their units ...")
        return build_system()

    layout = cached_layout(table, first_build) if functions is None else first_build().layout
    return Model(layout, table, load_kernel(layout, build_system, announce=announce), build_system, stages=functions)


def load_variant(name: str, *, announce: Callable[[str], None] | None = None) -> Model:
    """The model of a variant with equations of its own: its stages, and its rows in place of the shipped ones.

    Raises UnknownNameError.
    """
    from ketamech.model.reduced_core import reduced_stages

    own = load_parameters(folder_of_equations(name) / "parameters")
    model = load_model(ParameterTable({**load_parameters(), **own}), reduced_stages(), announce=announce)
    return replace(model, variant=name)


def folder_of_equations(name: str) -> Path:
    """The folder with parameter tables, priors and posterior of a variant with equations of its own.

    Raises UnknownNameError.
    """
    found = {path.name.replace("_", "-"): path for path in (DATA / "variants").iterdir() if path.is_dir()}
    what = f"there is no model variant '{name}' with equations of its own"
    require_known(name, found, what, key="variant", expected=", ".join(found))
    return found[name]


def _unpickle(
    parameters: ParameterTable, stages: tuple[StageFunction, ...] | None, fingerprint: str, beside: dict[str, Any]
) -> Model:
    made = replace(load_model(parameters, stages), **beside)
    if made.layout.fingerprint != fingerprint:
        here = made.layout.fingerprint
        raise InputError(f"the equations here are {here}, not {fingerprint}", expected="the same version everywhere")
    return made


def _build(parameters: ParameterTable, stages: Sequence[StageFunction] | None = None) -> System:
    from ketamech.model.assemble import build_system

    return build_system(parameters, stages)
