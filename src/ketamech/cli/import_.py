"""`ketamech import`: doses and models of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(help="A NONMEM-style table of doses (.csv, .tsv, .dat)")]
To = Annotated[Path | None, typer.Option("--to", "-t", help="Write one person's doses as a scenario file (.yaml)")]
Drug = Annotated[str | None, typer.Option("--drug", help="What is given where the table has no column DRUG")]
Id = Annotated[
    str | None, typer.Option("--id", help="Which person goes into the scenario file [default: the only one]")
]


def import_(file: File, to: To = None, drug: Drug = None, id_: Id = None) -> None:
    """Read a table of doses and say what it means here; write it as a scenario file.

    Columns ID TIME AMT RATE DUR CMT EVID II ADDL SS MDV DV (any case, . where missing), LAG, F, R and D, and the words
    DRUG, ROUTE, UNIT, SALT. Times in hours. What cannot be given is refused with its line.

    Examples:

      ketamech import doses.csv --drug esketamine

      ketamech import doses.csv --id 3 --to scenario.yaml
    """
    from ketamech.cli import sources
    from ketamech.core import BadInput

    if not sources.is_table(str(file)):
        kinds = ", ".join(sources.TABLES)
        raise BadInput(f"cannot read '{file}'", expected=f"a table of doses ({kinds})", type_this="doses.csv")
    _doses(file, to, drug, id_)


def _doses(file: Path, to: Path | None, drug: str | None, subject: str | None) -> None:
    from ketamech.cli import sources, terminal
    from ketamech.exchange.dose_scenarios import scenario_of
    from ketamech.exchange.scenario_writing import refuse_target
    from ketamech.parameters import load_parameters

    if to is not None:
        refuse_target(to)
    parameters = load_parameters()
    table = sources.doses(str(file), parameters, drug)
    rows: list[dict[str, object]] = []
    for one in table.subjects:
        for stay in one.occasions:
            meant = stay.regimen.sentence() or "nothing is given"
            rows.append({"ID": one.name, "from (h)": stay.begin, "looked at": len(stay.observations), "doses": meant})
    text = None
    if to is not None:
        text = scenario_of(table, sources.one_of(table, subject), parameters).source
    terminal.table(rows, title=str(file))
    console = terminal.progress()
    for note in table.notes:
        console.print(f"Assumed: {terminal.written(note)}.")
    if to is not None and text is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8")
        console.print(f"Written: {terminal.written(to)}. Next: ketamech simulate {terminal.written(to)}")
