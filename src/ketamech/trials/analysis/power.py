"""Success of a trial: the criterion, power by simulation, and differences and chances of error as sentences.

Smaller trials are subsamples of large ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError
from ketamech.core.statistics import interval
from ketamech.trials.analysis.analyse import TrialAnalysis
from ketamech.trials.analysis.crossover import compare_arms, is_crossover, sequence_names
from ketamech.trials.analysis.treatment_effects import arms_of, difference_interval, share_interval, visit_index
from ketamech.trials.design import Trial

ALPHA = 0.05
MAX_ALPHA = 0.5
TRIALS_PER_REPLICATE = 4


@dataclass(frozen=True)
class SuccessCriterion:
    """When the comparison of an arm with the reference arm succeeds.

    Without a `margin`: p < `alpha`, two-sided, and the arm is better than the reference. With one (points of the scale,
    above 0): the arm is not inferior, which means that the limit of the two-sided (1 - `alpha`) interval of the
    difference on the worse side is nearer than the margin. `better` is the better direction of the scale: lower, higher
    or none (any difference succeeds). Raises InputError for an alpha or a margin that is not possible.
    """

    alpha: float = ALPHA
    margin: float | None = None
    better: str = "lower"

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= MAX_ALPHA:
            expected = f"a fraction above 0, up to {MAX_ALPHA}"
            raise InputError(f"alpha of {self.alpha:g}", key="alpha", expected=expected, type_this="0.05")
        if self.margin is not None and not 0 < self.margin < float("inf"):
            what = f"a non-inferiority margin of {self.margin:g}"
            raise InputError(what, key="margin", expected="points of the scale, above 0", type_this="2.5")
        if self.margin is not None and self.better == "none":
            what = "non-inferiority on a scale without a better direction"
            raise InputError(what, key="margin", expected="a primary scale such as MADRS, CADSS or SBP")

    def worse_by(self, difference: np.ndarray | pd.Series) -> np.ndarray:
        """Differences [row] from the reference (points), positive where the arm is worse."""
        return np.asarray(difference, dtype=float) * {"lower": 1, "higher": -1, "none": float("nan")}[self.better]

    def is_met(self, table: pd.DataFrame) -> np.ndarray:
        """Whether a row of an `ancova` table meets the criterion [row]; one without an estimate does not."""
        if self.margin is None:
            significant = np.asarray(table["p"] < self.alpha)
            return significant if self.better == "none" else significant & (self.worse_by(table["difference"]) < 0)
        from scipy.stats import t

        distance = (self.margin - self.worse_by(table["difference"])) / table["se"].to_numpy(float)
        return np.asarray(t.sf(distance, table["df"].to_numpy(float)) < self.alpha / 2)

    @property
    def text(self) -> str:
        """The criterion in words, e.g. p < 0.05."""
        if self.margin is None:
            return f"p < {self.alpha:g}" if self.better == "none" else f"better with p < {self.alpha:g}"
        return f"not inferior by {self.margin:g} points, two-sided alpha {self.alpha:g}"


SUPERIORITY = SuccessCriterion()


def success_criterion(trial: Trial, alpha: float = ALPHA, margin: float | None = None) -> SuccessCriterion:
    """The criterion on the primary scale of a trial. Raises InputError."""
    return SuccessCriterion(alpha, margin, trial.scales[trial.primary[0]].better)


def power(
    dataset: xr.Dataset, scale: str, visit: str, reference: str, sizes: Sequence[int | Mapping[str, int]], *,
    trials_per_replicate: int = TRIALS_PER_REPLICATE, criterion: SuccessCriterion = SUPERIORITY,
) -> pd.DataFrame:  # fmt: skip
    """Share of trials of each of `sizes` that succeed (default: p < 0.05, two-sided, by `compare_arms`).

    A size is the number of patients in every arm, or {arm: number}; in a crossover all patients are in every arm.
    Columns: arm, patients_per_arm, power, low, high (Wilson over trials), trials; `attrs` holds the criterion in words.
    Raises InputError for more patients than were simulated.
    """
    successes = trial_successes(
        dataset, scale, visit, reference, sizes, trials_per_replicate=trials_per_replicate, criterion=criterion
    )
    return power_of(successes)


def power_of(trials: pd.DataFrame) -> pd.DataFrame:
    """The table of `power` from that of `trial_successes`."""
    lines = []
    for (_, name), part in trials.groupby(["size", "arm"], sort=False):
        hits, count = int(part["met"].sum()), len(part)
        low, high = share_interval(np.array([hits]), np.array([count]))
        line = {"arm": name, "patients_per_arm": int(part["patients_per_arm"].iloc[0]), "power": hits / count}
        lines.append({**line, "low": low, "high": high, "trials": count})
    table = pd.DataFrame(lines)
    table.attrs = dict(trials.attrs)
    return table


def trial_successes(
    dataset: xr.Dataset, scale: str, visit: str, reference: str, sizes: Sequence[int | Mapping[str, int]], *,
    trials_per_replicate: int = TRIALS_PER_REPLICATE, criterion: SuccessCriterion = SUPERIORITY,
) -> pd.DataFrame:  # fmt: skip
    """Success of every smaller trial.

    Columns: size (index in `sizes`), replicate, subsample, arm, patients_per_arm, met.

    Each replicate gives up to `trials_per_replicate` smaller trials of its own patients, with no patient in two of
    them. `attrs` holds the criterion in words. Raises InputError for more patients than were simulated.
    """
    simulated = smallest_arms(dataset, visit)
    names = list(simulated)
    if len(names) < 2:
        raise InputError("power of a single arm", key="--power", expected="a trial of two arms or more")
    parts = []
    for i, size in enumerate(sizes):
        numbers = size if isinstance(size, Mapping) else dict.fromkeys(names, size)
        _check_sizes(numbers, simulated, equal=not isinstance(size, Mapping))
        separate = min(simulated[name] // numbers[name] for name in names)
        for subsample in range(min(trials_per_replicate, separate)):
            sample = _subsample(dataset, numbers, subsample, scale, visit, reference)
            sizes_of_arms, met = sample["arm"].map(numbers), criterion.is_met(sample)
            table = sample[["replicate", "arm"]].assign(size=i, subsample=subsample)
            parts.append(table.assign(patients_per_arm=sizes_of_arms, met=met))
    table = pd.concat(parts, ignore_index=True)
    table.attrs["criterion"] = criterion.text
    return table


def smallest_arms(dataset: xr.Dataset, visit: str) -> dict[str, int]:
    """The number of patients of each arm at a visit in the replicate in which that arm is smallest.

    In a crossover every patient is in each arm.
    """
    if is_crossover(dataset):
        return dict.fromkeys(arms_of(dataset), dataset.sizes["patient"])
    arm = dataset["arm"].values[:, :, visit_index(dataset, visit)]
    return {name: int((arm == name).sum(axis=1).min()) for name in arms_of(dataset)}


def check_comparison(trial: Trial, wanted: str = "power") -> None:
    """Raise InputError for a trial of a single arm."""
    if len(trial.arms) < 2:
        raise InputError(f"the {wanted} of a single arm", key="arms", expected="two or more arms")


def check_power_sizes(trial: Trial, sizes: Sequence[int]) -> None:
    """Raise InputError for numbers of patients in each arm that subsamples of the trial cannot have."""
    planned = {arm.name: trial.patients if trial.washout else arm.n for arm in trial.arms}
    for size in sizes:
        _check_sizes(dict.fromkeys(planned, size), planned, equal=True)


def _check_sizes(numbers: Mapping[str, int], simulated: Mapping[str, int], *, equal: bool) -> None:
    """Raise InputError for an arm with fewer than 2 patients or more than were simulated."""
    limits = dict.fromkeys(simulated, min(simulated.values())) if equal else simulated
    for name, most in limits.items():
        if not 2 <= numbers[name] <= most:
            what = f"{numbers[name]} patients in each arm" if equal else f"{numbers[name]} patients in arm '{name}'"
            limit = f"2 to {most}, the number in the smallest arm; or " if most > 1 else "2 or more in each arm and "
            raise InputError(what, key="--power", expected=f"{limit}more --patients")


def _subsample(
    dataset: xr.Dataset, numbers: Mapping[str, int], number: int, scale: str, visit: str, reference: str
) -> pd.DataFrame:
    """The comparison in trials of the patients number * n to number * n + n of each arm; n = numbers[arm].

    In a crossover those of all patients, in an order in which the sequences alternate.
    """
    if is_crossover(dataset):
        n = max(numbers.values())
        chosen = [_alternating(row)[number * n : (number + 1) * n] for row in sequence_names(dataset)]
    else:
        chosen = [
            np.concatenate([np.flatnonzero(row == name)[number * n : (number + 1) * n] for name, n in numbers.items()])
            for row in dataset["arm"].values[:, :, visit_index(dataset, visit)]
        ]
    places = xr.DataArray(np.array(chosen), dims=("replicate", "patient"))
    needed = dataset[[scale, "arm"]].drop_vars("patient")
    return compare_arms(needed.isel(patient=places), scale, visit, reference)


def _alternating(names: np.ndarray) -> np.ndarray:
    """Indices of patients in an order in which their sequences, `names` [patient], alternate."""
    _, name = np.unique(names, return_inverse=True)
    rank = np.zeros(len(names), dtype=int)
    for k in range(int(name.max()) + 1):
        rank[name == k] = np.arange((name == k).sum())
    return np.lexsort((name, rank))


MIN_PRINTED_P = 1e-4


CARRY_OVER = "Carry-over, {scale} at the baseline of the second period"


def difference_sentences(analysis: TrialAnalysis, trial: Trial, criterion: SuccessCriterion) -> list[str]:
    """One sentence for each arm that is compared with the reference arm, and one on relapse after a withdrawal.

    Of a crossover, the comparison within patients, that of the first period alone, and what is carried over. Of a
    single arm, of which nothing is compared, its change. `trial` has the numbers of patients that were simulated.
    """
    scale, visit = trial.primary
    within = ", within patients" if trial.washout else ""
    any_difference = SuccessCriterion(criterion.alpha, better="none")
    beginnings = (
        (analysis.primary, f"{scale} at {visit}{within}", "on", criterion),
        (analysis.first_period, f"{scale} at {visit}, first period alone", "on", criterion),
        (analysis.carry_over, CARRY_OVER.format(scale=scale), "after", any_difference),
    )
    size = size_text(trial)
    sentences = [
        f"{beginning}: {_sentence(part, arm, analysis.reference, test, preposition, size)}"
        for table, beginning, preposition, test in beginnings
        for arm, part in _compared(table, trial)
    ]
    if is_withdrawal(analysis, trial):
        sentences.append(relapse_sentence(analysis, criterion.alpha))
    return sentences if sentences or len(trial.arms) > 1 else [_single_arm_sentence(analysis, trial)]


def _single_arm_sentence(analysis: TrialAnalysis, trial: Trial) -> str:
    """The change in the only arm at the primary visit, with its 95 % interval; it is no difference between arms."""
    scale, visit = trial.primary
    one_arm = f"{scale} at {visit}: one arm ({trial.arms[0].name}), so that no difference is tested"
    rows = analysis.means[scale]
    rows = rows[rows["visit"] == visit]
    if not len(rows):
        return f"{one_arm}; nobody is rated there."
    change, low, high = (float(rows[name].iloc[0]) for name in ("change", "low", "high"))
    interval = f", 95 % interval {low:.1f} to {high:.1f}" if np.isfinite(low) else ""
    return f"{one_arm}; its mean change is {change:.1f} {trial.scales[scale].unit}{interval}."


def size_text(trial: Trial) -> str:
    """The number of patients of a trial in words: in each arm where the arms are equal, else in all."""
    numbers = {arm.n for arm in trial.arms}
    if len(numbers) > 1 or trial.washout:
        return f"{trial.patients} patients{'' if trial.washout else ' in all'}"
    return f"{numbers.pop()} patients in each arm"


def is_withdrawal(analysis: TrialAnalysis, trial: Trial) -> bool:
    """Whether the two groups whose relapses are compared were drawn by lot at a step of the trial."""
    compared = set(analysis.relapse.compared) if analysis.relapse else set()
    return len(compared) == 2 and any(compared <= set(step.names) for step in trial.steps)


def relapse_sentence(analysis: TrialAnalysis, alpha: float) -> str:
    """The hazard ratio of relapse with its interval, or why there is none; empty where no two groups are compared."""
    if analysis.relapse is None or len(analysis.relapse.compared) < 2:
        return ""
    first, second = analysis.relapse.compared
    ratios = analysis.relapse.hazard_ratios
    known = ratios["hazard_ratio"][np.isfinite(ratios["hazard_ratio"])].to_numpy(float)
    if not len(known):
        reasons = "; ".join(dict.fromkeys(ratios["reason"]))
        return f"Relapse: the hazard on {second} relative to {first} cannot be estimated ({reasons})."
    beginning = f"Relapse: the hazard on {second} is {np.exp(np.log(known).mean()):.2f} times that on {first}"
    if len(ratios) == 1:
        row = ratios.iloc[0]
        level = f"95 % interval {row['low']:.2f} to {row['high']:.2f}"
        return f"{beginning}, {level}, log-rank {_p_text(float(row['p']))}."
    low, high = interval(known)
    return (
        f"{beginning}, geometric mean of {len(known)} trials; 95 % of the trials: {low:.2f} to {high:.2f}; "
        f"log-rank p < {alpha:g} in {int((ratios['p'] < alpha).sum())} of {len(ratios)} trials."
    )


def _compared(table: pd.DataFrame, trial: Trial) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every arm that is compared with the reference, with its comparisons of all trials."""
    for arm in (arm.name for arm in trial.arms):
        comparisons = table[table["arm"] == arm] if len(table) else table
        if len(comparisons):
            yield arm, comparisons


