"""One rendered event: every renderer's form, what Windows writes for nothing, hostile values."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.windows.rendering import event, indented, lsm
from usersessionmon.model import Record, WindowsEvent
from usersessionmon.windows.channels import LSM, OPENSSH, RCM, SECURITY, SYSTEM
from usersessionmon.windows.xml import LONGEST, Glance, Rendered, Unread, glance, read, record_of

BESIDE = frozenset({SECURITY, LSM})
FAILURE = {
    "TargetUserName": "王芳",
    "LogonType": "10",
    "LogonProcessName": "User32 ",
    "SubjectLogonId": "0x0",
    "WorkstationName": "-",
    "ProcessName": "  \n ",
    "TransmittedServices": "",
    "IpAddress": "198.51.100.7",
    "PrivilegeList": "SeTcbPrivilege\n\t\t\tSeDebugPrivilege",
}


def rendered(xml: str) -> Rendered:
    found = read(xml)
    assert isinstance(found, Rendered), found
    return found


def the_record(xml: str) -> Record:
    found = record_of(xml, "rds-1", BESIDE)
    assert found is not None
    return found


def windows(record: Record) -> WindowsEvent:
    assert record.windows is not None
    return record.windows


@pytest.mark.parametrize("form", [str, indented])
def test_a_record_has_what_its_event_says(form: type[str]) -> None:
    found = the_record(form(event(4625, data=FAILURE)))
    assert (found.host, found.program, found.pid) == ("rds-1.example.org", "Security", 704)
    assert (found.text, found.time.text) == ("", "2026-11-21T08:15:30.1234567Z")
    assert found.time.us == 1_795_248_930_123_456
    said = windows(found)
    assert said[:5] == (SECURITY, "Microsoft-Windows-Security-Auditing", 4625, 2, 7)
    assert (said.origin, said.beside) == ("rds-1", BESIDE)
    assert said.fields == {
        "TargetUserName": "王芳",
        "LogonType": "10",
        "LogonProcessName": "User32",
        "IpAddress": "198.51.100.7",
        "PrivilegeList": "SeTcbPrivilege\n\t\t\tSeDebugPrivilege",
    }


@pytest.mark.parametrize("form", [str, indented])
def test_user_data_goes_by_local_names(form: type[str]) -> None:
    xml = form(lsm(40, {"Session": "3", "Reason": "5", "Address": " "}))
    found = the_record(xml)
    assert found.program == "LSM"
    assert windows(found).fields == {"Session": "3", "Reason": "5"}
    prefixed = xml.replace("<System>", "<e:System xmlns:e='x'>").replace("</System>", "</e:System>")
    assert the_record(prefixed) == found


def test_what_has_no_name_goes_by_its_position() -> None:
    data = [(None, "12:50:29 PM"), (None, ""), (None, "\u200e8/\u200e7/\u200e2020")]
    xml = event(6008, SYSTEM, data, provider="EventLog", qualifiers=32768)
    assert windows(the_record(xml)).fields == {
        "1": "12:50:29 PM",
        "3": "\u200e8/\u200e7/\u200e2020",
    }


@pytest.mark.parametrize(
    ("written", "text", "part"),
    [
        ("2026-11-21T08:15:30.123456Z", "2026-11-21T08:15:30.123456Z", 123_456),
        ("2026-11-21T08:15:30.9987914Z", "2026-11-21T08:15:30.9987914Z", 998_791),
        ("2026-11-21T08:15:30.998791400Z", "2026-11-21T08:15:30.998791400Z", 998_791),
        ("2026-11-21T08:15:30.5Z", "2026-11-21T08:15:30.5Z", 500_000),
        ("2026-11-21T08:15:30Z", "2026-11-21T08:15:30Z", 0),
        ("2026-11-21 08:15:30.25", "2026-11-21T08:15:30.25Z", 250_000),
        ("2026-11-21T08:15:30+00:00", "2026-11-21T08:15:30Z", 0),
    ],
)
def test_times_keep_their_digits(written: str, text: str, part: int) -> None:
    time = the_record(event(time=written)).time
    assert time == (1_795_248_930_000_000 + part, text)


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "2026-13-21T08:15:30Z", "2026-11-21T08:15:30+08:00", "٢٠٢٦-11-21T08:15:30Z"],
)
def test_a_time_that_is_none(written: str) -> None:
    assert read(event(time=written)) is Unread.DAMAGED


@pytest.mark.parametrize(
    ("number", "channel", "provider"),
    [
        (4799, SECURITY, "Microsoft-Windows-Security-Auditing"),
        (4624, "Application", "Microsoft-Windows-Security-Auditing"),
        (21, SECURITY, "Microsoft-Windows-Security-Auditing"),
        (41, SYSTEM, "Some-Driver"),
        (1074, SYSTEM, "Microsoft-Windows-Kernel-General"),
    ],
)
def test_what_tells_of_nobody(number: int, channel: str, provider: str) -> None:
    assert read(event(number, channel, provider=provider)) is Unread.UNWANTED
    assert record_of(event(number, channel, provider=provider), "x", BESIDE) is None


@pytest.mark.parametrize(
    ("number", "provider"),
    [(41, "Microsoft-Windows-Kernel-Power"), (104, "Microsoft-Windows-EventLog")],
)
def test_an_event_of_the_system_channel_is_its_providers(number: int, provider: str) -> None:
    assert rendered(event(number, SYSTEM, provider=provider)).id == number


OTHER = (
    "<EventID>1</EventID><EventRecordID>1</EventRecordID><Channel>Application</Channel>"
    "<Computer>c</Computer>"
)


@pytest.mark.parametrize(
    "markup",
    [
        f"<!-- {OTHER} -->",
        f"<!-- {OTHER}</System> -->",
        f"<?pi {OTHER}</System>?>",
        f"<X><![CDATA[{OTHER}</System>]]></X>",
        f"<X>{OTHER}</X>",
        "<X><Channel>Application</Channel></X>",
        "<X a='&lt;EventID>1&lt;/EventID>'/>",
    ],
)
def test_nothing_fools_the_quick_look(markup: str) -> None:
    assert rendered(event(4625, front=markup)).id == 4625


def test_a_value_that_is_written_in_another_way() -> None:
    other = "<X><EventID>1</EventID></X>"
    for xml in (event(4625), event(4625, front=other)):
        assert rendered(xml.replace(">4625<", ">46&#50;5<")).id == 4625
        assert rendered(xml.replace("<Channel>S", "<Channel>&#x53;")).channel == SECURITY
        assert rendered(xml.replace("<EventID>4", "<EventID a='>'>4")).id == 4625


def test_what_looks_like_another_event_within_the_data_is_data() -> None:
    data = {
        "TargetUserName": "</Data></EventData><System><EventID>1</EventID>",
        "x": "<!DOCTYPE a>",
    }
    assert rendered(event(4625, data=data)).fields["TargetUserName"] == data["TargetUserName"]
    twice = event(4625, after="<System><EventID>1</EventID></System>")
    assert rendered(twice).id == 4625
    again = event(4625, data=[("LogonType", "10"), ("LogonType", "3")])
    assert rendered(again).fields == {"LogonType": "10"}


def test_the_rendered_message_is_no_part_of_it() -> None:
    info = "<RenderingInfo Culture='de-DE'><Message>An account</Message></RenderingInfo>"
    assert rendered(event(after=info)) == rendered(event())


def test_control_characters_are_no_end_of_a_record() -> None:
    fields = {"TargetUserName": "a\x01b\x00\ud800c"}
    assert rendered(event(data=fields)).fields == {"TargetUserName": "a\ufffdb\ufffd\ufffdc"}
    xml = event(data={"TargetUserName": "a"}).replace(">a<", ">a&#1;b&#x1F600;&#xD800;&#9;.<")
    assert rendered(xml).fields == {"TargetUserName": "a\ufffdb😀\ufffd\t."}


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "no xml",
        "<Event/>",
        "<Other><System/></Other>",
        '<!DOCTYPE a [<!ENTITY b "c">]>' + event(data={"x": "y"}).replace(">y<", ">&b;<"),
        event().replace("<EventID>4625", "<EventID>x"),
        event().replace("<EventID>4625", "<EventID>99999999999999999999999"),
        event().replace("<EventRecordID>7", "<EventRecordID>"),
        event()[:-3],
        "<a>" * 50_000,
        event(data={"x": "y" * LONGEST}),
        event(front="<a>" * 20_000 + "</a>" * 20_000).replace("4625", "-"),
    ],
)
def test_what_cannot_be_understood_is_none(xml: str) -> None:
    assert read(xml) is Unread.DAMAGED
    assert record_of(xml, "x", BESIDE) is None


@pytest.mark.parametrize(
    "xml",
    [
        " " * (LONGEST - 10),
        "<Event " + "a=" * 100_000,
        "<?xml " * 40_000,
        "<Event xmlns='x'><System>" + "<EventID>" * 25_000 + "</System>",
        event(data={"x": "&#1;" * 30_000}).replace("&amp;", "&"),
    ],
)
def test_no_text_takes_long(xml: str) -> None:
    """Each would take minutes if the time grew with the square of its length."""
    assert not isinstance(glance(xml), Rendered)
    assert isinstance(read(xml), Unread | Rendered)


def test_values_and_their_number_are_bounded() -> None:
    data = [(f"n{number}", "v" * 20_000 if number == 0 else "v") for number in range(3000)]
    fields = rendered(event(data=data, computer="c" * 5000)).fields
    assert (len(fields), len(fields["n0"])) == (100, 8192)
    assert len(rendered(event(computer="c" * 5000)).computer) == 255


@pytest.mark.parametrize(
    ("data", "program", "text"),
    [
        ({"process": "sshd", "payload": "Invalid user x from 192.0.2.7 port 9"}, "sshd", "Invalid"),
        (
            {"process": "sshd-session", "payload": "sshd-session: Invalid user"},
            "sshd-session",
            "In",
        ),
        ({"process": "sshd-session", "payload": "sshd: Invalid user"}, "sshd-session", "Invalid"),
        ({"process": "a b\n", "payload": "sshd: Invalid\nuser"}, "sshd", "Invalid\\nuser"),
        ({"payload": "Invalid"}, "sshd", "Invalid"),
    ],
)
def test_sshd_speaks_in_lines(data: dict[str, str], program: str, text: str) -> None:
    found = the_record(event(4, OPENSSH, data, provider="OpenSSH"))
    assert (found.program, found.windows, found.pid) == (program, None, 704)
    assert found.host == "rds-1.example.org"
    assert found.text.startswith(text)
    assert "\n" not in found.text


def test_a_line_without_text_is_none() -> None:
    assert record_of(event(4, OPENSSH, {"process": "sshd", "payload": " "}), "x", BESIDE) is None


def test_a_record_without_a_computer_has_no_host() -> None:
    assert the_record(event(computer="\n ")).host is None


def test_a_glance_sees_which_record_it_is() -> None:
    expected = Glance(RCM, 1149, 12, "a&b")
    assert glance(event(1149, RCM, record_id=12, computer=" a&b")) == expected
    assert glance(indented(event(1149, RCM, record_id=12, computer="a&b"))) == expected
    assert glance(event().replace("4625", "")) is Unread.DAMAGED


def test_one_channel_may_be_asked_for() -> None:
    for xml in (event(), event(front="<!-- -->")):
        assert isinstance(read(xml, SECURITY), Rendered)
        assert read(xml, LSM) is Unread.UNWANTED


TEXT = st.text(max_size=60) | st.sampled_from(["</Data>", "<EventID>1</EventID>", "]]>", "&#0;"])


@given(st.dictionaries(st.sampled_from(list(FAILURE)), TEXT), TEXT)
def test_whatever_a_value_holds_it_is_a_value(fields: dict[str, str], computer: str) -> None:
    found = rendered(event(4625, data=fields, computer=computer))
    assert (found.id, found.channel, found.record_id) == (4625, SECURITY, 7)
    expected = {name: as_xml_has_it(value) for name, value in fields.items()}
    assert found.fields == {
        name: value for name, value in expected.items() if value not in {"", "-", "0x0"}
    }
    assert found.computer == as_xml_has_it(computer)


def as_xml_has_it(text: str) -> str:
    ends = text.replace("\r\n", "\n").replace("\r", "\n")
    allowed = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", ends)
    return allowed.strip()


NEEDED = (
    "<EventID>4625</EventID>",
    "<EventRecordID>5</EventRecordID>",
    f"<Channel>{SECURITY}</Channel>",
    "<Computer>c</Computer>",
    "<TimeCreated SystemTime='2026-11-21T08:15:30Z'/>",
    "</System>",
)
NOISE = (
    *NEEDED,
    "<System>",
    "<EventID>1</EventID>",
    "<Channel>Application</Channel>",
    "<X>",
    "<!--",
    "<![CDATA[",
    "<?p ",
    "<EventData><Data Name='a'>b</Data></EventData>",
)
NOISE_ENDS = {
    "<X>": "</X>",
    "<!--": "-->",
    "<![CDATA[": "]]>",
    "<?p ": "?>",
    "<System>": NEEDED[-1],
}


@st.composite
def pieces_of_events(draw: st.DrawFn) -> list[str]:
    pieces = [*draw(st.permutations(NEEDED[:-1])), NEEDED[-1]]
    for piece in draw(st.lists(st.sampled_from(NOISE), max_size=4)):
        at = draw(st.integers(0, len(pieces)))
        pieces[at:at] = [piece, NOISE_ENDS[piece]] if piece in NOISE_ENDS else [piece]
    return pieces


@given(pieces_of_events())
def test_the_quick_look_and_the_whole_look_agree(pieces: list[str]) -> None:
    """Whatever is well-formed: what matters by its elements is never dropped."""
    for head in ("<Event><System>", "<Event><!----><System>"):
        xml = f"{head}{''.join(pieces)}</Event>"
        try:
            root = ET.fromstring(xml)
        except ET.ParseError:
            continue
        system = root.find("System")
        said = {} if system is None else {child.tag: child for child in reversed(system)}
        wanted = {"EventID": "4625", "Channel": SECURITY}
        matters = all(name in said and said[name].text == text for name, text in wanted.items())
        complete = {"EventRecordID", "TimeCreated"} <= said.keys()
        assert isinstance(read(xml), Rendered) == (matters and complete)


@st.composite
def damaged_events(draw: st.DrawFn) -> str:
    xml = event(data=FAILURE)
    begin, end = draw(st.integers(0, len(xml))), draw(st.integers(0, len(xml)))
    return xml[:begin] + draw(st.text(max_size=20)) + xml[end:]


@given(st.text() | damaged_events())
def test_nothing_is_an_exception(xml: str) -> None:
    assert isinstance(read(xml), Unread | Rendered)
    assert isinstance(glance(xml), Unread | Glance)
