"""The normal likelihood of published statistics, with study effects that the rows of a trial share.

The covariance of a trial is diagonal plus one term per study effect. Its inverse and determinant follow from matrices
of the size of the number of effects (Woodbury). What does not depend on the parameters is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrialLikelihood:
    """Log likelihood of deviations [point, row] at SDs of the study effects [point, effect], up to a constant.

    `weight` [row]: inverse variance, 0 for a row that is not used; `loads` [effect of a trial, row]: weighted
    derivatives by the study effects; `inner` [trial, effect, effect]; `log_variance`: sum over the used rows.
    """

    weight: np.ndarray
    loads: np.ndarray
    inner: np.ndarray
    log_variance: float

    @classmethod
    def of(
        cls, variance: np.ndarray, gradients: np.ndarray, trials: Sequence[str], rows: np.ndarray | None = None
    ) -> TrialLikelihood:
        """`variance` [row], `gradients` [effect, row], the trial of each row, and a mask of the rows that are used."""
        chosen = np.ones(len(variance), dtype=bool) if rows is None else rows
        weight = np.where(chosen, 1 / variance, 0.0)
        of_trial = np.array([[trial == name for trial in trials] for name in dict.fromkeys(trials)])
        loads = gradients[None] * of_trial[:, None]  # [trial, effect, row]
        inner = np.einsum("ter,tfr,r->tef", loads, loads, weight)
        flat = (loads * weight).reshape(-1, gradients.shape[1])
        return cls(weight, flat, inner, float(np.log(variance[chosen]).sum()))

    def __call__(self, sds: np.ndarray, off: np.ndarray) -> np.ndarray:
        """Log likelihood [point] of the deviations `off` [point, row], which must be finite."""
        trials, effects, _ = self.inner.shape
        shifts = sds[:, None] * (off @ self.loads.T).reshape(len(sds), trials, effects)
        core = np.eye(effects) + sds[:, None, :, None] * self.inner * sds[:, None, None, :]
        explained = np.sum(shifts * np.linalg.solve(core, shifts[..., None])[..., 0], axis=(1, 2))
        log_determinant = self.log_variance + np.linalg.slogdet(core)[1].sum(axis=1)
        return -0.5 * (off**2 @ self.weight - explained + log_determinant)
