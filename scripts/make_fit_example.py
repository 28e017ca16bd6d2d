"""Writes the example of `ketamech fit`: measurements of 24 virtual people whose parameters are known.

`python scripts/make_fit_example.py` writes examples/fit/ketamine_levels.csv, and the true values to
examples/fit/ketamine_levels_truth.csv. Run again, it gives the same files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ketamech.simulation.model import load_model

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "laws" / "fitting"))
from simulated_tables import Truth, simulated_table  # noqa: E402

FOLDER = ROOT / "examples" / "fit"
TRUTH = Truth(
    parameters=("pharmacokinetics.intrinsic_clearance_s", "pharmacokinetics.shallow_volume",
                "pharmacokinetics.arteriovenous_fast_share"),
    medians=(1.25, 0.8, 1.0),
    sds=(0.3, 0.4, 0.45),
    error="proportional 0.12",
)  # fmt: skip
TIMES = (0.25, 0.7, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0)


def main() -> None:
    """Write both files."""
    model = load_model()
    weights = np.round(np.random.default_rng(2024).normal(75, 12, 24), 0)
    table, truth = simulated_table(
        model, TRUTH, doses=[f"{i + 1},0,{0.5 * w:g},IV,0.6667,{w:g}" for i, w in enumerate(weights)],
        times=TIMES, output="venous.ketamine", unit="ng/mL", limit=6.0, seed=2024,
    )  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "ketamine_levels.csv").write_text(table, encoding="utf-8")
    (FOLDER / "ketamine_levels_truth.csv").write_text(truth, encoding="utf-8")


if __name__ == "__main__":
    main()
