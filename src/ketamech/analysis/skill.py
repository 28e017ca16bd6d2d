"""Skill of predicted trials: scores against two reference forecasts, contrasts, and acceptance criteria.

Scores are on the common scale of `skill_rows`; skill is 1 - mean score / mean score of the reference, with a 95 %
interval by bootstrap over trials. The reference of a contrast is "no difference" with the error of the two published
numbers. A sample is one number of each replicate of the trial, as published.

The criteria (data/scorecard/skill_criteria.csv) were stated before the trials were predicted without their own data.
`floor` is a bound below which a change of the model must not let a measure fall, whether or not the criterion is met.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from ketamech.analysis.reference_forecasts import ReferenceForecast
from ketamech.analysis.skill_rows import ScoredRow
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.statistics import interval

CONTRASTS = DATA / "scorecard" / "contrasts.csv"
RESAMPLES, SEED = 2000, 7  # bootstrap over trials
PIT_BINS = 10
ALL_LEVELS, UNSET_LEVELS = "all levels", "all levels of rows that set no other value"
NO_CLASS = "no class of three other trials"
NULL_COMPARISONS = "published comparisons without significance"
FORECASTERS = {  # column of chances of p < 0.05: its forecaster; the last two know the published result
    "chance": "model",
    "chance_pooled": "meta-analysis of the other trials",
    "chance_base": "share of p < 0.05 in the other trials",
    "chance_both": "other trials and this one",
    "chance_published": "published effect is the truth",
}
PREDICTIONS = ("chance", "chance_pooled", "chance_base")
ALL_COMPARISONS = {  # group: its reference
    "significance of published comparisons": "chance_base",
    "significance of published comparisons of mood": "chance_pooled",
}
RELIABILITY_BINS = (0.0, 1 / 3, 2 / 3, 1.0)
Samples = Mapping[str, np.ndarray]  # {evidence id: statistic of each replicate, as published}


@dataclass(frozen=True)
class PublishedContrast:
    """A difference between two published numbers: the first minus the second."""

    kind: str
    first: str
    second: str
    what: str


def load_published_contrasts(rows: Sequence[ScoredRow]) -> tuple[PublishedContrast, ...]:
    """The contrasts of data/scorecard/contrasts.csv. Raises InputError for rows that are not scored."""
    scored = {row.id: row for row in rows if not row.reason}
    contrasts = []
    for line in read_table(CONTRASTS, ("kind", "first", "second", "what")):
        for column in ("first", "second"):
            line.one_of(column, scored)
        if scored[line["first"]].statistic != scored[line["second"]].statistic:
            raise line.error("second", "another statistic than the first", expected=scored[line["first"]].statistic)
        contrasts.append(PublishedContrast(line["kind"], line["first"], line["second"], line["what"]))
    return tuple(contrasts)


def score_rows(
    rows: Sequence[ScoredRow], samples: Samples, references: Mapping[str, ReferenceForecast], basis: str,
    set_by_hand: Collection[str] = (),
) -> pd.DataFrame:  # fmt: skip
    """One line per scored row with a prediction.

    Columns: basis, id, trial, group, family, class, unit, published, simulated (as published), error (simulated minus
    published; negative is a larger improvement also where a fall is published), low, high (95 %), inside, width_ratio,
    pit, crps, log_score, crps_class, log_class, crps_pooled, log_pooled, sets_value (one of `set_by_hand`: the row sets
    a value that the posterior does not estimate). `basis` says which posterior the samples come from.
    """
    lines = []
    for row in (row for row in rows if not row.reason):
        raw = samples[row.id][np.isfinite(samples[row.id])]
        if len(raw) < 2:
            continue
        reference = references.get(row.id)
        class_mean = reference.class_mean if reference else (np.nan, np.nan)
        pooled = reference.pooled if reference else (np.nan, np.nan)
        line = {"basis": basis, "sets_value": row.id in set_by_hand, **_row(row, raw)}
        line |= normal_scores(row.published, class_mean, "class") | normal_scores(row.published, pooled, "pooled")
        lines.append(line)
    return pd.DataFrame(lines)


def _row(row: ScoredRow, raw: np.ndarray) -> dict[str, object]:
    low, high = interval(raw)
    edges = row.on_interval_scale(np.array([low, high]))
    published = row.target.published
    width = row.published_width()
    unit = "% of patients" if row.is_share else "ratio" if row.is_ratio and row.statistic != "median relapse" else ""
    unit = unit or {"effect size": "SD", "median relapse": "days"}.get(row.statistic, "points")
    return {
        "id": row.id, "trial": row.trial, "group": row.group, "family": row.family, "class": row.name, "unit": unit,
        "published": published, "simulated": float(raw.mean()),
        "error": row.orientation * (float(raw.mean()) - published),
        "low": low, "high": high, "inside": bool(low <= published <= high),
        "width_ratio": float(abs(edges[1] - edges[0]) / width) if width > 0 else np.nan,
        "pit": probability_integral_transform(row.published, row.on_scoring_scale(raw)),
        **sample_scores(row.published, row.on_scoring_scale(raw)),
    }  # fmt: skip


def probability_integral_transform(published: float, sample: np.ndarray) -> float:
    """Rank of the published number among `sample` [draw] and itself, as a fraction in (0, 1); half of ties count."""
    below, same = float(np.sum(sample < published)), float(np.sum(sample == published))
    return (below + 0.5 * same + 0.5) / (len(sample) + 1)


def sample_scores(published: float, sample: np.ndarray) -> dict[str, float]:
    """CRPS of `sample` [draw] (fair estimator) and the log score of a normal distribution with its mean and SD."""
    import scoringrules

    crps = float(scoringrules.crps_ensemble(published, sample, estimator="fair"))
    spread = max(float(sample.std(ddof=1)), 1e-6)
    return {"crps": crps, "log_score": float(-log_density(published, float(sample.mean()), spread))}


def log_density(published: float, mean: float, sd: float) -> float:
    """Log density of a normal distribution."""
    return float(-0.5 * ((published - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)))


def normal_scores(published: float, forecast: tuple[float, float], name: str) -> dict[str, float]:
    """CRPS and log score of a normal forecast; NaN where there is none."""
    import scoringrules

    mean, sd = forecast
    if not (np.isfinite(mean) and sd > 0):
        return {f"crps_{name}": np.nan, f"log_{name}": np.nan}
    crps = float(scoringrules.crps_normal(published, mean, sd))
    return {f"crps_{name}": crps, f"log_{name}": -log_density(published, mean, sd)}


def score_contrasts(
    rows: Sequence[ScoredRow], contrasts: Sequence[PublishedContrast], samples: Samples, basis: str
) -> pd.DataFrame:
    """One line per contrast: basis, kind, what, id, trial, published, simulated, error, low, high, inside, pit, crps,
    crps_none (no difference), same_sign; numbers on the common scale."""
    known, lines = {row.id: row for row in rows}, []
    for contrast in contrasts:
        first, second = known[contrast.first], known[contrast.second]
        sample = first.on_scoring_scale(samples[first.id]) - second.on_scoring_scale(samples[second.id])
        sample = sample[np.isfinite(sample)]
        published = first.published - second.published
        low, high = interval(sample)
        error = float(np.hypot(first.standard_error, second.standard_error))
        trials = " and ".join(dict.fromkeys((first.trial, second.trial)))
        none = normal_scores(published, (0.0, error), "none")
        lines.append({
            "basis": basis, "kind": contrast.kind, "what": contrast.what, "id": f"{first.id} minus {second.id}",
            "trial": trials, "published": published, "published_se": error, "simulated": float(sample.mean()),
            "error": float(sample.mean()) - published, "low": low, "high": high,
            "inside": bool(low <= published <= high), "pit": probability_integral_transform(published, sample),
            **sample_scores(published, sample), **none,
            "same_sign": bool(np.sign(sample.mean()) == np.sign(published)),
        })  # fmt: skip
    return pd.DataFrame(lines)


def skill(table: pd.DataFrame, score: str, reference: str) -> tuple[float, float, float, int]:
    """Skill of a score against a reference with its 95 % interval over trials, and the number of rows that have both.

    The interval is NaN for fewer than three trials.
    """
    scored = table[np.isfinite(table[score]) & np.isfinite(table[reference])]
    if not len(scored):
        return float("nan"), float("nan"), float("nan"), 0
    sums = scored.groupby("trial")[[score, reference]].sum().to_numpy()
    value = float(1 - sums[:, 0].sum() / sums[:, 1].sum())
    if len(sums) < 3:
        return value, float("nan"), float("nan"), len(scored)
    random = np.random.default_rng(SEED)
    drawn = sums[random.integers(len(sums), size=(RESAMPLES, len(sums)))].sum(axis=1)
    return value, *interval(1 - drawn[:, 0] / drawn[:, 1]), len(scored)


def uniformity_p(rows: Sequence[ScoredRow], table: pd.DataFrame, samples: Samples) -> float:
    """p of the Kolmogorov-Smirnov distance of the PIT values from uniformity.

    Rows of one trial are correlated, so the null distribution is that of the replicates: each in turn is taken as the
    published trials and compared with the others.
    """
    from scipy.stats import kstest

    shown = set(table["id"])
    chosen = [row.on_scoring_scale(samples[row.id]) for row in rows if row.id in shown]
    count = min((len(sample) for sample in chosen), default=0)
    if count < 10 or len(chosen) < 3:
        return float("nan")

    def distance(values: Sequence[float]) -> float:
        return float(kstest([v for v in values if np.isfinite(v)], "uniform").statistic)

    null = []
    for r in range(count):
        pits = []
        for sample in chosen:
            others = np.delete(sample, r)
            others = others[np.isfinite(others)]
            if np.isfinite(sample[r]) and len(others):
                pits.append(probability_integral_transform(float(sample[r]), others))
        null.append(distance(pits))
    observed = distance(table["pit"].tolist())
    return float((1 + sum(d >= observed for d in null)) / (1 + count))


def summary_rows(
    rows: Sequence[ScoredRow], table: pd.DataFrame, contrasts: pd.DataFrame, samples: Samples
) -> list[dict[str, object]]:
    """One line per group of rows and per kind of contrast of one basis.

    Columns: basis, kind (overall, family, class, difference, contrast), group, rows, trials, coverage (share inside
    95 %), width_ratio (median), error (mean, in `unit`; NaN where units differ), against, crps, skill with skill_low
    and skill_high, log_skill, log_gain (nats per row), pit_p, accuracy (share of contrasts with the published sign).
    """
    basis = str(table["basis"].iloc[0])
    levels, differences = table[table["group"] == "level"], table[table["group"] == "difference"]
    pooled = differences[np.isfinite(differences["crps_pooled"])]
    parts = [
        ("overall", ALL_LEVELS, levels, "class"),
        ("overall", UNSET_LEVELS, levels[~levels["sets_value"]], "class"),
    ]
    parts += [("family", f"levels of {name}", part, "class") for name, part in levels.groupby("family", sort=False)]
    parts += [("class", str(name), part, "class") for name, part in levels.groupby("class", sort=False)]
    parts += [("difference", "differences from control", differences, "class")]
    parts += [("difference", "differences from control in points", pooled, "pooled")]
    lines: list[dict[str, object]] = []
    for kind, name, part, against in parts:
        if len(part):
            lines.append({"basis": basis, "kind": kind, "group": name, **_measures(rows, part, samples, against)})
    for contrast, part in contrasts.groupby("kind", sort=False):
        value, low, high, _ = skill(part, "crps", "crps_none")
        lines.append({
            "basis": basis, "kind": "contrast", "group": str(contrast), "rows": len(part),
            "trials": part["trial"].nunique(),
            "coverage": float(part["inside"].mean()), "error": float(part["error"].mean()), "unit": "common scale",
            "against": "no difference", "crps": float(part["crps"].mean()), "skill": value, "skill_low": low,
            "skill_high": high, "accuracy": float(part["same_sign"].mean()),
        })  # fmt: skip
    return lines


def significance_rows(chances: pd.DataFrame) -> list[dict[str, object]]:
    """Summary lines of the chances of p < 0.05 (table as in the scorecard of trials) whose source can be opened.

    Of the comparisons without significance `chance` is the largest; of all comparisons `crps` is the Brier score, to
    which the CRPS of a yes-or-no outcome is equal.
    """
    scored = with_brier_scores(chances)
    null = scored[~scored["significant"].astype(bool)]
    counts = {"rows": len(null), "trials": null["trial"].nunique()}
    lines = [{"group": NULL_COMPARISONS, **counts, "chance": float(null["chance"].max())}]
    for group, reference in ALL_COMPARISONS.items():
        part = scored[np.isfinite(scored[reference])]
        value, low, high, rows = skill(part, "brier_chance", f"brier_{reference}")
        lines.append({
            "group": group, "rows": rows, "trials": part["trial"].nunique(), "against": FORECASTERS[reference],
            "crps": float(part["brier_chance"].mean()), "skill": value, "skill_low": low, "skill_high": high,
        })  # fmt: skip
    return [{"kind": "significance", **line} for line in lines]


def with_brier_scores(chances: pd.DataFrame) -> pd.DataFrame:
    """The comparisons whose source can be opened, with `brier_` and the column of each forecaster.

    That of the model is the fair score: it does not depend on the number of replicates.
    """
    known = chances[chances["source"] != "recalled"]
    happened = known["significant"].astype(float)
    scores = {f"brier_{name}": (known[name] - happened) ** 2 for name in FORECASTERS}
    scores["brier_chance"] -= known["chance"] * (1 - known["chance"]) / (known["replicates"] - 1)
    return known.assign(**scores)


def forecaster_scores(chances: pd.DataFrame) -> pd.DataFrame:
    """One line per forecaster of p < 0.05, over the comparisons for which it has a chance.

    Columns: forecaster, rows, trials, brier, brier_model (the model on these rows), skill of the model against it with
    skill_low and skill_high, expected and observed numbers of p < 0.05, null (comparisons without significance), met
    (those with at most the chance of the criterion), largest (chance of these), possible (`chance_of_meeting`).
    """
    scored, limit, lines = with_brier_scores(chances), null_limit(), []
    for name, forecaster in FORECASTERS.items():
        part = scored[np.isfinite(scored[name])]
        null = part.loc[~part["significant"].astype(bool), name]
        no_skill = float("nan"), float("nan"), float("nan"), len(part)  # of the model against itself
        value, low, high, _ = no_skill if name == "chance" else skill(part, "brier_chance", f"brier_{name}")
        lines.append({
            "forecaster": forecaster, "rows": len(part), "trials": part["trial"].nunique(),
            "brier": float(part[f"brier_{name}"].mean()), "brier_model": float(part["brier_chance"].mean()),
            "skill": value, "skill_low": low, "skill_high": high, "expected": float(part[name].sum()),
            "observed": int(part["significant"].sum()), "null": len(null), "met": int((null <= limit).sum()),
            "largest": float(null.max()), "possible": chance_of_meeting(part, name, limit),
        })  # fmt: skip
    return pd.DataFrame(lines)


def chance_of_meeting(comparisons: pd.DataFrame, name: str, limit: float) -> float:
    """Largest probability that the criterion is met if the chances in column `name` are right.

    It is met if each comparison with a chance above the limit becomes significant. Trials are independent; of the
    comparisons of one trial the smallest chance counts, as if the others then became significant too.
    """
    above = comparisons[comparisons[name] > limit]
    return float(np.prod(above.groupby("trial")[name].min().to_numpy()))


def reliability(chances: pd.DataFrame) -> pd.DataFrame:
    """Stated chance of p < 0.05 against what happened, in thirds, of the forecasters that do not know the result.

    Columns: forecaster, low, high, rows, trials, stated (mean chance), observed (number of p < 0.05).
    """
    known, lines = with_brier_scores(chances), []
    for name in PREDICTIONS:
        for low, high in pairwise(RELIABILITY_BINS):
            part = known[(known[name] <= high) & ((known[name] > low) | (low == 0))]
            if len(part):
                lines.append({
                    "forecaster": FORECASTERS[name], "low": low, "high": high, "rows": len(part),
                    "trials": part["trial"].nunique(), "stated": float(part[name].mean()),
                    "observed": int(part["significant"].sum()),
                })  # fmt: skip
    return pd.DataFrame(lines)


def _measures(rows: Sequence[ScoredRow], part: pd.DataFrame, samples: Samples, against: str) -> dict[str, object]:
    value, low, high, compared = skill(part, "crps", f"crps_{against}")
    log_skill, _, _, _ = skill(part, "log_score", f"log_{against}")
    both = part[np.isfinite(part[f"log_{against}"])]
    units = part["unit"].unique()
    same = len(units) == 1
    error = part["error"] if same else part["crps"] * np.nan
    words = {"class": "class mean", "pooled": "meta-analysis"}[against]
    words += f" ({compared} rows)" if compared < len(part) else ""
    return {
        "rows": len(part), "trials": part["trial"].nunique(), "coverage": float(part["inside"].mean()),
        "width_ratio": float(part["width_ratio"].median()), "error": float(error.mean()),
        "unit": units[0] if same else "", "against": words if np.isfinite(value) else NO_CLASS,
        "crps": float(part["crps"].mean()), "skill": value, "skill_low": low, "skill_high": high,
        "log_skill": log_skill, "log_gain": float((both[f"log_{against}"] - both["log_score"]).mean()),
        "pit_p": uniformity_p(rows, part, samples),
    }  # fmt: skip


PATH = DATA / "scorecard" / "skill_criteria.csv"
COLUMNS = ("question", "group", "measure", "low", "high", "floor", "stated", "why")
MEASURES = ("skill", "skill_low", "coverage", "width_ratio", "pit_p", "error", "accuracy", "log_skill", "chance")


@dataclass(frozen=True)
class SkillCriterion:
    """A bound on one measure of one group of rows; NaN where there is none."""

    question: str
    group: str
    measure: str
    low: float
    high: float
    floor: float
    stated: str
    why: str


def load_skill_criteria() -> tuple[SkillCriterion, ...]:
    """Every criterion. Raises InputError for an unknown measure or one without a bound."""
    criteria = []
    for row in read_table(PATH, COLUMNS):
        low, high, floor = (row.number_or(name, np.nan) for name in ("low", "high", "floor"))
        if np.isnan(low) and np.isnan(high):
            raise row.error("low", "a criterion without a bound", expected="a number in low or high")
        question = row.required("question", "a question")
        measure = row.one_of("measure", MEASURES)
        criteria.append(SkillCriterion(question, row["group"], measure, low, high, floor, row["stated"], row["why"]))
    return tuple(criteria)


def null_limit() -> float:
    """The criterion for published comparisons without significance: the largest chance of p < 0.05."""
    return next(criterion.high for criterion in load_skill_criteria() if criterion.group == NULL_COMPARISONS)


def verdicts(skill: pd.DataFrame) -> pd.DataFrame:
    """question, group, measure, value, low, high, met, floor, above_floor (True without a floor), why; misses first.

    A measure without a value is not met.
    """
    known = skill[skill["basis"] == "left out"].set_index("group")
    lines = []
    for criterion in load_skill_criteria():
        value = float(known.loc[criterion.group, criterion.measure]) if criterion.group in known.index else float("nan")  # type: ignore[arg-type]
        met = np.isfinite(value) and not value < criterion.low and not value > criterion.high
        lines.append({
            "question": criterion.question, "group": criterion.group, "measure": criterion.measure, "value": value,
            "low": criterion.low, "high": criterion.high, "met": bool(met), "floor": criterion.floor,
            "above_floor": bool(np.isnan(criterion.floor) or value >= criterion.floor),
            "stated": criterion.stated, "why": criterion.why,
        })  # fmt: skip
    return pd.DataFrame(lines).sort_values("met", kind="stable").reset_index(drop=True)
