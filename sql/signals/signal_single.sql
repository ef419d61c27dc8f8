-- What every signal says that is made of prices and files, and not of other signals.
-- Grain: session, signal, ticker.
-- Sources: signal_input, signal_session, study_asset, lake.study_signal, lake.signal_file, lake.spillover_pair.
with
measured as (
    select
        signal_input.session,
        signal_input.ticker,
        signal_input.is_investable,
        signal_input.momentum,
        signal_input.return_252,
        signal_input.return_21,
        signal_input.cash_return_252,
        signal_input.relative_return_126,
        signal_input.volatility_252,
        signal_input.distance_63,
        signal_input.drawdown,
        signal_input.ex_date,
        signal_input.ex_gap,
        study_asset.asset_class,
        signal_session.number
    from signal_input
    inner join study_asset using (ticker)
    inner join signal_session using (session)
),

-- Means are taken of lists in the order of tickers, so that they do not depend on which row comes first.
sectors as (
    select
        session,
        asset_class,
        list_avg(list(momentum order by ticker) filter (where is_investable)) as momentum
    from measured
    group by session, asset_class
),

led as (
    select
        session,
        follower as ticker,
        list_sum(list(slope * leader_return order by leader)) as value
    from lake.spillover_pair
    group by session, follower
),

said as (
    select
        measured.session,
        signals.signal,
        measured.ticker,
        measured.is_investable,
        case signals.kind
            when 'momentum' then measured.momentum
            when 'sector' then sectors.momentum
            when 'trend'
                then (measured.return_252 - measured.cash_return_252)
                    / case when measured.volatility_252 > 1e-12 then measured.volatility_252 end
            when 'reversal' then -measured.return_21
            when 'mean_reversion' then -measured.distance_63
            when 'relative_strength' then measured.relative_return_126
            when 'low_volatility' then -measured.volatility_252
            when 'discount' then -measured.drawdown
            when 'ex_dividend'
                then (date_diff('day', measured.ex_date, measured.session) - measured.ex_gap) / measured.ex_gap
            -- 104 weeks of five sessions; of an asset that follows no other, others say nothing.
            when 'spillover' then case when measured.number > 520 then coalesce(led.value, 0) end
            when 'file' then signal_file.value
        end as value
    from measured
    cross join lake.study_signal as signals
    left join sectors using (session, asset_class)
    left join led using (session, ticker)
    asof left join lake.signal_file as signal_file
        on signals.signal = signal_file.signal
        and measured.ticker = signal_file.ticker
        and measured.session >= signal_file.date
    where signals.kind <> 'blend'
),

spreads as (
    select
        session,
        signal,
        spread_of(value, ticker, is_investable) as spread
    from said
    group by session, signal
)

select
    said.session,
    said.signal,
    said.ticker,
    said.value,
    case when said.is_investable then z_score(said.value, spreads.spread) end as z
from said
inner join spreads using (session, signal)
order by said.session, said.signal, said.ticker
