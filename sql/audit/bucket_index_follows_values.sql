-- A bucket's index grows by its return on the value before and the money that came; its drawdown is below the peak.
-- table: bucket_daily
with
before as (
    select
        book,
        bucket,
        session,
        value,
        open_flows,
        close_flows,
        simple_return,
        twr_index,
        peak,
        drawdown,
        coalesce(lag(value) over of_bucket, 0) + open_flows as invested,
        coalesce(lag(twr_index) over of_bucket, 1) as previous_index
    from bucket_daily
    window of_bucket as (partition by book, bucket order by session)
)
select * from before
where
    (invested > 1e-6) <> (simple_return is not null)
    or (
        simple_return is not null
        and same_return(simple_return, (value - close_flows) / invested - 1) is not true
    )
    or same_return(twr_index / nullif(previous_index, 0), 1 + coalesce(simple_return, 0)) is false
    or same_return(drawdown * peak, peak - twr_index) is not true
    or peak < twr_index
