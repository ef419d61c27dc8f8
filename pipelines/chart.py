"""The chart of the report: value over time, every strategy at its best reserve against simply holding.

Made for an asset's metadata, so it is a picture inside Markdown. Which numbers it shows is SQL's to say.
"""

import base64
import io

import duckdb

# Okabe and Ito's palette, told apart by colour-blind readers; simply holding is black.
HOLDING_COLOUR = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINE_STYLES = ("-", "--", ":", "-.")

_BEST = """
with
best as (
    -- Simply holding leaves nothing in the bank that it could invest.
    select
        strategy,
        case when variant = 'buy_and_hold' then min(reserve) else arg_max(reserve, twr) end as reserve
    from report_strategy
    inner join study_strategy using (strategy)
    where is_current
    group by strategy, variant
)
select day.strategy, day.reserve, study_strategy.variant, day.session, day.value
from simulation_daily as day
inner join best using (strategy, reserve)
inner join study_strategy using (strategy)
order by study_strategy.position, day.session
"""


def value_chart(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the chart as a Markdown image with its data inside."""
    # Half a second that only a rebuild needs to pay.
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    name, currency, capital = connection.execute("select name, currency, capital from study").fetchall()[0]
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    colours = iter(COLOURS * len(LINE_STYLES))
    drawn = 0
    for (strategy, reserve, variant), days in (
        connection.sql(_BEST).df().groupby(["strategy", "reserve", "variant"], sort=False)
    ):
        holding = variant == "buy_and_hold"
        axes.plot(
            days["session"],
            days["value"],
            color=HOLDING_COLOUR if holding else next(colours),
            linestyle="-" if holding else LINE_STYLES[drawn // len(COLOURS) % len(LINE_STYLES)],
            linewidth=1.8 if holding else 1.1,
            label=f"{strategy}, reserve {reserve * 100:.4g} %",
        )
        drawn += not holding
    axes.axhline(capital, color="grey", linewidth=0.6)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel(f"value [{currency}], logarithmic")
    axes.set_title(f"{name}: holding (black), and each strategy at the reserve with its highest return")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=90)
    return f"![Value over time](data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()})"
