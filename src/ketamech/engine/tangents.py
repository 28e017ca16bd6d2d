"""Tangents of the inputs and states of patients: derivatives of those numbers that have any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tangents:
    """Tangents `values` [patient, direction, moving] of the numbers `moving` (indices, rising); all others are 0."""

    moving: np.ndarray
    values: np.ndarray

    @classmethod
    def of_all(cls, values: np.ndarray) -> Tangents:
        """Tangents [patient, direction, number] of all numbers."""
        return cls(np.arange(values.shape[2]), values)

    @property
    def count(self) -> int:
        """Number of directions."""
        return self.values.shape[1]

    def of(self, patients: np.ndarray) -> Tangents:
        """The tangents of some patients (indices)."""
        return Tangents(self.moving, self.values[patients])

    def among(self, numbers: np.ndarray) -> np.ndarray:
        """Tangents [patient, direction, ...] of `numbers` (indices, rising)."""
        if np.array_equal(self.moving, numbers):
            return self.values
        chosen = np.zeros((*self.values.shape[:2], len(numbers)))
        _, here, there = np.intersect1d(self.moving, numbers, return_indices=True)
        chosen[:, :, there] = self.values[:, :, here]
        return chosen
