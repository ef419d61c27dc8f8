"""Tables about losses that were harvested for their taxes."""

from sd_core.schemas.columns import COUNT, MONEY, NOT_NEGATIVE, YEARLY, number, scenario, whole
from sd_core.schemas.table import LakeTable, Table

_REALISED = {
    "harvests": whole("Sales that realised a loss for its taxes: HARVEST_SELL.", COUNT, NOT_NEGATIVE),
    "harvested_loss": number("Losses realised by them, less what wash sales disallowed.", MONEY),
    "harvest_fees": number("Fees of HARVEST_SELL and HARVEST_BUY.", MONEY, NOT_NEGATIVE),
}

SIMULATION_HARVEST_TWIN = LakeTable(
    name="simulation_harvest_twin",
    description="The same without harvesting losses: what it came to beside every scenario that does.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        **_REALISED,
        "final_value": number("Cash and holdings at the last close, without harvesting.", MONEY),
        "taxes": number("Taxes owed for all years, without harvesting.", MONEY, NOT_NEGATIVE),
        "after_tax_value": number("The final value less taxes.", MONEY),
        "after_tax_liquidation_value": number("As above, had all been sold at the last close.", MONEY),
        "after_tax_liquidation_cagr": number("Growth per year of that.", YEARLY, nullable=True),
    },
)

REPORT_HARVEST = Table(
    name="report_harvest",
    layer="reports",
    description="Did harvesting losses pay? Every scenario that does beside its twin: the same without it.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        **_REALISED,
        "taxes": number("Taxes owed for all years.", MONEY, NOT_NEGATIVE),
        "twin_taxes": number("Those of the twin.", MONEY, NOT_NEGATIVE),
        "tax_saved": number("Taxes of the twin less its own: what harvesting has put off.", MONEY),
        "liquidation_tax": number(
            "What would be owed besides if all were sold at the last close; below 0 where losses would offset gains.",
            MONEY,
        ),
        "twin_liquidation_tax": number("That of the twin.", MONEY),
        "liquidation_tax_added": number("Its own less that of the twin: what is still to be paid of tax_saved.", MONEY),
        "final_value": number("Cash and holdings at the last close.", MONEY),
        "twin_final_value": number("Those of the twin.", MONEY),
        "value_difference": number(
            "The first less the second, before taxes: how substitutes did, what waited missed, and fees.", MONEY
        ),
        "after_tax_liquidation_value": number("Value after all taxes, had all been sold at the last close.", MONEY),
        "twin_after_tax_liquidation_value": number("That of the twin.", MONEY),
        "gain": number(
            "The first less the second: tax_saved - liquidation_tax_added + value_difference. Only the first two are "
            "the work of harvesting; the third is chance, and fees.",
            MONEY,
        ),
        "gain_per_year": number(
            "after_tax_liquidation_cagr less that of the twin; NULL: one of them has none.", YEARLY, nullable=True
        ),
    },
)
