"""Failure notices: one line about a run that failed, to a webhook or by e-mail, where the environment names one.

Who is to be asked for a password is in the environment alone, never in a study. Which runs failed belongs in
``orchestration`` and ``cli``.
"""

import contextlib
import os
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from threading import Thread
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from sd_core.errors import InputError
from sd_core.wording import printable

WEBHOOK, MAIL, SMTP = "SD_FAILURE_WEBHOOK", "SD_FAILURE_MAIL", "SD_SMTP"
# Seconds that a server may be silent, and that it may take in all; a notice must not hold up what comes after it.
PATIENCE, LONGEST = 10.0, 30.0
# The file with certificates that are trusted instead of the system's; OpenSSL itself reads it.
TRUSTED = "SSL_CERT_FILE"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Notice:
    """A run that failed.

    Attributes:
        study: whose.
        run: what ran, such as ``sdlab run`` or a job of Dagster.
        reason: why it failed; its first line is kept whole, up to a length.
    """

    study: str
    run: str
    reason: str

    @property
    def line(self) -> str:
        """The notice in one line."""
        first = next((line for line in self.reason.splitlines() if line.strip()), "without a reason")
        return f"{self.study}: {self.run} failed on {socket.gethostname()}: {printable(first)}"


def announce(notice: Notice) -> list[str]:
    """Send a notice to where the environment says; return a sentence for each place that did not take it.

    Nothing is raised: a run that failed must not fail once more for want of a mail server.
    """
    problems = []
    for variable, send in ((WEBHOOK, _post), (MAIL, _mail)):
        if not os.environ.get(variable):
            continue
        why = _in_time(send, os.environ[variable], notice)
        if why:
            problems.append(f"{variable}: no notice was sent: {why}")
    return problems


def _in_time(send: Callable[[str, Notice], None], place: str, notice: Notice) -> str:
    """Send a notice and return why that was not possible, or nothing.

    A server that says one letter after the other is never silent, so it is not waited for beyond a time.
    """
    why = [f"no answer in {LONGEST:g} s"]

    def attempt() -> None:
        try:
            send(place, notice)
            why[0] = ""
        except (InputError, OSError, smtplib.SMTPException, ValueError) as error:
            why[0] = _in_words(error)

    attempting = Thread(target=attempt, daemon=True)
    attempting.start()
    attempting.join(LONGEST)
    return why[0]


def _in_words(error: Exception) -> str:
    """Say what is wrong without what the error itself says: that may have the address in it, with token or password."""
    name = type(error).__name__
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"the server's certificate is not trusted ({name}): expected one for the name in the address, of an issuer "
            f"that the system knows or whose certificate is in the file that {TRUSTED} names"
        )
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the server does not take user and password (status {error.smtp_code})"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "the server offers no way to sign in: expected one, or an address without a user"
    if isinstance(error, TimeoutError) or "Timeout" in name or "timed out" in str(error):
        return f"no answer in {PATIENCE:g} s"
    return name


@contextlib.contextmanager
def announced(study: str, run: str) -> Iterator[list[str]]:
    """Announce what ends a block: an error that leaves it, or the reasons that it adds to the list it is given.

    An interruption is no failure, and neither is a reader of the output who has seen enough.
    """
    reasons: list[str] = []
    try:
        yield reasons
    except BrokenPipeError:
        raise
    except Exception as error:
        reasons.append(str(error) or type(error).__name__)
        raise
    finally:
        if reasons:
            for problem in announce(Notice(study, run, "\n".join(reasons))):
                print(problem, file=sys.stderr)


def _post(url: str, notice: Notice) -> None:
    """Send a notice as JSON, whose ``text`` chat services show."""
    import requests  # with a tenth of a second that a run which succeeds has no need of

    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise InputError(f"expected an address such as https://HOST/PATH, was one with the scheme {place.scheme!r}")
    content = {"text": notice.line, **vars(notice)}
    trusted = os.environ.get(TRUSTED) or True
    with requests.post(
        url, json=content, timeout=PATIENCE, allow_redirects=False, verify=trusted, stream=True
    ) as response:
        if not response.ok or response.is_redirect:
            raise InputError(f"{place.hostname} answered with status {response.status_code}")


def _mail(addresses: str, notice: Notice) -> None:
    server = urlsplit(os.environ.get(SMTP, "smtp://127.0.0.1:25"))
    if server.scheme not in ("smtp", "smtps") or not server.hostname:
        raise InputError(f"{SMTP}: expected smtp://USER:PASSWORD@HOST:PORT, or smtps://")
    message = EmailMessage()
    message["Subject"] = notice.line
    message["From"] = _sender(server)
    message["To"] = [one.strip() for one in addresses.split(",")]
    message.set_content(f"{notice.line}\n\n{notice.reason}\n")
    with _connected(server) as connection:
        refused = connection.send_message(message)
    if refused:
        raise InputError(f"{server.hostname} refused {', '.join(map(printable, refused))}")


def _sender(server: SplitResult) -> str:
    user = unquote(server.username or "")
    return user if "@" in user else f"sdlab@{socket.getfqdn()}"


@contextlib.contextmanager
def _connected(server: SplitResult) -> Iterator[smtplib.SMTP]:
    """Open a connection to a mail server, encrypted where it can be; a password goes through no other one.

    To this machine itself it is encrypted where only that lets a user sign in: its server's certificate, if it has one,
    is seldom one for this name.
    """
    host, encrypted = str(server.hostname), server.scheme == "smtps"
    context = ssl.create_default_context()
    of_kind: Any = smtplib.SMTP_SSL if encrypted else smtplib.SMTP
    settings = {"context": context} if encrypted else {}
    with of_kind(host, server.port or (465 if encrypted else 25), timeout=PATIENCE, **settings) as connection:
        if not encrypted:
            connection.ehlo()
            must_be = host not in LOOPBACK or (server.username and not connection.has_extn("auth"))
            if must_be and connection.has_extn("starttls"):
                connection.starttls(context=context)
                encrypted = True
        if server.username:
            if not encrypted and host not in LOOPBACK:
                raise InputError(f"{host} offers no encryption, so no password is sent to it")
            connection.login(unquote(server.username), unquote(server.password or ""))
        yield connection
