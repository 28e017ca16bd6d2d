"""Shapley values of a game whose players are switches.

Coalition c holds player i when bit i of c is set: coalition 0 is nobody, the last one everybody. A Shapley value is the
mean of what a player adds over all orders in which the players may come; a coalition of s players before him is seen
in s!(n-s-1)! of the n! orders (Shapley 1953). The values of all players add up to everybody minus nobody.
"""

from __future__ import annotations

from math import factorial

import numpy as np


def coalition_matrix(players: int) -> np.ndarray:
    """Who is in each coalition: True/False [coalition, player]."""
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
    """What everybody has and everybody but a player has not [..., player]."""
    everybody = worth.shape[-1] - 1
    without = [everybody ^ (1 << i) for i in range(everybody.bit_length())]
    return worth[..., [everybody]] - worth[..., without]


def single_effect(worth: np.ndarray) -> np.ndarray:
    """What a player has by himself and nobody has not [..., player]."""
    players = worth.shape[-1].bit_length() - 1
    return worth[..., [1 << i for i in range(players)]] - worth[..., [0]]
