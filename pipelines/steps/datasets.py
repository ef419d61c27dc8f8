"""Every derived dataset, in the order in which a whole run makes them."""

from pipelines.steps.fit import FITS
from pipelines.steps.resample import INCOME_SUBSET, RESERVE_BOOTSTRAP

DERIVED = (*FITS, INCOME_SUBSET, RESERVE_BOOTSTRAP)
REFRESHED = tuple(one for one in DERIVED if one.refreshed)
