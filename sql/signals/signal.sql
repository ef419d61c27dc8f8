-- What every signal says of every asset at the close of the last session of each month.
-- Grain: session, signal, ticker.
-- Sources: signal_single, signal_weight, signal_input, lake.boosted_return.
with
blends as (
    select
        signal_weight.session,
        signal_weight.signal,
        signal_single.ticker,
        -- One part without an opinion leaves the blend without one.
        case
            when count(signal_weight.weight * signal_single.z) = count(signal_weight.part)
                then list_sum(list(signal_weight.weight * signal_single.z order by signal_weight.position))
        end as value
    from signal_weight
    inner join signal_single
        on signal_weight.session = signal_single.session and signal_weight.part = signal_single.signal
    group by signal_weight.session, signal_weight.signal, signal_single.ticker
),

-- What is made of other signals; the others have their z already.
combined as (
    select
        made.session,
        made.signal,
        made.ticker,
        made.value,
        signal_input.is_investable
    from (
        select session, signal, ticker, value from blends
        union all
        select session, 'boosted' as signal, ticker, value from lake.boosted_return
    ) as made
    inner join signal_input using (session, ticker)
),

spreads as (
    select
        session,
        signal,
        spread_of(value, ticker, is_investable) as spread
    from combined
    group by session, signal
),

said as (
    select
        signal_single.session,
        signal_single.signal,
        signal_single.ticker,
        signal_single.value,
        signal_single.z,
        signal_input.is_investable
    from signal_single
    inner join signal_input using (session, ticker)
    union all
    select
        combined.session,
        combined.signal,
        combined.ticker,
        combined.value,
        case when combined.is_investable then z_score(combined.value, spreads.spread) end as z,
        combined.is_investable
    from combined
    inner join spreads using (session, signal)
),

known as (
    select
        session,
        signal,
        ticker,
        value,
        z,
        value is not null and is_investable as is_placed
    from said
)

select
    session,
    signal,
    ticker,
    value,
    case
        when is_placed
            then (rank() over alike + count(value) over alike - 1) / 2 / count(value) over among
    end as percentile,
    z
from known
window
    among as (partition by session, signal, is_placed),
    alike as (partition by session, signal, is_placed order by value)
order by session, signal, ticker
