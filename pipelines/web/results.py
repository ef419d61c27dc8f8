"""What was published, for a browser: the report, and the charts of single tables, drawn when they are asked for.

What they show belongs in ``pipelines.report``; every other address is that of the application behind.
"""

from functools import lru_cache
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.lab.home import StudyHome
from pipelines.lab.publication import current_publication, of_one_publication
from pipelines.report.charts import CHARTS_PATH, REPORT_PATH, table_charts
from pipelines.warehouse.query import open_tables
from sd_core.errors import InputError

NOT_FOUND = 404
GONE = 410


class Results:
    """Answer what asks for results of a study, and pass all else on to an ASGI application."""

    def __init__(self, app: ASGIApp, home: StudyHome) -> None:
        self._app = app
        self._home = home
        routes = [
            Route(REPORT_PATH, self._report),
            Route(f"{CHARTS_PATH}/{{publication}}/{{table}}.svg", self._chart),
        ]
        self._own = Starlette(routes=routes)
        self._drawn = lru_cache(maxsize=1)(self._draw)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        path = scope.get("path", "")
        ours = scope["type"] == "http" and (path == REPORT_PATH or path.startswith(f"{CHARTS_PATH}/"))
        await (self._own if ours else self._app)(scope, receive, send)

    def _report(self, _: Request) -> Response:
        file = self._home.published.report
        if not file.is_file():
            return PlainTextResponse(f"{file}: nothing published yet: expected a finished run before\n", NOT_FOUND)
        if not of_one_publication(self._home.lake, self._home.published):
            return PlainTextResponse(f"{file}: of an earlier publication than the warehouse: run again\n", GONE)
        return FileResponse(file, headers={"cache-control": "no-cache"})

    def _chart(self, request: Request) -> Response:
        publication, table = request.path_params["publication"], request.path_params["table"]
        if publication != current_publication(self._home.lake):
            return _words("The tables were published again since: the latest materialization has the chart.", GONE)
        try:
            drawing = self._drawn(publication).get(table)
        except InputError as error:
            return _words(str(error), NOT_FOUND)
        if drawing is None:
            return _words(f"The study has nothing to draw of {table}.", NOT_FOUND)
        return Response(drawing, media_type="image/svg+xml")

    def _draw(self, _: str) -> dict[str, str]:
        """Return the drawings of what is published, by table; the argument is what it is remembered by."""
        with open_tables(self._home) as connection:
            return dict(table_charts(connection))


def _words(sentence: str, status: int) -> Response:
    """Return a sentence as a picture, since an image on a page shows no other answer."""
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="32"><text x="8" y="20" '
        f'font-family="sans-serif" font-size="13" fill="#777">{escape(sentence)}</text></svg>'
    )
    return Response(drawing, status, media_type="image/svg+xml")