def effect_table(analysis: TrialAnalysis, trial: Trial, criterion: SuccessCriterion) -> pd.DataFrame:
    """One row per arm: arm, difference from the reference, low, high (range of 95 % of the trials), success_share with
    its 95 % interval (success_low, success_high), which is wide where few trials were simulated.
    """
    rows = []
    for arm, comparisons in _compared(analysis.primary, trial):
        mean, low, high = mean_difference(comparisons, criterion.alpha)
        if math.isfinite(mean):
            met = criterion.is_met(comparisons)
            row = {"arm": arm, "difference": mean, "low": low, "high": high, "success_share": float(met.mean())}
            row["success_low"], row["success_high"] = share_interval(np.array([met.sum()]), np.array([len(met)]))
            rows.append(row)
    return pd.DataFrame(rows)


MISSED, FALSE_SUCCESS = "not shown", "false success"


@dataclass(frozen=True)
class ErrorChance:
    """The expected `share` of trials of one size that give the wrong `answer` by the model: MISSED or FALSE_SUCCESS.

    Both are None where it is not known which answer is right. `text` states it in words.
    """

    text: str
    answer: str | None = None
    share: float | None = None


def error_table(analysis: TrialAnalysis, trial: Trial, criterion: SuccessCriterion) -> pd.DataFrame:
    """How often trials of this size give the wrong answer, one row per arm; none for a single replicate.

    Columns: arm, and the fields of ErrorChance.
    """
    compared = [(arm, rows) for arm, rows in _compared(analysis.primary, trial) if len(rows) > 1]
    return pd.DataFrame([{"arm": arm, **asdict(chance_of_error(rows, criterion))} for arm, rows in compared])


