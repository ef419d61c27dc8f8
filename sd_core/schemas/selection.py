"""Declarations of the tables on selection: what was ever tried, and whether the best of it is more than luck.

The formulas belong in ``sd_core.selection``.
"""

from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
    FROM_ONE,
    NOT_NEGATIVE,
    RATIO,
    SHARE,
    YEARLY,
    Column,
    day,
    flag,
    from_to,
    number,
    one_of,
    scenario,
    text,
    whole,
)
from sd_core.schemas.table import LakeTable

RANK_BINS = 20
DISTINGUISHED, NOT_DISTINGUISHED = "distinguished", "not distinguished"

_RULE = text("Hash of all that the study says of the scenario: every setting but capital, prices and what is kept.")
_MEASURE = text(
    "growth: log returns less those of buy-and-hold; sharpe: excess returns, scaled to the volatility of buy-and-hold, "
    "less those of buy-and-hold.",
    one_of(["growth", "sharpe"]),
)

# The ledger of trials: what the lake appends, and never changes.
TRIAL = LakeTable(
    name="trial",
    description="Every rule ever simulated on the study, noted before it is.",
    key=("rule",),
    columns={"rule": _RULE, **scenario()},
)

TRIAL_MEASURE = LakeTable(
    name="trial_measure",
    description="How a trial did beside buy-and-hold when it was first judged.",
    key=("rule", "measure"),
    columns={
        "rule": _RULE,
        "measure": _MEASURE,
        "against": text("Hash of the prices and of the buy-and-hold that it was compared on."),
        "first_session": day("First session compared."),
        "last_session": day("Last session compared."),
        "sessions": whole("Sessions compared.", COUNT, FROM_ONE),
        "mean": number("Mean difference of a session.", FRACTION),
        "deviation": number("Standard deviation (ddof 1) of it.", FRACTION, NOT_NEGATIVE),
        "skewness": number("Skewness of it.", RATIO),
        "kurtosis": number("Kurtosis of it; 3 is that of a normal distribution.", RATIO),
    },
)

TRIAL_BLOCK = LakeTable(
    name="trial_block",
    description="Sums of a trial's differences by block of sessions.",
    key=("rule", "measure", "block"),
    columns={
        "rule": _RULE,
        "measure": _MEASURE,
        "block": whole("Number of the block in time, from 1.", COUNT, FROM_ONE),
        "total": number("Sum of the differences.", FRACTION),
        "squares": number("Sum of their squares.", FRACTION, NOT_NEGATIVE),
    },
)

_FAMILY = text("all: every scenario but buy-and-hold; mixes: those that trade a mix; sweep NAME: those of a sweep.")


def _of_best(description: str, unit: str, *checks: object, nullable: bool = True) -> Column:
    return number(f"{description}; NULL: verdict_missing says why.", unit, *checks, nullable=nullable)  # type: ignore[arg-type]


