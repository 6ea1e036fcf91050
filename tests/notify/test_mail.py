"""E-mail over real sockets: each class of answer, who has what, and every limit of time."""

from __future__ import annotations

import base64
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from tests.notify.certificates import certificate_for
from tests.notify.smtp_double import SmtpDouble
from tests.notify.support import NOW_US, login, logout, notice, queued
from tests.notify.test_http import threads_end
from usersessionmon.notify.base import Answer, Queued, Result
from usersessionmon.notify.mail import PATIENCE_SECONDS, MailChannel, make
from usersessionmon.notify.secret import Secret
from usersessionmon.notify.settings import MailSettings, Security
from usersessionmon.notify.words import Voice
from usersessionmon.strict import BadValuesError

A = Answer
PASSWORD = "correct-horse-通"
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
ONE = [queued(7, notice(login()))]
Script = Mapping[str, Sequence[str]]


def channel(
    port: int,
    *,
    to: Sequence[str] = (ALICE,),
    security: Security = Security.NONE,
    user: str = "",
    ca_file: Path | str = "",
    seconds: float = 5,
    sender: str = "monitor@example.com",
    host: str = "127.0.0.1",
) -> MailChannel:
    password = PASSWORD if user else ""
    settings = MailSettings(
        host, port, security, user, password, sender=sender, to=tuple(to), ca_file=str(ca_file)
    )
    return MailChannel("mail", settings, Secret("password", password), Voice(UTC), seconds)


@contextmanager
def mailing(
    script: Script | None = None, **how: object
) -> Iterator[tuple[SmtpDouble, MailChannel]]:
    with SmtpDouble(script) as double:
        made = channel(double.port, **how)  # type: ignore[arg-type]
        try:
            yield double, made
        finally:
            made.close()


def send(made: MailChannel, batch: Sequence[Queued] = ONE, *, now_us: int = NOW_US) -> Result:
    return made.send(batch, now_us=now_us)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


# --- the message ----------------------------------------------------------------------------------


def test_a_notice_as_a_mail() -> None:
    with mailing(to=[ALICE, BOB, ALICE]) as (double, made):
        assert send(made) == Result(A.DELIVERED, "the server took it")
        (mail,) = double.mails()
    assert mail.sender == "monitor@example.com" and mail.recipients == (ALICE, BOB)
    message = mail.message
    assert message["Subject"] == "用户登录通知 · web-1"
    assert message["From"] == "monitor@example.com" and message["To"] == f"{ALICE}, {BOB}"
    assert message["Date"] == "Sat, 21 Nov 2026 08:15:30 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Priority"] is None and message["Importance"] is None
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert mail.text.startswith("用户登录通知\n服务器：web-1\n") and "用户名：alice\n" in mail.text
    assert mail.content.isascii()


def test_a_digest_as_a_mail() -> None:
    batch = [queued(n, notice(logout(abnormal=n == 2))) for n in range(200)]
    with mailing() as (double, made):
        assert made.fits(batch, now_us=NOW_US) == 200 and made.is_plain(batch)
        assert send(made, batch).answer is A.DELIVERED
        (mail,) = double.mails()
    assert mail.message["Subject"] == "会话通知汇总：200 条 · web-1"
    assert mail.message["X-Priority"] == "1" and mail.message["Importance"] == "high"
    assert mail.text.count("登出 alice 198.51.100.7 web-1") == 200


def test_a_digest_of_many_servers_names_some() -> None:
    hosts = ["a", "b", "a", "c\r\nBcc: x", "d"]
    batch = [queued(n, replace(notice(login()), host=host)) for n, host in enumerate(hosts)]
    with mailing() as (double, made):
        send(made, batch)
        assert double.mails()[0].message["Subject"].endswith("· a, b, c␣␣Bcc:␣x …")