def chance_of_error(comparisons: pd.DataFrame, criterion: SuccessCriterion) -> ErrorChance:
    """The expected chance of a wrong answer from the trials of one comparison.

    The mean over trials is taken as the true difference. Within two standard errors of no difference (or of the margin)
    it is not known whether success is the right answer.
    """
    n_trials, n_met = len(comparisons), int(criterion.is_met(comparisons).sum())
    deficits = criterion.worse_by(comparisons["difference"])
    deficits = deficits[np.isfinite(deficits)]
    if criterion.better == "none" or len(deficits) < 2:
        return ErrorChance(f"{n_met} of {n_trials} trials of this size succeed ({criterion.text}).")
    worse, error = float(deficits.mean()), float(deficits.std(ddof=1) / math.sqrt(len(deficits)))
    limit = criterion.margin or 0.0
    true_effect = "better" if criterion.margin is None else f"within {limit:g} points of the reference or better"
    if abs(worse - limit) < 2 * error:
        few = f"{n_trials} trials are too few to tell whether it is {true_effect} in the model"
        return ErrorChance(f"{few}; {n_met} of {n_trials} succeed.")
    if worse < limit:
        share = (n_trials - n_met) / n_trials
        text = f"{n_trials - n_met} of {n_trials} trials of this size do not show it ({criterion.text})"
        missed = "does not show the difference" if criterion.margin is None else "fails to show non-inferiority"
        chance = f"an expected chance of {100 * share:.0f} % that a trial {missed} although the model has it"
        return ErrorChance(f"it is {true_effect} in the model, and {text}: {chance}.", MISSED, share)
    share = n_met / n_trials
    text = f"{n_met} of {n_trials} trials of this size succeed"
    chance = f"an expected chance of {100 * share:.0f} % of a {FALSE_SUCCESS}"
    return ErrorChance(f"it is not {true_effect} in the model, and {text}: {chance}.", FALSE_SUCCESS, share)


