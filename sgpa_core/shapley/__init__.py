"""Shapley values: exact, sampled and fitted, through one `estimate`."""

from .attribution import Attribution, parse_budget
from .estimate import NAMES, estimate
from .interactions import Interactions, banzhaf, interactions

__all__ = [
    "NAMES",
    "Attribution",
    "Interactions",
    "banzhaf",
    "estimate",
    "interactions",
    "parse_budget",
]
