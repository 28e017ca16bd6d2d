"""What each lane does between two calculations.

`follow` moves patients through time, `settle` finds their rest states. Both know nothing of the equations: they call
the blocks `b` of a system, which work on all lanes at once, and look at single numbers of the workspace. The same
source runs on a processor (all lanes of a group in turn) and on a GPU (one lane a thread): lanes `low` to `high` are
steered here. A lane's numbers depend on its own patient alone, so that nobody depends on who else is on board.
"""

from __future__ import annotations

from types import SimpleNamespace

from ketamech.engine.integration_loop import integration_loop
from ketamech.engine.lane_layout import Jit, lane_queue
from ketamech.engine.steady_state_loop import steady_state_loop


def lane_loop(jit: Jit, b: SimpleNamespace) -> SimpleNamespace:
    """`follow` and `settle` compiled with `jit` over the blocks `b`, each called as block(place, lane)."""
    common = lane_queue(jit, b.take)
    return SimpleNamespace(follow=integration_loop(jit, b, common), settle=steady_state_loop(jit, b, common))
