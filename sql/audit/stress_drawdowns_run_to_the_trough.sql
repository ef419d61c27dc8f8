-- A drawdown of the benchmark runs from peak to trough: its return is its depth, and none before it is shallower.
-- table: stress_episode
select
    episode,
    benchmark_return,
    benchmark_drawdown
from stress_episode
where kind = 'drawdown'
qualify
    same_return(benchmark_return, benchmark_drawdown) is not true
    or exceeds(lag(benchmark_return) over (order by position), benchmark_return)