HOSTILE = {
    "newline": "a\r\nBcc: x@evil.example\r\n\r\nbody",
    "bidi": "a\u202eevil\u2066",
    "at": '<at user_id="all"></at>',
    "emoji": "😀" * 1024,
    "dot": "\r\n.\r\nMAIL FROM:<x@evil.example>",
    "encoded": "=?utf-8?q?=0D=0ABcc:_x?=",
    "surrogate": "\udcff",
    "separators": "a\u2028Bcc: x\u2029\x85Bcc: y\x0bBcc: z",
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_nothing_hostile_reaches_the_headers(name: str) -> None:
    text = HOSTILE[name]
    one = replace(notice(login(text)), title=f"通知{text}", host=text)
    with mailing() as (double, made):
        assert send(made, [queued(1, one)]).answer is A.DELIVERED
        (mail,) = double.mails()
    assert mail.recipients == (ALICE,)
    head = mail.content.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")]
    mime = [b"Content-Transfer-Encoding", b"Content-Type", b"MIME-Version"]
    ours = [b"Auto-Submitted", b"Date", b"From", b"Message-ID", b"Subject", b"To"]
    assert sorted(names) == sorted([*mime, *ours])
    subject = str(mail.message["Subject"])
    assert subject.startswith("通知") and subject.isprintable() and len(subject) < 250
    assert mail.message.get_content_type() == "text/plain"
    assert not mail.message.defects and "<" not in mail.text
    assert all(len(line) <= 78 for line in mail.content.split(b"\r\n"))


def test_a_line_with_a_dot_does_not_end_the_mail() -> None:
    from usersessionmon.notify.smtp import stuffed

    assert stuffed(b".\r\na.b\r\n..c\r\n") == b"..\r\na.b\r\n...c\r\n"


@pytest.mark.parametrize("domain", ["example.com", f"{'very-long.' * 12}example.com"])
def test_a_repeat_has_the_same_message_id_and_says_that_it_is_one(domain: str) -> None:
    batch = [queued(7, notice(login()), attempts=1)]
    script = {"CONTENT": ["take-close"]}
    with mailing(script, sender=f"monitor@{domain}") as (double, made):
        first = send(made)
        assert first.answer is A.TRANSIENT and "may have arrived" in first.said
        assert send(made, batch, now_us=NOW_US + 90_000_000).answer is A.DELIVERED
        assert send(made, [queued(8, notice(login()))]).answer is A.DELIVERED
        one, again, other = double.mails()
    assert one.message["Message-ID"] == again.message["Message-ID"]
    assert one.message["Message-ID"] != other.message["Message-ID"]
    line = next(line for line in one.content.split(b"\r\n") if line.startswith(b"Message-ID"))
    assert line.endswith(b">") and b"=?" not in line
    assert "重发" in again.text and "重发" not in one.text
    assert one.message["Date"] != again.message["Date"]


# --- what answers mean ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "answer", "expected"),
    [
        ("BANNER", "421 4.3.2 busy", A.TRANSIENT),
        ("BANNER", "421 4.7.0 too many connections", A.THROTTLED),
        ("BANNER", "554 5.7.1 no service for you", A.CONFIGURATION),
        ("BANNER", "HTTP/1.1 400 Bad Request", A.TRANSIENT),
        ("EHLO", "502 what?", A.CONFIGURATION),
        ("MAIL", "451 4.3.0 try again", A.TRANSIENT),
        ("MAIL", "452 4.3.1 no space", A.THROTTLED),
        ("MAIL", "452 4.2.2 mailbox full", A.TRANSIENT),
        ("MAIL", "450 4.7.1 Error: too much mail", A.THROTTLED),
        ("MAIL", "450 Sender frequency limited", A.THROTTLED),
        ("MAIL", "451 separate operators", A.TRANSIENT),
        ("MAIL", "530 5.7.0 authenticate first", A.CONFIGURATION),
        ("MAIL", "550 5.7.1 sender refused", A.CONFIGURATION),
        ("MAIL", "553 5.1.8 no such domain", A.CONFIGURATION),
        ("MAIL", "552 5.3.4 too big", A.PAYLOAD),
        ("MAIL", "354 go on", A.UNKNOWN),
        ("RCPT", "450 4.2.0 greylisted", A.TRANSIENT),
        ("RCPT", "421 4.3.2 closing", A.TRANSIENT),
        ("RCPT", "452 4.3.1 no space", A.THROTTLED),
        ("RCPT", "220 what?", A.UNKNOWN),
        ("RCPT", "550 5.1.1 no such user", A.CONFIGURATION),
        ("RCPT", "551 not here", A.CONFIGURATION),
        ("RCPT", "553 bad name", A.CONFIGURATION),
        ("RCPT", "554 5.7.1 relay access denied", A.CONFIGURATION),
        ("DATA", "451 later", A.TRANSIENT),
        ("DATA", "250 no data wanted", A.UNKNOWN),
        ("CONTENT", "451 4.3.0 try again", A.TRANSIENT),
        ("CONTENT", "450 4.7.0 slow down", A.THROTTLED),
        ("CONTENT", "552 too big", A.PAYLOAD),
        ("CONTENT", "554 5.6.0 spam", A.PAYLOAD),
        ("CONTENT", "550 5.6.1 no such media", A.PAYLOAD),
        ("CONTENT", "550 5.3.4 too big", A.PAYLOAD),
        ("CONTENT", "550 Mail content denied", A.UNKNOWN),
        ("CONTENT", "251 somewhere", A.UNKNOWN),
        ("CONTENT", "250-first|250 last", A.DELIVERED),
        ("CONTENT", "junk", A.TRANSIENT),
    ],
)
def test_table_of_answers(stage: str, answer: str, expected: Answer) -> None:
    with mailing({stage: [answer]}) as (double, made):
        result = send(made)
        assert result.answer is expected
        if expected is not A.DELIVERED and answer[3] == " ":
            assert answer[:3] in result.said, "what it said is shown"
        assert len(double.mails()) == (answer[0] == "2" and stage == "CONTENT")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("535 5.7.8 bad credentials", A.CONFIGURATION),
        ("534 5.7.9 mechanism too weak", A.CONFIGURATION),
        ("538 5.7.11 encryption required", A.CONFIGURATION),
        ("550 User has no permission", A.CONFIGURATION),
        ("454 4.7.0 temporary failure", A.TRANSIENT),
        ("235 2.7.0 welcome", A.DELIVERED),
    ],
)
def test_answers_to_a_login(
    answer: str, expected: Answer, certificate: Path, context: ssl.SSLContext
) -> None:
    how = {"tls": context, "user": "bot", "password": PASSWORD}
    with SmtpDouble({"AUTH": [answer]}, **how) as double:  # type: ignore[arg-type]
        made = channel(double.port, security=Security.STARTTLS, user="bot", ca_file=certificate)
        result = send(made)
        assert result.answer is expected
        assert ("check user and password" in result.said) is (
            expected is A.CONFIGURATION or answer.startswith("454")
        )


