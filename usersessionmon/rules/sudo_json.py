"""sudo's JSON form (``Defaults log_format=json``, since 1.9.4), said again as a line that a rule
can have.

Command, arguments, folder and environment are the caller's own text.  So this is read as JSON and
never searched; of the line that comes out every word but the command is without a blank, and the
command stands last: nothing in it can be taken for another word.  sudo's text form begins with
`` NAME : ``, which this line does not.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .bounds import MAX_TEXT

STARTS = ('@cee:{"sudo"', '@cee: {"sudo"', '{"sudo"')
"""How such a text begins; it must not be tried as the text form, which it could be made to hold."""
MAX_JSON = 16 * 1024
"""Characters that are read: the environment, which may be long, comes last."""
_HEAD = re.compile(r'(?:@cee: ?)?\{"sudo" ?: ?\{"(accept|reject|alert|exit)" ?: ?\{')
_KEY = re.compile(r'\s*"([a-z_]{1,32})"\s*:\s*')
_NEXT = re.compile(r"\s*([,}])")
_BLANK = re.compile(r"\s")
_QUOTED = re.compile(r"\s|'")
_DECODER = json.JSONDecoder()


def said_again(text: str) -> str:
    """The line for a text that begins as ``STARTS`` says; no rule's line when it is not sudo's.

    A text that the logger has cut gives what was whole.  Never raises for what the text holds.
    """
    head = _HEAD.match(text)
    members = None if head is None else _members(text[:MAX_JSON], head.end())
    if head is None or members is None:
        return "JSON that is not sudo's"
    caller, target = members.get("submituser"), members.get("runuser")
    who = f" by {_word(caller)}" if isinstance(caller, str) and caller else ""
    who += f" as {_word(target)}" if isinstance(target, str) and target else ""
    what = _command(members) if head[1] == "accept" else members.get("reason")
    return f"JSON {head[1]}{who}: {what}"[:MAX_TEXT] if isinstance(what, str) else f"JSON {head[1]}"


def _members(text: str, position: int) -> dict[str, Any] | None:
    """The members of the object that begins here, up to its end or to where the text breaks off;
    None when one comes twice, which sudo never writes."""
    found: dict[str, Any] = {}
    while key := _KEY.match(text, position):
        if key[1] in found:
            return None
        try:
            value, position = _DECODER.raw_decode(text, key.end())
        except (ValueError, RecursionError):
            break
        following = _NEXT.match(text, position)
        if following is None:
            break  # a number may be cut and still look whole
        found[key[1]] = value
        position = following.end()
        if following[1] == "}":
            break
    return found


def _word(text: str) -> str:
    """A name with its blanks written as sudo's text form writes them."""
    return _BLANK.sub(lambda blank: f"#{ord(blank[0]):03o}", text)


def _command(members: dict[str, Any]) -> str | None:
    """The command and its arguments, as the text form joins them."""
    command, given = members.get("command"), members.get("runargv")
    if not isinstance(command, str):
        return None
    arguments = given[1:] if isinstance(given, list) else []
    return " ".join([command, *(_argument(each) for each in arguments if isinstance(each, str))])


def _argument(text: str) -> str:
    if text and not _QUOTED.search(text):
        return text
    return "'" + text.replace("'", "\\'") + "'"
