"""A mail server and a web server on this machine that keep what they are sent."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MailServer:
    """A running SMTP server that takes every letter.

    Attributes:
        letters: what it was sent, as text, in the order of arrival.
        logins: how often a client signed in.
        refuses: whether it refuses every recipient.
    """

    def __init__(self, *, refuses: bool = False) -> None:
        self.letters: list[str] = []
        self.logins = 0
        self.refuses = refuses
        handler = type("Handler", (_Mail,), {"server_state": self})
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Mail(socketserver.StreamRequestHandler):
    server_state: MailServer

    def handle(self) -> None:
        self._say("220 mail.example")
        for raw in self.rfile:
            line = raw.decode().strip()
            match line.split()[0].upper() if line else "":
                case "EHLO":
                    self._say("250-mail.example", "250 AUTH PLAIN")
                case "AUTH":
                    self.server_state.logins += 1
                    self._say("235 welcome")
                case "RCPT" if self.server_state.refuses:
                    self._say("550 no such user")
                case "DATA":
                    self._say("354 go on")
                    self._letter()
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _letter(self) -> None:
        lines: list[str] = []
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if line == ".":
                break
            lines.append(line)
        self.server_state.letters.append("\n".join(lines))
        self._say("250 taken")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class Webhook:
    """A running web server that takes JSON.

    Attributes:
        posts: what it was sent, in the order of arrival.
        status: what it answers with.
    """

    def __init__(self) -> None:
        self.posts: list[Any] = []
        self.status = 200
        handler = type("Handler", (_Web,), {"server_state": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """An address with a token in it, as chat services have."""
        return f"http://127.0.0.1:{self._server.server_port}/hooks/secret-token"

    def stop(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Web(BaseHTTPRequestHandler):
    server_state: Webhook

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server_state.posts.append(json.loads(content))
        self.send_response(self.server_state.status)
        if 300 <= self.server_state.status < 400:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests read ``posts``."""
