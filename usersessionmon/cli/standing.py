"""What ``status`` has to say for people: what is wrong first, then where the monitor stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from . import watched
from .output import cell, micros_text, say, span_text

ENOUGH_LINES = 20
"""Lines of a day from which on the share that is understood means something."""
WAITING_SECONDS = 3600
"""A notice that waits so long is stuck, whatever the channel says."""
HELP = """\
Exit status 1, with the reason first, when
  - the monitor is not running, or has not taken its place in the log yet
  - people come and go on sshd and the log says nothing (monitor.alarm_silent)
  - the state cannot be written, or its disk is full
  - most lines of today are not understood (of 20 or more), or lately far fewer than usual
  - the last heartbeat was not taken
  - the program failed on a line
  - a new configuration was refused (systemctl reload)
  - a channel refused a notice or cannot be reached, or a notice waits for an hour
  - notices wait for a channel that is not configured any more
Forged or doubted lines and what the logger dropped are told, and change no exit status.
"""
_COUNTS = {
    "forged": "lines written in a daemon's name by somebody else",
    "doubted": "logins whose process was not there, was no sshd or was in before",
    "losses": "times the logger said that it dropped lines",
    "quieted": "events that were not told because of quiet",
    "unrouted": "notices that a route without channels kept back",
    "in_maintenance": "events that were not told in a maintenance window",
    "folded": "events that were not told by themselves because of fold",
}


def troubles(data: dict[str, Any]) -> list[str]:
    """A sentence for each thing that is wrong."""
    return [
        *_of_the_monitor(data),
        *_of_the_log(data),
        *watched.troubles(data),
        *_of_the_channels(data),
    ]


def _of_the_monitor(data: dict[str, Any]) -> Iterator[str]:
    if not data["running"]:
        yield "the monitor is not running: who comes and goes is not seen"
    elif data["last_saved"] is None:
        yield "the monitor is just beginning: it has not taken its place in the log yet"
    if data.get("not_saving"):
        since, why = data["not_saving"]["since"], data["not_saving"]["why"]
        yield f"the state cannot be written since {since}: {why}"
    elif data["disk_full"]:  # the main loop may still find room where delivery finds none
        yield f"{data['state_dir']}: the disk is full: notices wait, and soon nothing is read"
    if data["reload_refused"]:
        at, why = data["reload_refused"]["at"], data["reload_refused"]["why"]
        yield f"the new configuration was refused at {at}, the old one stays: {why}"
    if data["faults"]:
        yield f"{data['faults']} lines on which the program failed: please report them"


def _of_the_log(data: dict[str, Any]) -> Iterator[str]:
    if data["silent_since"]:
        last = data["last_sshd_line"]
        said = f"nothing since {last}" if last else "nothing yet"
        yield (
            f"people come and go on sshd and {data['source']} says {said}: is the log rotated "
            "away, its daemon dead, or is it the wrong one (user-session-monitor check)"
        )
    good = sum(hour["understood"] for hour in data["hours"])
    bad = sum(hour["not_understood"] for hour in data["hours"])
    if good + bad >= ENOUGH_LINES and bad > good:
        yield (
            f"{bad} of today's {good + bad} lines are not understood: user-session-monitor rules "
            "coverage shows them"
        )


def _of_the_channels(data: dict[str, Any]) -> Iterator[str]:
    for channel in data["channels"]:
        name, age = channel["channel"], channel["oldest_age"]
        if channel["set_aside"]:
            yield (
                f"{name}: {channel['set_aside']} notices were refused and set aside: "
                "user-session-monitor outbox list --failed"
            )
        elif not channel["configured"] and channel["waiting"]:
            yield (
                f"{name}: {channel['waiting']} notices wait, and no such channel is configured any "
                "more: configure it again, or user-session-monitor outbox drop --all --channel "
                f"{name}"
            )
        elif channel["trouble"]:
            yield f"{name}: {channel['waiting']} notices wait: {channel['said']}"
        elif age is not None and age > WAITING_SECONDS:
            yield f"{name}: a notice has been waiting for {span_text(age)}"


def show(data: dict[str, Any], zone: tzinfo) -> None:
    """All of it, for people."""
    for sentence in data["trouble"]:
        say(f"TROUBLE    {cell(sentence, 500)}")
    state_text = f"running (pid {data['pid']})" if data["running"] else "NOT RUNNING"
    say(f"monitor    {state_text}, version {cell(data['version'])}")
    say(f"following  {cell(data['source'])}: {cell(data['why'])}")
    age = data["last_line_age"]
    ago = "" if age is None else f" ({span_text(age)} ago)"
    say(f"last line  {cell(data['last_line'])}{ago}; saved {cell(data['last_saved'])}")
    total = data["understood"] + data["not_understood"]
    say(f"understood {data['understood']} of {total} lines of the programs that matter")
    for program, counts in data["programs"].items():
        if counts["not_understood"]:
            say(f"           {cell(program)}: {counts['not_understood']} lines not understood")
    for one in data["shapes"]:
        say(f"           {one['count']:>8}  {cell(one['program'])}: {cell(one['shape'], 200)}")
    _show_hours(data["hours"], zone)
    watched.show(data)
    if data.get("damaged"):
        found = data["damaged"]
        say(f"damaged    the state was, found {found['at']} ({cell(found['why'])}): made anew")
        say(f"           from the log; remove the old one when nobody needs it: {found['file']}")
    say(f"on now     {data['open_sessions']} (user-session-monitor who)")
    for name, text in _COUNTS.items():
        if data[name]:
            say(f"{name:<10} {data[name]} {text}")
    for name, one in data["purposes"].items():
        since = f" since {one['since']}" if one["since"] else ""
        say(
            f"purpose    {cell(name)}: {one['logins']} logins, {one['logouts']} logouts, "
            f"{one['failures']} failures, {one['told']} told by themselves{since}"
        )
    for channel in data["channels"]:
        say(f"{channel['channel']:<10} {', '.join(_channel_words(channel))}")


def _show_hours(hours: list[dict[str, Any]], zone: tzinfo) -> None:
    """Today's hours that had lines; the programs with the most first."""
    head = "today"
    for hour in hours:
        programs = sorted(hour["programs"].items(), key=lambda item: -sum(item[1].values()))
        said = []
        for program, counts in programs[:5]:
            missed = counts["not_understood"]
            tail = f" ({missed} not understood)" if missed else ""
            said.append(f"{cell(program, 30)} {sum(counts.values())}{tail}")
        said += ["…"] if len(programs) > 5 else []
        clock = micros_text(hour["hour_us"], zone)[11:16]
        lines = hour["understood"] + hour["not_understood"]
        say(f"{head:<10} {clock} {lines} lines: {', '.join(said)}")
        head = ""


def _channel_words(channel: dict[str, Any]) -> list[str]:
    waiting = f"{channel['waiting']} waiting"
    if channel["oldest_age"] is not None:
        waiting += f" (the oldest for {span_text(channel['oldest_age'])})"
    if channel["held"]:
        waiting += f" ({channel['held']} held on purpose)"
    words = [waiting, f"{channel['set_aside']} set aside"]
    if channel["dropped_total"]:
        words.append(f"{channel['dropped_total']} dropped in all")
    if not channel["configured"]:
        return [*words, "not configured any more"]
    if channel["delivered"]:
        words.append(f"last delivered {channel['delivered']}")
    if channel["trouble"] and channel["said"] and channel["answer"] != "delivered":
        words.append(f"TROUBLE: {cell(channel['said'])}")
    if channel["retry"] and channel["trouble"]:
        words.append(f"tried again {channel['retry']}")
    return words
