-- The gains and losses of a year and the losses carried into it are taxed, offset each other, or are carried on.
-- table: simulation_taxes
with
settled as (
    select
        strategy,
        reserve,
        year,
        net_short_term
        + net_long_term
        + lag(carried_short_term + carried_long_term, 1, 0) over (
            partition by strategy, reserve order by year
        ) as to_settle,
        taxable_short_term + taxable_long_term + carried_short_term + carried_long_term as settled,
        greatest(-carried_short_term, -carried_long_term, abs(net_short_term), abs(net_long_term)) as largest,
        -- Who carries losses has no gains left to tax.
        greatest(taxable_short_term, taxable_long_term) > 0
        and least(carried_short_term, carried_long_term) < 0 as taxed_and_carried
    from simulation_taxes
)
select * from settled where same_money(settled, to_settle, money := largest) is not true or taxed_and_carried