def _sentence(
    part: pd.DataFrame, arm: str, reference: str, criterion: SuccessCriterion, preposition: str, size: str
) -> str:
    mean, low, high = mean_difference(part, criterion.alpha)
    if not math.isfinite(mean):
        return f"the difference between {arm} and {reference} cannot be estimated ({part['reason'].iloc[0]})."
    beginning = f"{directed(mean)} {preposition} {arm} than {preposition} {reference}"
    met = criterion.is_met(part)
    if len(part) == 1:
        line = part.iloc[0]
        if not math.isfinite(line["p"]):
            return f"{beginning}; not tested ({line['reason']})."
        margin = f"; {'' if met[0] else 'not shown to be '}{criterion.text}" if criterion.margin is not None else ""
        level = f"{100 * (1 - criterion.alpha):g} % interval"
        return f"{beginning}, {level} {interval_text(low, high)}, {_p_text(float(line['p']))}{margin}."
    estimated = int(part["difference"].notna().sum())
    return (
        f"{beginning}, mean of {estimated} trials with {size}; 95 % of the trials: {interval_text(low, high)}; "
        f"{criterion.text} in {int(met.sum())} of {len(part)} trials{_worse_text(part, criterion)}."
    )


def _worse_text(part: pd.DataFrame, criterion: SuccessCriterion) -> str:
    """In how many trials the arm is significantly worse, where it is worse on average."""
    deficits = criterion.worse_by(part["difference"])
    if criterion.margin is not None or criterion.better == "none" or np.nanmean(deficits) <= 0:
        return ""
    count = int(np.sum((part["p"].to_numpy(float) < criterion.alpha) & (deficits > 0)))
    return f", worse with p < {criterion.alpha:g} in {count}"


