-- What each scenario came to from other start dates, and whether it did better than buy-and-hold.
-- Grain: strategy, reserve, start_session.
-- Sources: start_date_outcome, study_strategy.
with
grown as (
    select
        strategy,
        reserve,
        start_session,
        last_session,
        final_value,
        xirr,
        sharpe,
        max_drawdown,
        withdrawals_scheduled,
        withdrawals,
        date_diff('day', start_session, last_session) as days,
        cagr(1 + twr, days) as cagr
    from start_date_outcome
),

-- Buy-and-hold without a reserve: the study's first strategy of that kind.
holding as (
    select
        strategy,
        reserve,
        start_session,
        cagr
    from grown
    where
        reserve = 0
        and strategy = (select strategy from study_strategy where is_buy_and_hold order by position limit 1)
)

select
    own.strategy,
    own.reserve,
    own.start_session,
    own.last_session,
    in_years(own.days) as years,
    own.final_value,
    own.cagr,
    own.xirr,
    own.sharpe,
    own.max_drawdown,
    own.withdrawals_scheduled,
    own.withdrawals,
    case
        when own.withdrawals_scheduled > 0 then paid_in_full(own.withdrawals, own.withdrawals_scheduled)
    end as paid_in_full,
    own.cagr - holding.cagr as cagr_over_buy_and_hold,
    own.cagr > holding.cagr and not same_return(own.cagr, holding.cagr) as did_better
from grown as own
left join holding
    on own.start_session = holding.start_session
    and (own.strategy <> holding.strategy or own.reserve > 0)
order by own.strategy, own.reserve, own.start_session
