"""Stages joined into one checked system of equations."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from ketamech.model.assemble import amount_states as amount_states
    from ketamech.model.assemble import build_system as build_system
    from ketamech.model.assemble import check_units as check_units
    from ketamech.model.cache import cached_expression_trees as cached_expression_trees
    from ketamech.model.cache import cached_layout as cached_layout
    from ketamech.model.expression_tree import ExpressionTrees as ExpressionTrees
    from ketamech.model.expression_tree import live_names as live_names
    from ketamech.model.jacobian import SparseJacobian as SparseJacobian
    from ketamech.model.jacobian import sparse_jacobian as sparse_jacobian
    from ketamech.model.layout import OutputInfo as OutputInfo
    from ketamech.model.layout import StateInfo as StateInfo
    from ketamech.model.layout import SystemLayout as SystemLayout
    from ketamech.model.reference_rhs import plain_function as plain_function
    from ketamech.model.reference_rhs import plain_rates as plain_rates
    from ketamech.model.reference_rhs import plain_values as plain_values
    from ketamech.model.sympy_trees import outline_of as outline_of
    from ketamech.model.system import System as System

_WHERE = {
    "SparseJacobian": "slopes",
    "SystemLayout": "layout",
    "OutputInfo": "layout",
    "ExpressionTrees": "outline",
    "StateInfo": "layout",
    "System": "system",
    "amount_states": "joining",
    "build_system": "joining",
    "check_units": "joining",
    "sparse_jacobian": "slopes",
    "cached_layout": "kept",
    "cached_expression_trees": "kept",
    "live_names": "outline",
    "outline_of": "trees",
    "plain_function": "plain",
    "plain_rates": "plain",
    "plain_values": "plain",
}

__all__ = sorted(_WHERE)
__getattr__ = lazy_getattr(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
