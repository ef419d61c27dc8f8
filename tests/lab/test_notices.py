"""Notices of runs that failed, to servers on this machine."""

import socket
from collections.abc import Iterator

import pytest
from support.mail_server import MailServer, Webhook

from pipelines.lab.notices import MAIL, SMTP, WEBHOOK, Notice, announce, announced

FAILED = Notice("mine", "sdlab run", "AAA: Yahoo did not deliver\nBBB: neither")
LINE = f"mine: sdlab run failed on {socket.gethostname()}: AAA: Yahoo did not deliver"


@pytest.fixture(autouse=True)
def no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (WEBHOOK, MAIL, SMTP):
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


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
def test_interruption_is_no_failure(webhook: Webhook, error: type[BaseException]) -> None:
    with pytest.raises(error), announced("mine", "sdlab run"):
        raise error
    assert webhook.posts == []


def test_block_that_succeeds_announces_nothing(webhook: Webhook) -> None:
    with announced("mine", "sdlab run"):
        pass
    assert webhook.posts == []