def mean_difference(part: pd.DataFrame, alpha: float = ALPHA) -> tuple[float, float, float]:
    """Mean difference of one arm and the range of 95 % of the trials; of a single trial its (1 - `alpha`) interval.

    NaN where no trial gives a difference.
    """
    known = part.loc[np.isfinite(part["difference"]), "difference"]
    if known.empty:
        return math.nan, math.nan, math.nan
    if len(part) == 1:
        return float(known.iloc[0]), *difference_interval(part.iloc[0], alpha)
    return float(known.mean()), *interval(known)


def directed(difference: float) -> str:
    """A difference in points with its direction: 4.1 points lower."""
    return f"{abs(difference):.1f} points {'lower' if difference < 0 else 'higher'}"


def interval_text(low: float, high: float) -> str:
    """The limits of an interval with their directions: 6.2 to 2.0 lower; 3.1 lower to 0.4 higher."""
    words = ["lower" if limit < 0 else "higher" for limit in (low, high)]
    if words[0] == words[1]:
        return f"{abs(low):.1f} to {abs(high):.1f} {words[0]}"
    return f"{abs(low):.1f} lower to {abs(high):.1f} higher"


def p_value(p: float) -> str:
    """A p value as text, e.g. 0.034, < 0.0001; empty if missing."""
    if not math.isfinite(p):
        return ""
    return "< 0.0001" if p < MIN_PRINTED_P else f"{p:.2g}"


def _p_text(p: float) -> str:
    return f"p {p_value(p)}" if p < MIN_PRINTED_P else f"p = {p_value(p)}"
