"""`ketamech individualise` and `ketamech sampling-times`: research on doses and samples of one person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.fit import PopulationName, check_kinetics, population_of
from ketamech.cli.options import PkModel, ScenarioOrFile, Threads, listed_names, listed_numbers
from ketamech.core import InputError
from ketamech.core.environment import available_threads

FitFolder = Annotated[Path, typer.Argument(help="Folder written by ketamech fit, with the posterior of each person")]
Template = Annotated[str, typer.Argument(help='A regimen with {dose}, e.g. "racemic {dose} mg/kg IV over 40 min"')]
Goals = Annotated[
    list[str] | None,
    typer.Option(
        "--goal",
        help='What shall be reached: "venous.ketamine peak = 200 ng/mL", "venous.ketamine auc >= 300 h*ng/mL",'
        ' "dissociation.cadss peak <= 10", "venous.ketamine at 2 h = 80 ng/mL"; may be repeated',
    ),
]
Probability = Annotated[float, typer.Option(help="Probability with which a bound (<= or >=) must hold")]
Persons = Annotated[str, typer.Option("--person", help="IDs, joined by ',' [default: all]")]
DoseRange = Annotated[
    str,
    typer.Option("--doses", help="Lowest and highest dose to search, e.g. '0.1, 1' [default: all that are possible]"),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: beside the fit]")]
Observe = Annotated[
    list[str] | None,
    typer.Option(
        "--observe", help='Output and unit of a level, "venous.ketamine [ng/mL]"; all are measured in each sample'
    ),
]
Samples = Annotated[int, typer.Option(min=1, help="Number of samples")]
Candidates = Annotated[
    str | None, typer.Option(help="Times in h at which samples are possible, joined by ',' [default: 0.1 to 48]")
]
Compare = Annotated[str | None, typer.Option(help="Sampling times in h to compare with the best ones, joined by ','")]
Parameters = Annotated[
    str | None, typer.Option(help="Parameters to estimate, joined by ',' [default: those that samples would inform]")
]
Error = Annotated[
    list[str] | None, typer.Option("--error", help='Residual error, as for ketamech fit: "proportional 0.2"')
]
Lloq = Annotated[
    float | None, typer.Option(help="Limit of quantification in the unit of the levels [default: 0.1 % of the highest]")
]

DrugName = Annotated[str, typer.Argument(help="racemic, esketamine, arketamine ...")]
TargetOutput = Annotated[str, typer.Argument(metavar="OUTPUT", help='Level and unit, e.g. "venous.ketamine [ng/mL]"')]
Levels = Annotated[str, typer.Argument(help="Target levels in this order, joined by ','")]
Each = Annotated[str, typer.Option(help="How long each level is held")]
To = Annotated[Path | None, typer.Option("--to", "-t", help="Scenario file to write (.yaml)")]
Draws = Annotated[
    int, typer.Option(min=0, help="Persons drawn from the population, over which to average [default: the typical one]")
]


def individualise(
    fit: FitFolder, regimen: Template, goal: Goals = None, probability: Probability = 0.9, person: Persons = "",
    doses: DoseRange = "", pk_model: PkModel = None, threads: Threads = None, out: Out = None,
) -> None:  # fmt: skip
    """Find the dose with which a fitted person would reach a target or stay within a bound, for research.

    Example:  ketamech individualise runs/fit-levels "racemic {dose} mg IV" --goal "venous.ketamine peak = 200 ng/mL"

    Every draw of the posterior of a person is simulated over a range of doses. A target (=) is reached by the median of
    the draws; a bound (<= or >=) holds in at least the share of draws of --probability. Parameters that were not fitted
    vary as in the population. The result is a property of the model, not a recommendation of a dose: doses.csv and a
    figure of every goal over the dose.

    More examples:

      ketamech individualise runs/fit-levels "esketamine {dose} mg nasal" --goal "dissociation.cadss peak <= 10"

      ketamech individualise runs/fit-levels "racemic {dose} mg/kg IV over 40 min" --goal "venous.ketamine auc = 300
      h*ng/mL" --goal "haemodynamics.systolic_rise peak <= 30" --probability 0.8 --person 3 --doses "0.1, 1"
    """
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.fitting.individual_dose import NOTE, DoseFinder, Individuals, parse_goal
    from ketamech.report.fit_folder import INDIVIDUALS, write_doses

    folder = out or fit.with_name(f"{fit.name}-doses")
    terminal.check_folder(folder)
    if not (fit / INDIVIDUALS).is_file():
        raise InputError(f"'{fit}' holds no fit", expected="a folder written by ketamech fit")
    individuals, dose_range = Individuals.load(fit / INDIVIDUALS), _range(doses)
    names = listed_names(person) or individuals.names
    selected = {name: individuals.of(name) for name in names}
    model = terminal.model(pk_model)
    check_kinetics(fit, individuals.values, model)
    goals = tuple(parse_goal(text, model) for text in goal or ())
    finder = DoseFinder(model, regimen, goals, probability, available_threads(threads))
    dose_range = dose_range or finder.range()
    with terminal.progress_bar("Persons", len(names)) as update:
        found_doses = {}
        for count, (name, values) in enumerate(selected.items(), 1):
            found_doses[name] = finder.find(values, dose_range)
            update(count)
    with atomic_folder(folder) as draft:
        table = write_doses(draft, finder, found_doses, terminal.provenance(f"{fit.name}: {regimen}", model, 1))
    columns = ["ID", "dose", "window_low", "window_high", "goal", "predicted", "low", "high", "probability", "remark"]
    terminal.table(table[columns].to_dict("records"), title="Doses")
    terminal.progress().print(f"Doses are {NOTE}.")
    terminal.print_open_hint(folder / "doses.svg")


def sampling_times(
    scenario: ScenarioOrFile, observe: Observe = None, samples: Samples = 4, candidates: Candidates = None,
    compare: Compare = None, parameters: Parameters = None, error: Error = None, lloq: Lloq = None, draws: Draws = 0,
    population: PopulationName = "adult", pk_model: PkModel = None, threads: Threads = None,
) -> None:  # fmt: skip
    """Choose the sampling times that say most about the parameters of a person (D-optimal).

    Example:  ketamech sampling-times "racemic 0.5 mg/kg IV over 40 min" --observe "venous.ketamine [ng/mL]"

    Of the candidate times (and those of --compare) those are chosen that maximise the determinant of the expected
    posterior precision, with exact derivatives at the population values and the variability of the population as prior
    distribution. With --draws, the logarithm of the determinant is averaged over persons of the population
    (ED-optimal), which matters where persons differ much from the typical one. For each parameter the table has its SD
    between people, and the SD that is expected after the samples.
    The first run compiles the derivatives, which takes half a minute.

    More examples:

      ketamech sampling-times "esketamine 84 mg nasal" --observe "venous.esketamine [ng/mL]" --samples 3 --compare
      "0.5, 2, 8" --lloq 0.5 --draws 50
    """
    import numpy as np

    from ketamech.cli import scenario_argument
    from ketamech.fitting.sampling_times import USUAL, sampling_design

    loaded, model = scenario_argument.scenario(scenario), terminal.model(pk_model)
    hours = USUAL if candidates is None else tuple(listed_numbers(candidates, "--candidates", "0.5, 2, 24"))
    others = () if compare is None else tuple(listed_numbers(compare, "--compare", "0.5, 2, 24"))
    with terminal.progress().status("Derivatives ..."):
        design = sampling_design(
            model, loaded, observe or (), population_of(population, pk_model), times=(*hours, *others), lloq=lloq,
            parameters=listed_names(parameters or ""), errors=tuple(error or ()), draws=draws,
            threads=available_threads(threads),
        )  # fmt: skip
    best_indices, median = design.best(samples), np.median(design.predicted, axis=0)
    rows = [
        {"time_h": float(design.times[i]), **{f"{output.output}, {output.unit}": float(median[k, i])
                                              for k, output in enumerate(design.outputs)}} for i in best_indices
    ]  # fmt: skip
    terminal.table(rows, title="Best sampling times")
    table = design.table(best_indices)
    if others:
        compared_indices = [int(i) for i in design.times.searchsorted(others)]
        table["compared_sd"] = design.table(compared_indices)["expected_sd"]
        share = design.efficiency(compared_indices, best_indices)
        terminal.progress().print(f"D-efficiency of {compare} h relative to the best times: {share:.2f}")
    terminal.table(
        table.to_dict("records"), title="Expected of a person (SD of the logarithm; of the logit of a share)"
    )


def target_infusion(
    drug: DrugName, observe: TargetOutput, levels: Levels, each: Each = "1 h", to: To = None,
    pk_model: PkModel = None, threads: Threads = None,
) -> None:  # fmt: skip
    """Find the steps of an infusion that hold the typical person at target levels, for research.

    Example:  ketamech target-infusion racemic "venous.ketamine [ng/mL]" 100

    The rates are those with which the simulated level is nearest to each target from 10 min after its begin on (open
    loop: levels are not measured). The last line is the regimen for ketamech simulate; one of more than 500 characters
    is printed as a scenario file with one step a line, which --to writes.

    More examples:

      ketamech target-infusion esketamine "venous.esketamine [ng/mL]" "50, 100, 150" --each "30 min"
      --to steps.yaml
    """
    from dataclasses import replace

    import numpy as np

    from ketamech.dosing.lexicon import MAX_TEXT_LENGTH
    from ketamech.dosing.parse import parse_time
    from ketamech.fitting.individual_dose import NOTE
    from ketamech.fitting.individual_dose import target_infusion as found_infusion
    from ketamech.fitting.observations import ObserveArgument, observed_output, parse_observe
    from ketamech.simulation.load_scenario import load_scenario
    from ketamech.simulation.scenario_yaml import refuse_target, scenario_yaml

    if to is not None:
        refuse_target(to)
    model, argument = terminal.model(pk_model), ObserveArgument("OUTPUT", has_dvid=False)
    _, output, unit = parse_observe(observe, argument)
    measured = observed_output(output, output, unit, model, argument)
    result = found_infusion(
        model,
        drug,
        measured,
        tuple(listed_numbers(levels, "LEVELS", "100, 200")),
        parse_time(each),
        available_threads(threads),
    )
    terminal.table(result.table.to_dict("records"), title="Steps of the infusion")
    terminal.progress().print(f"Level / target from 10 min on: {result.ratio.min():.3f} to {result.ratio.max():.3f}, "
                              f"median {np.median(result.ratio):.3f}. Doses are {NOTE}.")  # fmt: skip
    scenario = replace(
        load_scenario(result.regimen, model.parameters), title=f"{drug} to {levels} {unit} of {output}, each for {each}"
    )
    text, sentence = scenario_yaml(scenario, model.parameters), result.regimen.sentence()
    if to is not None:
        terminal.write_scenario(to, text)
    typer.echo(sentence if len(sentence) <= MAX_TEXT_LENGTH else text)


def _range(text: str) -> tuple[float, float] | None:
    bounds = listed_numbers(text, "--doses", "0.1, 1") if text else ()
    if text and (len(bounds) != 2 or not 0 < bounds[0] < bounds[1]):
        raise InputError(f"'{text}' is not a range of doses", key="--doses", expected="a lower and a higher dose",
                         type_this='--doses "0.1, 1"')  # fmt: skip
    return (bounds[0], bounds[1]) if bounds else None
