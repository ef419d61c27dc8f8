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

said as (
    select session, signal, ticker, value from signal_single
    union all
    select session, signal, ticker, value from blends
    union all
    select session, 'boosted' as signal, ticker, value from lake.boosted_return
),

known as (
    select
        said.session,
        said.signal,
        said.ticker,
        said.value,
        said.value is not null and signal_input.is_investable as is_placed
    from said
    inner join signal_input using (session, ticker)
),

placed as (
    select
        session,
        signal,
        ticker,
        value,
        is_placed,
        case
            when is_placed
                then (rank() over alike + count(value) over alike - 1) / 2 / count(value) over among
        end as percentile
    from known
    window
        among as (partition by session, signal, is_placed),
        alike as (partition by session, signal, is_placed order by value)
),

spreads as (
    select
        session,
        signal,
        count(value) filter (where is_placed) as assets,
        list_avg(list(value order by ticker) filter (where is_placed)) as mean,
        list_stddev_samp(list(value order by ticker) filter (where is_placed)) as deviation
    from known
    group by session, signal
)

select
    placed.session,
    placed.signal,
    placed.ticker,
    placed.value,
    placed.percentile,
    case when placed.is_placed then z_score(placed.value, spreads.mean, spreads.deviation, spreads.assets) end as z
from placed
inner join spreads using (session, signal)
order by placed.session, placed.signal, placed.ticker
