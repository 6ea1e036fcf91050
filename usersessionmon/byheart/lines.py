"""The lines of guesses, as sshd and PAM write them, and how to read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_HINT = "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}"
_PORT = "{ip} port {port}"
_MORE = tuple(f"{number} more authentication failures" for number in (2, 3, 4, 5))
LINES = (
    f"Invalid user {{user}} from {_PORT}",
    "Invalid user {user} from {ip}",
    "input_userauth_request: invalid user {user} [preauth]",
    "pam_unix(sshd:auth): check pass; user unknown",
    f"pam_unix(sshd:auth): {_HINT}  user={{user}}",
    f"pam_unix(sshd:auth): {_HINT} ",
    f"pam_unix(sshd:auth): {_HINT}",
    f"Failed password for invalid user {{user}} from {_PORT} ssh2",
    f"Failed password for {{user}} from {_PORT} ssh2",
    *(
        f"message repeated {times} times: [ Failed password for {who}{{user}} from {_PORT} ssh2]"
        for times in (2, 3, 4, 5)
        for who in ("", "invalid user ")
    ),
    *(
        f"{how} {who}{_PORT} [preauth]"
        for how in ("Connection closed by", "Connection reset by", "Disconnected from")
        for who in ("", "invalid user {user} ", "authenticating user {user} ")
    ),
    "Connection closed by {ip} [preauth]",
    *(
        f"Received disconnect from {peer}11: {words} [preauth]"
        for peer in (f"{_PORT}:", "{ip}: ")
        for words in ("Bye Bye", "", "Normal Shutdown, Thank you for playing")
    ),
    *(
        f"PAM {more}; logname= uid=0 euid=0 tty=ssh ruser= rhost={{ip}} {who}"
        for more in ("1 more authentication failure", *_MORE)
        for who in ("", " user={user}")
    ),
)
"""The lines of a guess.  Any other line, or one with another kind of name or address, is for the
engine."""
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_SHAPES = {
    "user": r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}",
    "ip": rf"{_BYTE}(?:\.{_BYTE}){{3}}",
    "port": r"[1-9][0-9]{0,4}",
}


@dataclass(frozen=True)
class Form:
    """One of ``LINES``, ready for use."""

    text: str
    """With ``%(user)s`` and so on."""
    pattern: str
    names: tuple[str, ...]
    """What the groups of ``pattern`` hold."""
    beginning: str
    """The first two words."""
    head: str
    """What stands before the first hole."""
    inner: str
    """The longest text between two holes."""
    tail: str
    """What stands behind the last."""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        return re.compile(self.pattern)


def _form(line: str) -> Form:
    pieces = re.split(r"\{([a-z]+)\}", line)
    regex = "".join(
        f"(?P<{piece}>{_SHAPES[piece]})" if at % 2 else re.escape(piece)
        for at, piece in enumerate(pieces)
    )
    text = "".join(f"%({piece})s" if at % 2 else piece for at, piece in enumerate(pieces))
    first, second, *_ = line.split(" ")
    names = tuple(pieces[1::2])
    beginning = f"{first} {second}"
    inner = max(pieces[2:-1:2], key=len, default="")
    return Form(text, regex, names, beginning, pieces[0], inner, pieces[-1])


FORMS = tuple(_form(line) for line in LINES)
_BEGINNINGS = {
    beginning: tuple(at for at, form in enumerate(FORMS) if form.beginning == beginning)
    for beginning in {form.beginning for form in FORMS}
}


def forms_of(text: str) -> tuple[int, ...]:
    """The forms, by their place in ``LINES``, that have a message's first two words."""
    return _BEGINNINGS.get(text[: text.find(" ", text.find(" ") + 1)], ())
