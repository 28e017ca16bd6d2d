"""What is given to whom: a dose event, and one simulated person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Quantity = Any  # a float, or an array [patient] where many patients are given something at once


@dataclass(frozen=True)
class DoseEvent:
    """Something enters a state: `amount` (state unit) at `time` (h), at once or evenly over `duration` (h).

    For many patients at once each of the three is one number for all or an array [patient].
    """

    time: Quantity
    compartment: str
    amount: Quantity
    duration: Quantity = 0.0


@dataclass(frozen=True)
class Subject:
    """One patient's course: what enters when, and which parameters differ (canonical units) from the table.

    With a `gap` (h) the course starts not at rest but at the periodic steady state of `cycle`, given every `gap` hours.
    """

    label: str
    events: tuple[DoseEvent, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    steady_state_events: tuple[DoseEvent, ...] = ()
    cycle_length: float = 0.0
