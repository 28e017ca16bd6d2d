"""Shapley values of a game whose players are switches.

Coalition c contains player i when bit i of c is set: coalition 0 is empty, the last one contains all players. A Shapley
value is the mean marginal contribution of a player over all orders of the players; a coalition of s players precedes
the
player in s!(n-s-1)! of the n! orders (Shapley 1953). The Shapley values sum to the full minus the empty coalition.
"""

from __future__ import annotations

from math import factorial

import numpy as np


def coalition_matrix(players: int) -> np.ndarray:
    """Membership of each coalition: True/False [coalition, player]."""
    return (np.arange(2**players)[:, None] >> np.arange(players)) % 2 == 1


def shapley(worth: np.ndarray) -> np.ndarray:
    """Shapley values [..., player] of the worth [..., coalition] of all 2^n coalitions."""
    players = worth.shape[-1].bit_length() - 1
    inside = coalition_matrix(players)
    size = inside.sum(axis=1)
    orders = np.array([factorial(s) * factorial(players - s - 1) for s in range(players)]) / factorial(players)
    joining = np.where(inside, orders[size - 1][:, None], -orders[np.minimum(size, players - 1)][:, None])
    return worth @ joining


def leave_one_out(worth: np.ndarray) -> np.ndarray:
    """Loss when one player leaves the full coalition [..., player]."""
    everybody = worth.shape[-1] - 1
    without = [everybody ^ (1 << i) for i in range(everybody.bit_length())]
    return worth[..., [everybody]] - worth[..., without]


def single_effect(worth: np.ndarray) -> np.ndarray:
    """Gain of one player alone over the empty coalition [..., player]."""
    players = worth.shape[-1].bit_length() - 1
    return worth[..., [1 << i for i in range(players)]] - worth[..., [0]]
