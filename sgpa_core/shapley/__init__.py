"""Shapley values: exact, sampled and fitted, through one `estimate`.

- ``exact``: all 2^n coalitions; ``sampling``: random orders
- ``complementary``: complementary contributions with Neyman allocation, the paper's estimator, as
  its text describes it and as its code runs it
- ``kernel``: KernelSHAP in pairs; ``surrogate``: a Gaussian process, with ``semivalues``
- ``interactions``: what known utilities tell: pairs of players, Banzhaf values, several games;
  ``owen``: values inside a union of players; ``attribution``: what an estimate returns
"""

from .attribution import Attribution as Attribution
from .attribution import parse_budget as parse_budget
from .estimate import NAMES as NAMES
from .estimate import estimate as estimate
from .interactions import Interactions as Interactions
from .interactions import banzhaf as banzhaf
from .interactions import interactions as interactions
