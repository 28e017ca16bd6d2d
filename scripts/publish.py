"""Copies results of long runs into the tables, pages and pictures of this source checkout; review before a commit.

ketamech calibrate --out runs/calibration
python -m scripts.publish calibration runs/calibration
python -m scripts.publish parameters runs/calibration "mood, expectancy"

ketamech trial all --weight-to-published --out runs/weighted
python -m scripts.publish arms runs/weighted

python -m scripts.publish references    # only after scored rows were added or changed
ketamech scorecard --out runs/scorecard
python -m scripts.publish scorecard runs/scorecard

python -m scripts.publish network
python -m scripts.publish claims

ketamech compare-simulators --amici --tellurium --out runs/certificate
python -m scripts.publish certificate runs/certificate
ketamech export figures --to runs/figures
ketamech compare-simulators --scenarios runs/figures --tellurium --out runs/figure-archives
python -m scripts.publish figures runs/figure-archives

python -m benchmarks conformance sbml-suite FOLDER --out runs/conformance/sbml-suite    # and the other collections
python -m scripts.publish conformance runs/conformance
"""

from __future__ import annotations

import csv
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import typer

from ketamech.analysis.claims import evaluate_claims
from ketamech.analysis.network import predict_network
from ketamech.analysis.reference_forecasts import COLUMNS, PATH, reference_forecasts
from ketamech.analysis.skill_rows import scored_rows
from ketamech.calibration.clinical_targets import DIRECTORY, load_clinical_targets
from ketamech.core import InputError, require_known
from ketamech.core.atomic_files import atomic_write
from ketamech.core.csv_table import parts, read_records
from ketamech.core.environment import DATA, available_threads
from ketamech.exchange.result_metadata import csv_with_metadata, read_csv_metadata
from ketamech.parameters import load_parameters
from ketamech.parameters.load_parameters import DIRECTORY as PARAMETERS
from ketamech.report.analysis_figures import draw_areas
from ketamech.report.calibration_report import ARMS, PUBLISHED
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import folder_of_equations, load_model
from scripts import pages
from scripts.conformance_page import conformance_page, counts_table, read_runs
from scripts.scorecard_page import scorecard_page, skill_table, verdict_table

DOCS = Path(__file__).parents[1] / "docs"
SKILL = DATA / "scorecard" / "skill.csv"
SKILL_BLOCK, VERDICT_BLOCK, AGREEMENT_BLOCK = "skill table", "verdicts", "agreement"
SUITES_BLOCK = "public test suites"
PICTURES = ("forest.png", "predictive_checks.png", "skill.png", "dose_and_time.png")
IDENTIFYING_METADATA = ("date", "equations", "parameters", "evidence", "replicates")

app = typer.Typer(help=(__doc__ or "").partition("\n")[0])


@app.command()
def calibration(results: Path, variant: str = "") -> None:
    """Copy the posterior and its diagnostics to data/calibration, or to the folder of a model variant."""
    folder = folder_of_equations(variant) if variant else DIRECTORY
    for name in PUBLISHED:
        if (results / name).exists():
            shutil.copy(results / name, folder / name)


@app.command()
def parameters(results: Path, stages: str) -> None:
    """Write the posterior medians of some stages into the rows of the parameter tables."""
    rows = {row["name"]: dict(row.cells) for row in read_records(results / "parameter_rows.csv")}
    replace_rows(PARAMETERS, of_stages(rows, stages))


@app.command()
def arms(results: Path) -> None:
    """Write the first replicate of the weighted arms of all trials to data/calibration."""
    paths = sorted(results.glob(f"*/{ARMS}"))
    if not paths:
        raise InputError("no weighted arms", file=results, expected="the folder of ketamech trial all")
    metadata = read_csv_metadata(paths[0])
    table = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    first = table[table["replicate"] == 0].drop(columns="replicate")
    texts = ["reason", "evidence"]
    first = first[[*first.columns.difference(texts, sort=False), *texts]]
    facts = {"command_line": metadata["ketamech command_line"], "posterior": metadata["posterior"]}
    (DIRECTORY / ARMS).write_text(csv_with_metadata(first, facts, digits="%.4g"), encoding="utf-8")


@app.command()
def references() -> None:
    """Write the reference forecasts of the scored rows with the date of today."""
    rows = []
    for forecast in reference_forecasts(scored_rows(load_clinical_targets())):
        numbers = ["" if np.isnan(x) else f"{x:.5g}" for x in (*forecast.class_mean, *forecast.pooled)]
        rows.append([forecast.id, forecast.class_name, forecast.wider_class, forecast.trials, *numbers, forecast.date])
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    atomic_write(PATH, text.getvalue().encode())


