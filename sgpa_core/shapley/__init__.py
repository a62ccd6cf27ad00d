"""Shapley values: exact, sampled and fitted, through one `estimate`."""

from .attribution import Attribution, parse_budget
from .estimate import NAMES, estimate

__all__ = ["NAMES", "Attribution", "estimate", "parse_budget"]