SELECTION_TEST = LakeTable(
    name="selection_test",
    description="Is the best of many scenarios better than buy-and-hold, or lucky? Each family by each measure.",
    key=("family", "measure"),
    columns={
        "family": _FAMILY,
        "measure": _MEASURE,
        "first_session": day("First session compared; NULL: verdict_missing says why.", nullable=True),
        "last_session": day("Last session compared; NULL: verdict_missing says why.", nullable=True),
        "sessions": whole("Sessions compared.", COUNT, NOT_NEGATIVE),
        "scenarios": whole("Scenarios of the family that are up to date.", COUNT, FROM_ONE),
        "compared": whole("Those of which block sums are known: pbo is of these.", COUNT, NOT_NEGATIVE),
        "with_days": whole("Those whose days are kept: SPA and confidence set are of these.", COUNT, NOT_NEGATIVE),
        "trials": whole("Rules ever simulated on the study, those no longer in it too.", COUNT, NOT_NEGATIVE),
        "mean_correlation": number(
            "Mean correlation of the differences of scenarios with days; NULL: fewer than two.", RATIO, nullable=True
        ),
        "effective_trials": number(
            "Independent trials that all trials come to: correlation + (1 - correlation) trials; NULL: no correlation.",
            COUNT,
            nullable=True,
        ),
        "strategy": text("Strategy of the best: with the highest mean difference; NULL: none.", nullable=True),
        "reserve": number("Reserve of the best.", FRACTION, SHARE, nullable=True),
        "difference": _of_best(
            "Mean difference of the best; by sharpe, the difference of the ratios times the volatility of buy-and-hold",
            YEARLY,
        ),
        "ratio": _of_best("Sharpe ratio of the difference: its mean over its deviation, annualised", RATIO),
        "skewness": _of_best("Skewness of the difference", RATIO),
        "kurtosis": _of_best("Kurtosis of the difference; 3 is that of a normal distribution", RATIO),
        "ratio_deviation": _of_best("Standard deviation of the ratios of all trials, annualised", RATIO, NOT_NEGATIVE),
        "expected_ratio": _of_best(
            "Ratio that the best of so many trials has by luck, annualised", RATIO, NOT_NEGATIVE
        ),
        "deflated": _of_best(
            "Probability that the ratio of the best is above that: deflated Sharpe ratio", FRACTION, SHARE
        ),
        "sessions_needed": number(
            "Minimum track record: sessions that the ratio of the best takes to be above 0 at 95 %; NULL: it is not.",
            COUNT,
            FROM_ONE,
            nullable=True,
        ),
        "pbo": number(
            "Probability of backtest overfitting: share of splits in which the best of one half is no better than the "
            "median in the other; NULL: fewer than two scenarios.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "splits": whole("Splits of the sessions into two halves.", COUNT, NOT_NEGATIVE),
        "loss_probability": number(
            "Share of the splits in which the best of one half is worse than buy-and-hold in the other; NULL as pbo.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "slope": number(
            "Slope of the ratio in the other half on the one chosen by; NULL: the latter does not vary, or as pbo.",
            RATIO,
            nullable=True,
        ),
        **{
            f"spa_p_value{end}": number(f"{meaning} NULL: no days are kept.", FRACTION, SHARE, nullable=True)
            for end, meaning in (
                (
                    "",
                    "p-value of none being better than buy-and-hold, by the test of superior predictive ability.",
                ),
                ("_lower", "The same, were every scenario that did worse left out of what luck can do."),
                ("_upper", "The same, were none left out."),
            )
        },
        "samples": whole("Bootstrap samples; NULL: no days are kept.", COUNT, FROM_ONE, nullable=True),
        "block_length": number("Mean length of their blocks; NULL: no days are kept.", "sessions", nullable=True),
        "confidence_set": whole(
            "Scenarios of which one is the best with 90 % confidence; NULL: no days are kept.",
            COUNT,
            FROM_ONE,
            nullable=True,
        ),
        "verdict": text(
            "distinguished: spa_p_value at most 0.05, deflated at least 0.95 and pbo below 0.5; not distinguished: one "
            "of these fails, so that the best may be luck; NULL: verdict_missing says why.",
            one_of([DISTINGUISHED, NOT_DISTINGUISHED]),
            nullable=True,
        ),
        "verdict_missing": text("Why there is no verdict; NULL: there is one.", nullable=True),
    },
)

SELECTION_SPLIT = LakeTable(
    name="selection_split",
    description="How the best of one half of the time ranked in the other half, counted over all splits.",
    key=("family", "measure", "bin"),
    columns={
        "family": _FAMILY,
        "measure": _MEASURE,
        "bin": whole("Place of the bin, from the worst ranks.", COUNT, from_to(1, RANK_BINS)),
        "rank_above": number("Ranks in it are above this: 0 is the worst, 1 the best.", FRACTION, SHARE),
        "rank_up_to": number("And at most this.", FRACTION, SHARE),
        "splits": whole("Splits whose best has such a rank in the other half.", COUNT, NOT_NEGATIVE),
    },
)

SELECTION_MEMBER = LakeTable(
    name="selection_member",
    description="Every scenario of each family beside buy-and-hold, and whether it may be the best of them.",
    key=("family", "measure", "strategy", "reserve"),
    columns={
        "family": _FAMILY,
        "measure": _MEASURE,
        **scenario(),
        "difference": number(
            "Mean difference; by sharpe, that of the ratios times the volatility of buy-and-hold; NULL: not known.",
            YEARLY,
            nullable=True,
        ),
        "ratio": number("Sharpe ratio of the difference, annualised; NULL: not known.", RATIO, nullable=True),
        "in_set": flag(
            "Whether it is in the 90 % confidence set of the best; NULL: its days are not kept.", nullable=True
        ),
        "p_value": number(
            "p-value of the model confidence set: in_set where above 0.1; NULL: its days are not kept.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
    },
)

SELECTION_TRIAL = LakeTable(
    name="selection_trial",
    description="Every rule ever simulated on the study, those no longer in it too: what the best was chosen from.",
    key=("rule",),
    columns={
        "rule": _RULE,
        "strategy": text("Name that the strategy had."),
        "reserve": scenario()["reserve"],
        "is_in_study": flag("Whether a scenario of the study, up to date, is this rule."),
        "growth_ratio": number(
            "Sharpe ratio of its difference in growth when it was last known, annualised; NULL: never judged.",
            RATIO,
            nullable=True,
        ),
        "sharpe_ratio": number("The same by the measure sharpe.", RATIO, nullable=True),
    },
)

TRIAL_TABLES = (TRIAL, TRIAL_MEASURE, TRIAL_BLOCK)
SELECTION_TABLES = (SELECTION_TEST, SELECTION_SPLIT, SELECTION_MEMBER, SELECTION_TRIAL)
