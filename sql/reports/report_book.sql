-- Every book as a whole, core and satellites together; a plan's beside the scenario that its core is without them.
-- Grain: book.
-- Sources: bucket_daily, study_bucket, report_strategy, simulation_partition, rates, study.
with
-- What moves between buckets cancels, so these flows come from outside and go there.
totals as (
    select
        book,
        session,
        sum(value) as value,
        sum(open_flows) as open_flows,
        sum(close_flows) as close_flows,
        -- A book without a core, on paper or a twin, is one satellite.
        case when bool_or(bucket = 'core') then coalesce(sum(value) filter (where bucket <> 'core'), 0) end as satellite_value
    from bucket_daily
    group by book, session
),

returns as (
    select
        totals.book,
        totals.session,
        totals.value,
        totals.open_flows,
        totals.close_flows,
        totals.satellite_value,
        time_weighted_return(
            totals.value,
            -totals.close_flows,
            lag(totals.value, 1, 0) over (partition by totals.book order by totals.session),
            totals.open_flows
        ) as simple_return,
        rates.risk_free_return
    from totals
    left join rates using (session)
),

growth as (
    select
        book,
        session,
        value,
        open_flows + close_flows as flows,
        share_of_value(satellite_value, value) as satellite_share,
        simple_return,
        simple_return - risk_free_return as excess_return,
        product(growth_factor(simple_return)) over (partition by book order by session) as twr_index
    from returns
),

falls as (
    select
        book,
        session,
        drawdown(twr_index, max(twr_index) over (partition by book order by session)) as drawdown
    from growth
),

books as (
    select
        growth.book,
        min(growth.session) as first_session,
        max(growth.session) as last_session,
        max(growth.session) - min(growth.session) as days,
        sum(growth.flows) as net_flows,
        arg_max(growth.value, growth.session) as final_value,
        arg_max(growth.satellite_share, growth.session) as satellite_share,
        avg(growth.satellite_share) as mean_satellite_share,
        max(growth.satellite_share) as highest_satellite_share,
        arg_max(growth.twr_index, growth.session) as growth,
        case when is_daily(count(growth.session), days, study.periods_per_year)
            then annualised_volatility(growth.simple_return, study.periods_per_year)
        end as volatility,
        case
            when
                is_daily(count(growth.session), days, study.periods_per_year)
                and count(growth.excess_return) = count(growth.simple_return)
                then sharpe(growth.excess_return, study.periods_per_year)
        end as sharpe,
        min(falls.drawdown) as max_drawdown
    from growth
    inner join falls using (book, session)
    cross join study
    group by growth.book, study.periods_per_year
)

select
    books.book,
    books.first_session,
    books.last_session,
    is_of_a_year(books.days) as is_of_a_year,
    books.net_flows,
    books.final_value,
    books.growth - 1 as twr,
    cagr(books.growth, books.days) as cagr,
    books.volatility,
    books.sharpe,
    books.max_drawdown,
    books.satellite_share,
    books.mean_satellite_share,
    books.highest_satellite_share,
    core.strategy as core_strategy,
    core.reserve as core_reserve,
    alone.cagr as core_cagr,
    alone.volatility as core_volatility,
    alone.sharpe as core_sharpe,
    alone.max_drawdown as core_max_drawdown
from books
left join study_bucket as core on books.book = core.plan and core.position = 0
left join simulation_partition as stored
    on core.strategy = stored.strategy and core.reserve = stored.reserve and stored.is_current
left join report_strategy as alone on stored.strategy = alone.strategy and stored.reserve = alone.reserve
order by books.book
