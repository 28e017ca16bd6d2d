"""A dose event: an amount that enters a state of the model at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Quantity = Any  # a float, or an array [patient] where dose events of many patients are worked out together


@dataclass(frozen=True)
class DoseEvent:
    """An `amount` (state unit) enters a state at `time` (h), at once or evenly over `duration` (h).

    For many patients together each of the three is one number for all or an array [patient].
    """

    time: Quantity
    compartment: str
    amount: Quantity
    duration: Quantity = 0.0
