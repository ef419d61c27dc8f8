"""Bootstrap samples of the market, and the outcomes of scenarios in them."""
