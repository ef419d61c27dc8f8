"""A mail server and a web server on this machine that keep what they are sent."""

import json
import shutil
import socketserver
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OPENSSL = shutil.which("openssl")


def make_certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that no one has signed, and return the file that has it and its key."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    request = [str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    request += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class MailServer:
    """A running SMTP server that takes every letter.

    Attributes:
        letters: what it was sent, as text, in the order of arrival.
        logins: how often a client signed in.
        encrypted: how often a client went over to an encrypted connection, or began with one.
        refuses: whether it refuses every recipient.
        knows: whether it knows who signs in.
        trickles: whether it greets with one letter after the other, without an end.

    Args:
        certificate: what it encrypts with; it offers that, and lets no one sign in before.
        at_once: whether it speaks through an encrypted connection only.
    """

    def __init__(self, certificate: Path | None = None, *, at_once: bool = False, refuses: bool = False) -> None:
        self.letters: list[str] = []
        self.logins = 0
        self.encrypted = 0
        self.refuses = refuses
        self.knows = True
        self.trickles = False
        self.certificate = certificate
        self.at_once = at_once
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
        state = self.server_state
        self._is_encrypted = False
        try:
            if state.at_once:
                self._encrypt()
            while state.trickles:
                self.wfile.write(b"2")
                time.sleep(0.02)
            self._say("220 mail.example")
            self._talk()
        except OSError:
            # The client trusts no such certificate, or has gone.
            return

    def _encrypt(self) -> None:
        assert self.server_state.certificate is not None
        self.connection = _context(self.server_state.certificate).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.server_state.encrypted += 1
        self._is_encrypted = True

    def _talk(self) -> None:
        while raw := self.rfile.readline():
            line = raw.decode().strip()
            match line.split()[0].upper() if line else "":
                case "EHLO":
                    may_encrypt = self.server_state.certificate is not None and not self._is_encrypted
                    self._say("250-mail.example", "250 STARTTLS" if may_encrypt else "250 AUTH PLAIN")
                case "STARTTLS":
                    self._say("220 go on")
                    self._encrypt()
                case "AUTH" if self.server_state.knows:
                    self.server_state.logins += 1
                    self._say("235 welcome")
                case "AUTH":
                    self._say("535 no such user or password")
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
        silent: whether it takes what is sent and answers nothing.

    Args:
        certificate: what it encrypts with; without one it does not.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.posts: list[Any] = []
        self.status = 200
        self.silent = False
        handler = type("Handler", (_Web,), {"server_state": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate:
            self._server.socket = _context(certificate).wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """An address with a token in it, as chat services have."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/hooks/secret-token"

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
        while self.server_state.silent:
            time.sleep(0.02)
        self.send_response(self.server_state.status)
        if 300 <= self.server_state.status < 400:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests read ``posts``."""
