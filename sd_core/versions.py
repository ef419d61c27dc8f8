"""The versions of what is computed: each is raised whenever the same inputs give other rows than before.

They are separate from what computes, which takes long to import, so that asking whether something is outdated is
quick.
"""

FETCH = "3"
MARKET = "3"
ENGINE = "10"
DIGEST = "1"
CORRELATIONS = "3"
VARIANCE_STATE = "3"
SUBSETS = "1"
SAMPLES = "2"
STARTS = "2"
BUCKETS = "2"
LEDGER = "2"
MIXES = "4"
FRONTIER = "1"
STRESS = "1"
HOURS = "1"
FACTORS = "1"
SIGNALS = "1"
SELECTION = "1"