@app.command()
def scorecard(results: Path, variant: str = "") -> None:
    """Write the page, the skill table, the blocks of the pages that show it, and the pictures.

    Of a model variant only its skill table, which the page of the full model shows at its next publication.
    """
    metadata = read_csv_metadata(results / "skill.csv")
    facts = {name: value for name, value in metadata.items() if name.split()[-1] in IDENTIFYING_METADATA}
    text = csv_with_metadata(pd.read_csv(results / "skill.csv"), facts, digits="%.4g")
    if variant:
        (folder_of_equations(variant) / SKILL.name).write_text(text, encoding="utf-8")
        return
    SKILL.write_text(text, encoding="utf-8")
    skill = load_skill()  # with the digits of the file
    atomic_write(DOCS / "trials-scorecard.md", scorecard_page(results, skill).encode())
    write_block(DOCS / "limits.md", SKILL_BLOCK, skill_table(skill))
    write_block(DOCS / "limits.md", AGREEMENT_BLOCK, pages.agreement(results))
    write_block(DOCS / "credibility.md", VERDICT_BLOCK, verdict_table(skill))
    for name in PICTURES:
        shutil.copy(results / name, DOCS / "pictures" / name)


@app.command()
def network(scenario: str = "racemic 0.5 mg/kg IV over 40 min", draws: int = 200) -> None:
    """Write the dated page of predicted brain areas and networks, and its picture."""
    loaded = load_scenario(scenario)
    prediction = predict_network(load_model(), loaded, draws=draws, threads=available_threads())
    predictions, pictures = DOCS / "predictions", DOCS / "pictures"
    for folder in (predictions, pictures):
        folder.mkdir(parents=True, exist_ok=True)
    atomic_write(predictions / "network.md", pages.areas_page(prediction, loaded.title).encode())
    for path in draw_areas(pictures, prediction, loaded.title):
        if path.suffix == ".svg":
            path.unlink()


@app.command()
def claims() -> None:
    """Simulate the experiments of all claims and write their page."""
    atomic_write(DOCS / "claims.md", pages.claims_page(evaluate_claims(load_model())).encode())


@app.command()
def certificate(results: Path) -> None:
    """Write the comparison with other simulators."""
    atomic_write(DOCS / "certificate.md", pages.certificate(results).encode())


@app.command()
def figures(results: Path) -> None:
    """Write the comparison of the archives of published figures with other programs."""
    atomic_write(DOCS / "figure-archives.md", pages.figure_archives(results).encode())


@app.command()
def conformance(results: Path) -> None:
    """Write the counts of the public test suites, and the page of the cases that did not pass."""
    runs = read_runs(results)
    write_block(DOCS / "exchange.md", SUITES_BLOCK, counts_table(runs))
    atomic_write(DOCS / "conformance.md", conformance_page(runs).encode())


def load_skill() -> pd.DataFrame:
    """The committed result table of `ketamech scorecard`."""
    return pd.read_csv(SKILL, comment="#")


def of_stages(rows: dict[str, dict[str, str]], stages: str) -> dict[str, dict[str, str]]:
    """The rows of the stages named in a text ("people, mood"). Raises UnknownNameError for a stage without rows."""
    known = {name.split(".")[0] for name in rows}
    chosen = parts(stages, ",")
    for stage in chosen:
        message = f"the posterior is not narrower than the prior for any row of '{stage}'"
        require_known(stage, known, message, expected=", ".join(sorted(known)))
    return {name: row for name, row in rows.items() if name.split(".")[0] in chosen}


def replace_rows(folder: Path, rows: dict[str, dict[str, str]]) -> None:
    """Replace the lines of these parameters in the tables of a folder, and no others."""
    table = load_parameters(folder)
    for name, row in rows.items():
        file, line = folder / Path(table[name].file).name, table[name].line
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        text = StringIO()
        columns = lines[0].strip().split(",")
        csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n").writerow(row)
        lines[line - 1] = text.getvalue()
        file.write_text("".join(lines), encoding="utf-8")


def write_block(path: Path, name: str, text: str) -> None:
    """Replace the block `name` of a Markdown page. Raises InputError if the page has no such block."""
    begin, end = f"<!-- {name}: written by scripts/publish.py; do not edit -->", f"<!-- end of {name} -->"
    page = path.read_text(encoding="utf-8")
    if begin not in page or end not in page:
        raise InputError(f"the page has no block '{name}'", file=path, expected=f"{begin} ... {end}")
    head, tail = page.split(begin, 1)
    atomic_write(path, f"{head}{begin}\n{text}\n{end}{tail.split(end, 1)[1]}".encode())


if __name__ == "__main__":
    app()
