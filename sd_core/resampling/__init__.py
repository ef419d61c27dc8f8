"""Other histories that the market could have had, and what would have become of the scenarios in them."""
