"""What each lane does between two calculations.

`follow` moves patients through time, `settle` finds their rest states. Both know nothing of the equations: they call
the blocks `b` of a system, which work on all lanes at once, and look at single numbers of the workspace. The same
source runs on a processor (all lanes of a group in turn) and on a GPU (one lane a thread): lanes `low` to `high` are
steered here. A lane's numbers depend on its own patient alone, so that nobody depends on who else is on board.
"""

from __future__ import annotations

from types import SimpleNamespace

from ketamech.engine.following import following
from ketamech.engine.lane import Jit, boarding
from ketamech.engine.resting import resting


def steering(jit: Jit, b: SimpleNamespace) -> SimpleNamespace:
    """`follow` and `settle` compiled with `jit` over the blocks `b`, each called as block(place, lane)."""
    common = boarding(jit, b.take)
    return SimpleNamespace(follow=following(jit, b, common), settle=resting(jit, b, common))
