"""A core and its satellites over the history of prices, as ``docs/buckets.md`` defines it.

``contract`` says what goes in and what comes out. Rules and their numbers belong to the room above.
"""