# --- several recipients ---------------------------------------------------------------------------


def recipients(double: SmtpDouble) -> list[tuple[str, ...]]:
    return [mail.recipients for mail in double.mails()]


def test_who_is_put_off_gets_it_later_and_nobody_twice() -> None:
    script = {"RCPT": ["ok", "450 4.2.0 greylisted"]}
    with mailing(script, to=[ALICE, BOB]) as (double, made):
        first = send(made)
        assert first.answer is A.TRANSIENT
        assert first.said == f"not yet for {BOB}: 450 4.2.0 greylisted"
        assert send(made, [queued(7, notice(login()), attempts=1)]).answer is A.DELIVERED
        assert recipients(double) == [(ALICE,), (BOB,)]
        assert send(made, [queued(8, notice(login()))]).answer is A.DELIVERED
        assert recipients(double)[2:] == [(ALICE, BOB)]


def test_what_is_asked_for_again_after_its_delivery_is_sent_again() -> None:
    with mailing(to=[ALICE, BOB]) as (double, made):
        assert [send(made).answer for _ in range(2)] == [A.DELIVERED] * 2
        assert recipients(double) == [(ALICE, BOB)] * 2


def test_a_server_that_closes_among_the_recipients_gets_nothing() -> None:
    with mailing({"RCPT": ["ok", "421 4.3.2 closing"]}, to=[ALICE, BOB]) as (double, made):
        result = send(made)
        assert result.answer is A.TRANSIENT and "421 4.3.2 closing" in result.said
        assert "DATA" not in double.commands()


