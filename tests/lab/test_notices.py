"""Notices of runs that failed, to servers on this machine."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.mail_server import OPENSSL, MailServer, Webhook, make_certificate

from pipelines.lab import notices
from pipelines.lab.notices import MAIL, SMTP, TRUSTED, WEBHOOK, Notice, announce, announced

FAILED = Notice("mine", "sdlab run", "AAA: Yahoo did not deliver\nBBB: neither")
LINE = f"mine: sdlab run failed on {socket.gethostname()}: AAA: Yahoo did not deliver"


@pytest.fixture(autouse=True)
def no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (WEBHOOK, MAIL, SMTP, TRUSTED):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    server = Webhook()
    monkeypatch.setenv(WEBHOOK, server.url)
    yield server
    server.stop()


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    server = MailServer()
    monkeypatch.setenv(MAIL, "me@example.org, you@example.org")
    monkeypatch.setenv(SMTP, f"smtp://me%40example.org:pass%20word@127.0.0.1:{server.port}")
    yield server
    server.stop()


def test_webhook_gets_one_line_and_what_it_is_made_of(webhook: Webhook) -> None:
    assert announce(FAILED) == []
    assert webhook.posts == [{"text": LINE, "study": "mine", "run": "sdlab run", "reason": FAILED.reason}]


def test_letter_has_the_line_as_its_subject(mail: MailServer) -> None:
    assert announce(FAILED) == []
    [letter] = mail.letters
    unfolded = letter.replace("\n ", " ")
    assert f"Subject: {LINE}" in unfolded
    assert "From: me@example.org" in letter
    assert "To: me@example.org, you@example.org" in letter
    assert "BBB: neither" in letter
    assert mail.logins == 1


def test_nothing_is_sent_where_no_place_is_named() -> None:
    assert announce(FAILED) == []


def test_reason_steers_no_terminal_and_adds_no_header(mail: MailServer) -> None:
    assert announce(Notice("mine", "sdlab run", "\x1b[2Jgone\r\nBcc: all@example.org")) == []
    assert "?[2Jgone" in mail.letters[0]
    headers = mail.letters[0].partition("\n\n")[0]
    assert "Bcc" not in headers


def test_place_that_takes_nothing_is_said_without_its_secret(webhook: Webhook) -> None:
    webhook.status = 403
    [problem] = announce(FAILED)
    assert problem == f"{WEBHOOK}: no notice was sent: 127.0.0.1 answered with status 403"


def test_redirect_is_not_followed(webhook: Webhook) -> None:
    webhook.status = 302
    [problem] = announce(FAILED)
    assert "status 302" in problem


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (WEBHOOK, "http://127.0.0.1:9/hooks/secret-token", "ConnectionError"),
        (WEBHOOK, "file:///etc/passwd", "expected an address such as https://HOST/PATH"),
        (WEBHOOK, "http://[", "ValueError"),
        (SMTP, "smtp://127.0.0.1:9", "ConnectionRefusedError"),
        (SMTP, "http://127.0.0.1:9", "expected smtp://USER:PASSWORD@HOST:PORT"),
    ],
)
def test_place_that_cannot_be_reached_is_said(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    if variable == SMTP:
        monkeypatch.setenv(MAIL, "me@example.org")
    [problem] = announce(FAILED)
    assert said in problem
    assert "secret-token" not in problem


def test_refused_recipient_is_said(mail: MailServer) -> None:
    mail.refuses = True
    [problem] = announce(FAILED)
    assert problem.startswith(f"{MAIL}: no notice was sent: SMTPRecipientsRefused")


def test_one_place_that_fails_does_not_keep_the_other_from_it(webhook: Webhook, mail: MailServer) -> None:
    webhook.status = 500
    assert len(announce(FAILED)) == 1
    assert len(mail.letters) == 1


def test_block_announces_the_error_that_leaves_it(webhook: Webhook) -> None:
    with pytest.raises(RuntimeError), announced("mine", "sdlab run"):
        raise RuntimeError("out of luck")
    assert webhook.posts[0]["reason"] == "out of luck"


def test_notice_that_cannot_be_sent_is_one_line_and_changes_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(WEBHOOK, "https://127.0.0.1:9/hooks/secret-token")
    with pytest.raises(RuntimeError, match="out of luck"), announced("mine", "sdlab run"):
        raise RuntimeError("out of luck")
    assert capsys.readouterr().err == f"{WEBHOOK}: no notice was sent: ConnectionError\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
def test_interruption_is_no_failure(webhook: Webhook, error: type[BaseException]) -> None:
    with pytest.raises(error), announced("mine", "sdlab run"):
        raise error
    assert webhook.posts == []


def test_block_that_succeeds_announces_nothing(webhook: Webhook) -> None:
    with announced("mine", "sdlab run"):
        pass
    assert webhook.posts == []


# Encrypted connections

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="expected openssl, which makes a certificate for the test")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., MailServer]]:
    """Return a function that starts a mail server and names it, with a user unless said otherwise."""
    servers: list[MailServer] = []

    def start(certificate: Path | None = None, *, user: str = "me:secret@", at_once: bool = False) -> MailServer:
        servers.append(MailServer(certificate, at_once=at_once))
        monkeypatch.setenv(MAIL, "you@example.org")
        monkeypatch.setenv(SMTP, f"{'smtps' if at_once else 'smtp'}://{user}127.0.0.1:{servers[-1].port}")
        return servers[-1]

    yield start
    for server in servers:
        server.trickles = False
        server.stop()


@needs_openssl
@pytest.mark.parametrize("at_once", [True, False], ids=["smtps", "starttls"])
def test_mail_server_with_a_trusted_certificate_gets_the_letter_encrypted(
    serve: Callable[..., MailServer], certificate: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    server = serve(certificate, at_once=at_once)
    monkeypatch.setenv(TRUSTED, str(certificate))
    assert announce(FAILED) == []
    assert (server.encrypted, server.logins, len(server.letters)) == (1, 1, 1)


@needs_openssl
@pytest.mark.parametrize("at_once", [True, False], ids=["smtps", "starttls"])
def test_mail_server_with_an_unknown_certificate_gets_neither_letter_nor_password(
    serve: Callable[..., MailServer], certificate: Path, at_once: bool
) -> None:
    server = serve(certificate, at_once=at_once)
    [problem] = announce(FAILED)
    assert problem.startswith(f"{MAIL}: no notice was sent: the server's certificate is not trusted (SSLCert")
    assert problem.endswith(f"or whose certificate is in the file that {TRUSTED} names")
    assert (server.logins, server.letters) == (0, [])


@needs_openssl
def test_connection_to_another_machine_is_encrypted_where_that_is_offered(
    serve: Callable[..., MailServer], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "LOOPBACK", ())
    monkeypatch.setenv(TRUSTED, str(certificate))
    server = serve(certificate, user="")
    assert announce(FAILED) == []
    assert (server.encrypted, len(server.letters)) == (1, 1)


@needs_openssl
def test_own_mail_server_with_a_certificate_for_another_name_gets_the_letter(
    serve: Callable[..., MailServer], certificate: Path
) -> None:
    server = serve(certificate, user="")
    assert announce(FAILED) == []
    assert (server.encrypted, len(server.letters)) == (0, 1)


def test_password_goes_to_another_machine_encrypted_or_not_at_all(
    serve: Callable[..., MailServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "LOOPBACK", ())
    server = serve()
    [problem] = announce(FAILED)
    assert problem == f"{MAIL}: no notice was sent: 127.0.0.1 offers no encryption, so no password is sent to it"
    assert (server.logins, server.letters) == (0, [])


def test_wrong_password_is_said_without_it(serve: Callable[..., MailServer]) -> None:
    serve().knows = False
    [problem] = announce(FAILED)
    assert problem == f"{MAIL}: no notice was sent: the server does not take user and password (status 535)"


def test_mail_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "PATIENCE", 0.2)
    monkeypatch.setenv(MAIL, "you@example.org")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(SMTP, f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        assert announce(FAILED) == [f"{MAIL}: no notice was sent: no answer in 0.2 s"]


def test_mail_server_that_trickles_is_not_waited_for(
    serve: Callable[..., MailServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "LONGEST", 0.3)
    serve().trickles = True
    began = time.monotonic()
    assert announce(FAILED) == [f"{MAIL}: no notice was sent: no answer in 0.3 s"]
    assert time.monotonic() - began < 5


@needs_openssl
def test_webhook_over_https_is_trusted_with_its_certificate_alone(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Webhook(certificate)
    monkeypatch.setenv(WEBHOOK, server.url)
    [problem] = announce(FAILED)
    assert problem.startswith(f"{WEBHOOK}: no notice was sent: the server's certificate is not trusted (SSLError)")
    assert "secret-token" not in problem
    assert server.posts == []
    monkeypatch.setenv(TRUSTED, str(certificate))
    assert announce(FAILED) == []
    assert [post["text"] for post in server.posts] == [LINE]
    server.stop()


def test_webhook_that_says_nothing_is_not_waited_for(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "PATIENCE", 0.2)
    webhook.silent = True
    assert announce(FAILED) == [f"{WEBHOOK}: no notice was sent: no answer in 0.2 s"]
    webhook.silent = False
