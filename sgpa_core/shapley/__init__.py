"""Shapley values: exact, sampled and fitted, through one `estimate`."""

from .attribution import Attribution as Attribution
from .attribution import parse_budget as parse_budget
from .estimate import NAMES as NAMES
from .estimate import estimate as estimate
from .interactions import Interactions as Interactions
from .interactions import banzhaf as banzhaf
from .interactions import interactions as interactions