def test_a_repeat_within_a_digest_goes_to_whom_it_lacks() -> None:
    batch = [queued(n, notice(login(f"user{n}"))) for n in (7, 8)]
    with mailing({"RCPT": ["ok", "450 later"]}, to=[ALICE, BOB]) as (double, made):
        send(made, batch[:1])
        assert send(made, batch).answer is A.DELIVERED
        _, for_alice, for_bob = double.mails()
    assert for_alice.recipients == (ALICE,) and "user7" not in for_alice.text
    assert for_bob.recipients == (BOB,) and "user7" in for_bob.text and "user8" in for_bob.text


def test_what_fails_after_one_part_was_taken_repeats_the_other_alone() -> None:
    batch = [queued(n, notice(login(f"user{n}"))) for n in (7, 8)]
    script = {"RCPT": ["ok", "450 later"], "CONTENT": ["ok", "ok", "451 later"]}
    with mailing(script, to=[ALICE, BOB]) as (double, made):
        send(made, batch[:1])
        assert send(made, batch).answer is A.TRANSIENT
        assert send(made, batch).answer is A.DELIVERED
        assert recipients(double) == [(ALICE,), (ALICE,), (BOB,)]


def test_who_is_refused_for_good_is_named_and_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    no = "550 5.1.1 no such user"
    script = {"RCPT": ["ok", no, "ok", "ok", no, "ok"]}
    with mailing(script, to=[ALICE, BOB, CAROL]) as (double, made), caplog.at_level(logging.INFO):
        for number in (1, 2, 3):
            result = send(made, [queued(number, notice(login()))])
            assert result.answer is A.DELIVERED
            assert (f"NOT for {BOB}: {no}" in result.said) is (number < 3)
        assert recipients(double) == [(ALICE, CAROL)] * 2 + [(ALICE, BOB, CAROL)]
        texts = [mail.text for mail in double.mails()]
    assert [f"未能送达：{BOB}\n" in text for text in texts] == [True, True, False]
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"], "once a change"
    assert f"NOT for {BOB}: {no}" in caplog.records[0].getMessage()


def test_refused_after_the_others_had_it_is_not_a_matter_of_configuration() -> None:
    script = {"RCPT": ["ok", "450 later", "550 5.1.1 gone"]}
    with mailing(script, to=[ALICE, BOB]) as (double, made):
        assert send(made).answer is A.TRANSIENT
        result = send(made)
        assert result.answer is A.DELIVERED and f"NOT for {BOB}" in result.said
        assert recipients(double) == [(ALICE,)]


def test_nobody_waits_for_ever_for_who_is_put_off_again_and_again() -> None:
    full = "452 4.2.2 mailbox full"
    script = {"RCPT": ["ok", full, full, full, "ok", full, "ok", "ok", "ok", full]}
    late_us = NOW_US + (PATIENCE_SECONDS + 1) * 1_000_000
    with mailing(script, to=[ALICE, BOB]) as (double, made):
        assert send(made).answer is A.TRANSIENT
        assert send(made, now_us=late_us - 2_000_000).answer is A.TRANSIENT
        over = send(made, now_us=late_us)
        assert over.answer is A.DELIVERED and f"NOT for {BOB}: {full}" in over.said
        new = [queued(n, notice(login())) for n in (8, 9, 10)]
        assert send(made, new[:1], now_us=late_us).answer is A.DELIVERED
        assert f"未能送达：{BOB}" in double.mails()[-1].text
        assert send(made, new[1:2], now_us=late_us).answer is A.DELIVERED
        assert recipients(double)[-1] == (ALICE, BOB)
        assert send(made, new[2:], now_us=late_us).answer is A.TRANSIENT, "from the beginning"


