"""One scenario, simulated in plain Python: the reference against which the compiled engine is held.

Clarity is its only aim. A session, in ``Scenario``, goes through its parts in order; each part has a module:

- ``position``: one asset, with its lots, its limits and its band;
- ``portfolio``: the bank, the positions, the targets in force, the rows that are written, the mark at the close;
- ``arrivals``: the first purchase; dividends, interest and deposits, and what they buy;
- ``path``: the path of the bars and the rule that trades on it;
- ``restraints``: what cash, drawdown and gaps change about the rule;
- ``portfolio_rules``: what trades at the close;
- ``patience``: which of these trades wait, and for what;
- ``harvest``: losses that are realised for their taxes;
- ``withdrawals``: what goes out, and what is sold for it.

Checking input does not belong here: rules and panels are valid. All money is in the study's currency, all quantities
are shares, brackets, weights and premiums are fractions.
"""

from collections.abc import Mapping

from plain_engine import arrivals
from plain_engine.path import Rule
from plain_engine.portfolio import Portfolio
from plain_engine.portfolio_rules import PortfolioRules
from plain_engine.restraints import AdaptiveBrackets, PortfolioStop, purchase_share
from plain_engine.withdrawals import Withdrawals
from sd_core.market.panel import Panel
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Rules


class Scenario:
    """One portfolio under one set of rules, from session to session."""

    def __init__(self, panel: Panel, rules: Rules, transfers: Mapping[int, float] | None = None) -> None:
        self.transfers = transfers or {}
        self.portfolio = Portfolio(panel, rules)
        self.rule = Rule(self.portfolio)
        self.stop = PortfolioStop(self.portfolio)
        self.brackets = AdaptiveBrackets(self.portfolio) if rules.adaptive_bracket else None
        self.portfolio_rules = PortfolioRules(self.portfolio)
        self.withdrawals = Withdrawals(self.portfolio)

    def run_session(self, session: int) -> None:
        portfolio = self.portfolio
        portfolio.begin(session)
        if session == 0:
            portfolio.read_closes()
            portfolio.put_targets_in_force()
            arrivals.make_first_purchases(portfolio)
        else:
            if self.brackets:
                self.brackets.adapt()
                self.brackets.watch()
            arrivals.receive_all(portfolio, self.transfers.get(session, 0.0))
            self.rule.walk(buys=not self.stop.halted, share=purchase_share(portfolio))
            portfolio.read_closes()
            portfolio.put_targets_in_force()
            arrivals.invest_arrivals(portfolio)
            self.portfolio_rules.harvest.buy_back()
            self.portfolio_rules.act()
            self.withdrawals.pay()
        portfolio.mark()
        self.stop.watch()


def simulate(panel: Panel, rules: Rules, transfers: Mapping[int, float] | None = None) -> SimulationResult:
    """Return the ledger, days and lots of one scenario on one panel.

    ``transfers`` is money by session that comes from elsewhere, or goes there where it is below 0.
    """
    scenario = Scenario(panel, rules, transfers)
    for session in range(len(panel.sessions)):
        scenario.run_session(session)
    return scenario.portfolio.result()
