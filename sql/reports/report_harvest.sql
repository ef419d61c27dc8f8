-- Did harvesting losses pay? Every scenario that does beside its twin: the same without it.
-- Grain: strategy, reserve.
-- Sources: report_strategy, lake.simulation_harvest_twin.
select
    own.strategy,
    own.reserve,
    twin.harvests,
    twin.harvested_loss,
    twin.harvest_fees,
    own.taxes,
    twin.taxes as twin_taxes,
    twin.taxes - own.taxes as tax_saved,
    own.after_tax_value - own.after_tax_liquidation_value as liquidation_tax,
    twin.after_tax_value - twin.after_tax_liquidation_value as twin_liquidation_tax,
    liquidation_tax - twin_liquidation_tax as liquidation_tax_added,
    own.final_value,
    twin.final_value as twin_final_value,
    own.final_value - twin.final_value as value_difference,
    own.after_tax_liquidation_value,
    twin.after_tax_liquidation_value as twin_after_tax_liquidation_value,
    own.after_tax_liquidation_value - twin.after_tax_liquidation_value as gain,
    own.after_tax_liquidation_cagr - twin.after_tax_liquidation_cagr as gain_per_year
from report_strategy as own
inner join lake.simulation_harvest_twin as twin using (strategy, reserve)
where own.is_current
order by own.strategy, own.reserve
