"""`ketamech export figures`: every published curve of the scorecard as an archive for other programs."""

from __future__ import annotations

from pathlib import Path

LISTED = "figures.csv"


def export_figures(to: Path) -> None:
    """One archive a figure into the folder `to`, with a list; what could not be made is said, with the reason."""
    from ketamech.analysis.reference_protocols import load_protocols
    from ketamech.analysis.scorecard_targets import load_targets
    from ketamech.cli import terminal
    from ketamech.core import InputError
    from ketamech.evidence import load_evidence
    from ketamech.exchange.omex import libcombine, write_archive
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.published_figure_omex import figure_packages
    from ketamech.exchange.published_figures import list_csv, published_figures
    from ketamech.report.run_folder import check_folder

    if to.suffix:
        raise InputError(f"cannot write '{to}'", expected="a folder for the archives", type_this="--to runs/figures")
    check_folder(to)
    libcombine()
    evidence, protocols, model = load_evidence(), load_protocols(), terminal.model()
    found = published_figures(load_targets(evidence, protocols), evidence, protocols)
    console = terminal.progress()
    with atomic_folder(to) as draft, console.status("Writing archives ...") as status:
        made = [figure for figure in found if not figure.obstacle]
        for figure, package in figure_packages(made, evidence, model):
            status.update(figure.title)
            write_archive(draft / f"{figure.name}.omex", package)
        (draft / LISTED).write_text(list_csv(made, evidence), encoding="utf-8")
    lines = [{"archive": f"{one.name}.omex", "points": len(one.targets), "hours": _span(one.hours)} for one in made]
    terminal.table(lines, title="Published figures", right=("points",))
    console.print(
        f"Written: {len(made)} archives and {LISTED} in {terminal.escape_markup(to)}. {terminal.DISCLAIMER}",
        soft_wrap=True,
    )
    for figure in found:
        if figure.obstacle:
            console.print(f"- Not made: {terminal.escape_markup(figure.title)}: {figure.obstacle}")
    left = len({evidence[one.evidence].reference for one in load_targets(evidence, protocols)})
    left -= len({figure.reference for figure in found})
    console.print(f"- {left} papers give fewer than three moments of any output, or peaks, areas and directions only.")


def _span(hours: tuple[float, ...]) -> str:
    return f"{hours[0]:g} to {hours[-1]:g}"