def test_the_only_recipient_is_waited_for() -> None:
    with mailing({"RCPT": ["450 later"] * 2}) as (_, made):
        assert send(made).answer is A.TRANSIENT
        late_us = NOW_US + 2 * PATIENCE_SECONDS * 1_000_000
        assert send(made, now_us=late_us).answer is A.TRANSIENT


def test_all_refused_is_a_matter_of_configuration() -> None:
    script = {"RCPT": ["550 no", "554 no"]}
    with mailing(script, to=[ALICE, BOB]) as (double, made):
        result = send(made)
        assert result.answer is A.CONFIGURATION and BOB in result.said
        assert "DATA" not in double.commands()


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["hang", "drip", "endless", "close"])
@pytest.mark.parametrize("stage", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT"])
def test_the_whole_exchange_is_bounded(stage: str, step: str) -> None:
    with mailing({stage: [step]}, seconds=0.3) as (_, made):
        begun = time.monotonic()
        result = send(made)
        assert time.monotonic() - begun < 3
        assert result.answer is A.TRANSIENT
        assert ("may have arrived" in result.said) is (stage == "CONTENT")
        assert threads_end("smtp-exchange"), "the thread must not live on with the server"
        assert send(made).answer is A.DELIVERED, "the next one is clean"


@pytest.mark.parametrize("step", ["endless", f"220 {'x' * 9000}"], ids=["lines", "line"])
def test_an_answer_is_bounded(step: str) -> None:
    with mailing({"BANNER": [step]}, seconds=30) as (_, made):
        assert send(made) == Result(
            A.TRANSIENT, "what answered is no mail server, or says too much"
        )


def test_a_delivery_counts_whatever_follows_it() -> None:
    with mailing({"QUIT": ["hang"]}, seconds=0.5) as (double, made):
        begun = time.monotonic()
        assert send(made).answer is A.DELIVERED
        assert time.monotonic() - begun < 0.4, "nobody waits for the answer to QUIT"
        double.wait_for("QUIT")


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_tls_handshake_that_never_ends_is_cut(security: Security) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []

        def serve() -> None:
            connection, _ = silent.accept()
            accepted.append(connection)
            if security is Security.STARTTLS:
                file = connection.makefile("rb")
                connection.sendall(b"220 hello\r\n")
                file.readline()
                connection.sendall(b"250-me\r\n250 STARTTLS\r\n")
                file.readline()
                connection.sendall(b"220 ready\r\n")
                file.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        made = channel(silent.getsockname()[1], security=security, seconds=0.5)
        assert send(made).answer is A.TRANSIENT
        assert threads_end("smtp-exchange")
        thread.join(5)
        accepted[0].close()
        made.close()


def test_close_ends_a_running_exchange_at_once() -> None:
    with mailing({"CONTENT": ["hang"]}, seconds=30) as (double, made):
        results: list[Result] = []
        thread = threading.Thread(target=lambda: results.append(send(made)))
        thread.start()
        double.wait_for("CONTENT")
        made.close()
        thread.join(3)
        assert not thread.is_alive() and results[0].answer is A.TRANSIENT
        assert "may have arrived" in results[0].said
        assert threads_end("smtp-exchange")
        assert send(made).answer is A.TRANSIENT
        assert double.commands().count("BANNER") == 1


# --- the way there --------------------------------------------------------------------------------


def test_nobody_there_and_no_such_name() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        result = send(channel(probe.getsockname()[1]))
    assert result.answer is A.TRANSIENT and "refused" in result.said
    result = send(channel(25, host="nowhere.invalid"))
    assert result.answer is A.TRANSIENT and "resolved" in result.said


@pytest.mark.parametrize("ways", ["PLAIN LOGIN", "LOGIN", "CRAM-MD5 login"])
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_login_over_tls(
    ways: str, security: Security, certificate: Path, context: ssl.SSLContext
) -> None:
    at_once = security is Security.TLS
    how = {"tls": context, "at_once": at_once, "user": "bot", "password": PASSWORD, "ways": ways}
    with SmtpDouble(**how) as double:  # type: ignore[arg-type]
        made = channel(double.port, security=security, user="bot", ca_file=certificate)
        assert send(made).answer is A.DELIVERED
        assert double.mails()[0].secure
        made.close()


def test_no_way_to_log_in(certificate: Path, context: ssl.SSLContext) -> None:
    with SmtpDouble(tls=context, user="bot", ways="XOAUTH2") as double:
        made = channel(double.port, security=Security.STARTTLS, user="bot", ca_file=certificate)
        result = send(made)
        assert result.answer is A.CONFIGURATION and "takes no password" in result.said


def test_a_server_without_starttls_gets_nothing() -> None:
    with SmtpDouble(user="bot", clear_auth=True) as double:
        result = send(channel(double.port, security=Security.STARTTLS, user="bot"))
        assert result.answer is A.CONFIGURATION and "offers no STARTTLS" in result.said
        assert [one.split(" ")[0] for one in double.commands()][:2] == ["BANNER", "ehlo"]
        assert not any(one.startswith(("AUTH", "MAIL")) for one in double.commands())


def test_no_password_goes_without_tls() -> None:
    """Settings do not allow it; should they ever, the talk does not."""
    from usersessionmon.notify.bounded import Cord
    from usersessionmon.notify.smtp import Account, LackingError, Talk

    with SmtpDouble(user="bot", password=PASSWORD, clear_auth=True) as double:
        account = Account("127.0.0.1", double.port, Security.NONE, None, "bot", PASSWORD)
        cord = Cord()
        talk = Talk(account, cord, 5)
        with pytest.raises(LackingError):
            talk.open()
        talk.close()
        cord.release()
        assert not any(one.startswith("AUTH") for one in double.commands())


def test_a_refused_starttls_gets_nothing(context: ssl.SSLContext) -> None:
    with SmtpDouble({"STARTTLS": ["454 4.7.0 not now"]}, tls=context) as double:
        result = send(channel(double.port, security=Security.STARTTLS))
        assert result.answer is A.THROTTLED
        assert not any(one.startswith("MAIL") for one in double.commands())


def test_what_was_said_before_tls_counts_for_nothing(
    certificate: Path, context: ssl.SSLContext
) -> None:
    """Somebody in between adds answers of their own behind the one to STARTTLS."""
    script = {"STARTTLS": ["220 ready|250-injected|250 AUTH PLAIN"]}
    how = {"tls": context, "user": "bot", "password": PASSWORD, "ways": "XOAUTH2"}
    with SmtpDouble(script, **how) as double:  # type: ignore[arg-type]
        made = channel(double.port, security=Security.STARTTLS, user="bot", ca_file=certificate)
        assert send(made).answer is not A.DELIVERED
        assert not any(one.startswith("AUTH") for one in double.commands())


def test_a_certificate_that_is_not_trusted(
    certificate: Path, context: ssl.SSLContext, tmp_path: Path
) -> None:
    other = certificate_for(tmp_path, "DNS:elsewhere.example")
    elsewhere = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    elsewhere.load_cert_chain(other)
    for tls, ca_file in ((context, ""), (elsewhere, str(other))):
        with SmtpDouble(tls=tls, user="bot") as double:
            how = {"security": Security.STARTTLS, "user": "bot", "ca_file": ca_file}
            result = send(channel(double.port, **how))  # type: ignore[arg-type]
            assert result.answer is A.TRANSIENT and "not trusted" in result.said
            assert double.commands()[-1] == "STARTTLS"


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_of_certificates_that_is_none(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with SmtpDouble() as double:
        result = send(channel(double.port, security=Security.TLS, ca_file=path))
        assert result.answer is A.CONFIGURATION and "ca_file" in result.said
        assert double.commands() == []


# --- settings -------------------------------------------------------------------------------------


def settings(**values: object) -> MailSettings:
    usual: dict[str, object] = {"host": "mx.example.com", "sender": ALICE, "to": (BOB,)}
    return MailSettings(**(usual | values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"host": ""}, "host: is needed"),
        ({"host": "mx.example.com:465"}, "host: is needed"),
        ({"host": "mx example"}, "host: is needed"),
        ({"host": "::1%\n"}, "host: is needed"),
        ({"sender": ""}, "sender: must be mail addresses"),
        ({"sender": "Monitor <m@example.com>"}, "sender: must be mail addresses"),
        ({"sender": "m@example.com\r\nRCPT TO:<x@example.com>"}, "sender: must be mail"),
        ({"sender": "m@example.com\n"}, "sender: must be mail"),
        ({"to": ()}, "to: must be mail addresses"),
        ({"to": (BOB, "x y@example.com")}, "to: must be mail addresses"),
        ({"to": ("管@example.com",)}, "to: must be mail addresses"),
        ({"to": ("a..b@example.com",)}, "to: must be mail addresses"),
        ({"to": (f"{'a' * 65}@example.com",)}, "to: must be mail addresses"),
        ({"to": tuple(f"a{n}@example.com" for n in range(51))}, "to: must be at most 50"),
        ({"user": "bot"}, "user: user and password"),
        ({"password": "x"}, "user: user and password"),
        ({"user": "a\0b", "password": "x"}, "user: must not hold control"),
        ({"user": "bot", "password": "x", "security": Security.NONE}, "none would send"),
        ({"port": 65536}, "port: must be from 0"),
        ({"password": "x", "password_file": "/x", "user": "bot"}, "password_file: give"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, object], expected: str) -> None:
    with pytest.raises(BadValuesError, match=expected):
        settings(**values)


def test_settings_that_can_be() -> None:
    settings(host="::1", to=("o'neil+log.x@sub.example.com", "root@localhost"))
    settings(host="192.0.2.1", user="bot@example.com", password="x")


@pytest.mark.parametrize(
    ("security", "port"), [(Security.STARTTLS, 587), (Security.TLS, 465), (Security.NONE, 25)]
)
def test_the_usual_ports(security: Security, port: int) -> None:
    assert channel(0, security=security).address == f"{ALICE} by 127.0.0.1:{port}"
    assert channel(2525, security=security).address == f"{ALICE} by 127.0.0.1:2525"


# --- secrets --------------------------------------------------------------------------------------


def test_what_the_server_says_is_shown_without_the_password(
    certificate: Path, context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    plain = base64.b64encode(f"\0bot\0{PASSWORD}".encode()).decode()
    alone = base64.b64encode(PASSWORD.encode()).decode()
    veiled = f"{PASSWORD[:4]}\u200b{PASSWORD[4:]}"
    echo = f"535 5.7.8 \x1b[1m{PASSWORD} {plain} {alone} {veiled}"
    how = {"tls": context, "user": "bot", "password": PASSWORD}
    with SmtpDouble({"AUTH": [echo]}, **how) as double, caplog.at_level(0):  # type: ignore[arg-type]
        made = channel(double.port, security=Security.STARTTLS, user="bot", ca_file=certificate)
        result = send(made)
        assert result.answer is A.CONFIGURATION
    for secret in (PASSWORD, plain, alone, "\x1b"):
        assert secret not in result.said and secret not in caplog.text
    assert result.said.startswith("AUTH: 535 5.7.8 [1m**** **** **** ****")


def test_the_password_is_read_anew_from_its_file(
    tmp_path: Path, certificate: Path, context: ssl.SSLContext
) -> None:
    path = tmp_path / "password"
    path.write_text("old\n")
    with SmtpDouble(tls=context, user="bot", password=PASSWORD) as double:
        settings = MailSettings(
            "127.0.0.1", double.port, user="bot", password_file=str(path), to=(ALICE,),
            sender="monitor@example.com", ca_file=str(certificate),
        )  # fmt: skip
        made = make("mail", "channels.mail", settings, Voice(UTC))
        assert send(made).answer is A.CONFIGURATION
        path.write_text(f"{PASSWORD}\n")
        assert send(made).answer is A.DELIVERED
        made.close()


def test_names_of_the_parts_hide_the_password() -> None:
    made = channel(0, security=Security.TLS, user="bot", to=[ALICE, BOB])
    assert made.address == f"{ALICE}, {BOB} by 127.0.0.1:465"
    assert PASSWORD not in repr(made) and PASSWORD not in repr(made._account())
