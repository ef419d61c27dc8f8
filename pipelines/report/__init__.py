"""The report of a study: one HTML file that explains itself, and the charts on the assets' pages.

``svg`` draws and knows no study; ``page`` makes the document; the other modules each fill a part of it from published
tables. What a number means belongs in ``sql``, the headline's words in ``pipelines.report.verdicts``.
"""
