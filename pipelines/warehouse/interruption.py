"""How DuckDB reports Ctrl-C, which only its message identifies, and what may go on in spite of it."""

# The message of the RuntimeError in which a query ends that was interrupted.
QUERY_INTERRUPTED = "Query interrupted"
# The name of a thread that asks the published warehouse, which a query that does not listen keeps at work.
ASKING = "sdlab query"
