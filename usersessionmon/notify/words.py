"""A language and a time zone: the English for the Chinese that ``text`` is written in, how times
and spans are said, and what every notice says of its server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from usersessionmon.model import Moment

from .settings import PersonSettings

_ENGLISH = {
    "用户登录通知": "User login notice · 通知",  # a bot's keyword outlives a change of language
    "用户登出通知": "User logout notice · 通知",
    "登录失败通知": "Failed login notice · 通知",
    "提权通知": "Elevation notice · 通知",
    "大量登录失败告警通知": "Many failed logins · 通知",
    "大量登录失败结束通知": "Failed logins have ceased · 通知",
    "大量登录失败持续通知": "Failed logins go on · 通知",
    "账户试探持续通知": "Account sweep goes on · 通知",
    "大量登录失败持续": "failures-go-on",
    "账户试探持续": "account-sweep-goes-on",
    "仍在继续；这是一天的合计": "it goes on; this is the sum of a day",
    "账户试探通知": "Account sweep · 通知",
    "账户试探结束通知": "Account sweep has ceased · 通知",
    "测试通知": "Test notice · 通知",
    "可疑日志通知": "Suspicious log lines · 通知",
    "监控异常通知": "Monitor trouble · 通知",
    "监控异常": "monitor-trouble",
    "发现时间": "Found at",
    "问题": "Trouble",
    "状态数据库已损坏": "the state database is damaged",
    "状态数据库已损坏，已移到一旁，并由日志重建": (
        "the state database is damaged: set aside, and rebuilt from the log"
    ),
    "旧文件": "Old file",
    "已找回": "Recovered",
    "{} 条历史会话，{} 条待发通知": "{} past sessions, {} waiting notices",
    "不再重复": "Not told again",
    "{} 及以前的事件": "what happened until {}",
    "可能缺失": "May be missing",
    "日志范围以前的会话，以及损坏前片刻的通知": (
        "sessions older than the log, and notices of the last moments before"
    ),
    "会话通知汇总：{} 条": "Session digest · 通知: {} events",
    "夜间会话通知汇总：{} 条": "Session digest of the night · 通知: {} events",
    "每日会话通知汇总：{} 条": "Session digest of the day · 通知: {} events",
    "通知丢弃通知": "Dropped notices · 通知",
    "通知丢弃": "notices-dropped",
    "渠道": "Channel",
    "丢弃数量": "Dropped",
    "原因": "Reason",
    "普通 {} 条，异常 {} 条": "{} routine, {} abnormal",
    "事件时间": "Of the time",
    "{} 至 {}": "{} to {}",
    "待发的通知过多或等待过久（见 outbox.max_notices、outbox.max_days）": (
        "too many notices waited, or for too long (outbox.max_notices, outbox.max_days)"
    ),
    "每日汇总通知": "Summary of the day · 通知",
    "每日汇总": "day-summary",
    "时段": "Period",
    "{} 次登录": "{} logins",
    "{} 个地址": "{} addresses",
    "{} 个地址以上": "more than {} addresses",
    "最长 {}": "the longest {}",
    "失败 {} 次": "{} failures",
    "{} 次已单独通知": "{} told by themselves",
    "，": ", ",
    "其他连接": "Other connections",
    "另有 {} 个仍在线": "{} still on",
    "连接数": "Connections",
    "占用": "Claimed",
    "主机占用通知": "Host claimed · 通知",
    "主机释放通知": "Host released · 通知",
    "主机占用": "host-claimed",
    "主机释放": "host-released",
    "占用人": "Claimed by",
    "占用时间": "Claimed at",
    "占用至": "Until",
    "释放人": "Released by",
    "释放时间": "Released at",
    "至 {}": "until {}",
    "{who} 已占用本机至 {until}": "{who} has claimed this host until {until}",
    "{}（由 {} 代为登记）": "{} (by {})",
    "{}（{}）": "{} ({})",
    "{}，使用前烦请先与其联系": "{}; please ask them first",
    "服务器": "Server",
    "服务器IP": "Server IP",
    "用户名": "User",
    "IP地址": "IP address",
    "登录时间": "Login time",
    "登出时间": "Logout time",
    "失败时间": "Failure time",
    "提权时间": "Elevation time",
    "发送时间": "Sent at",
    "核对": "Check",
    "日志所说的进程不存在，可能是伪造的日志": "no such process: the log line may be forged",
    "日志所说的进程不是 sshd，可能是伪造的日志": "that process is no sshd: the line may be forged",
    "日志所说的进程早已登录过，可能是伪造的日志": "that process logged in before: may be forged",
    "冒充": "In the name of",
    "写入者": "Written by",
    "其他写入者": "Others",
    "{} 条": "{}",
    "最早": "First",
    "最近": "Last",
    "可疑日志": "suspicious-lines",
    "有人以登录程序的名义写日志；这些日志未被采信": (
        "somebody writes log lines in the name of login programs; they are not believed"
    ),
    "注意": "Unusual",
    "此前来自同一地址的失败 {times} 次，最近一次在 {span}之前": (
        "follows {times} failures from the same address, the last {span} before"
    ),
    "此用户首次登录此服务器（自 {since} 起已知 {total} 次登录）": (
        "this user's first login on this server ({total} logins known since {since})"
    ),
    "此用户首次从 {place} 登录（自 {since} 起已知 {total} 次登录）": (
        "this user's first login from {place} ({total} logins known since {since})"
    ),
    "高权限账户以密码登录（{place}）": "a powerful account, and a typed password ({place})",
    "不在允许的登录时间内（{place}）": "outside the hours that are allowed ({place})",
    "不是此用户惯常的登录时间：已知的 {total} 次登录中，{place} 之间只有 {times} 次": (
        "not this user's usual hour: of {total} known logins {times} between {place}"
    ),
    "此用户同时还从另外 {times} 个网络在线：{place}": (
        "this user is also on from other networks ({times}): {place}"
    ),
    "会话超过 {span}": "the session was longer than {span}",
    "会话远长于以往：最近 {total} 次最长为 {span}": (
        "far longer than usual: the longest of the last {total} took {span}"
    ),
    "此用户的会话在 {span}内第 {times} 次异常结束": (
        "abnormal ends of this user's sessions within {span}: {times}"
    ),
    "{} 分钟内来自同一地址的失败过多；平息后汇总": (
        "too many failures from one address within {} minutes; the sum follows when they cease"
    ),
    "{} 分钟内同一账户的失败过多；平息后汇总": (
        "too many failures on one account within {} minutes; the sum follows when they cease"
    ),
    "{} 分钟内此服务器上的失败过多；此后不再逐个通知，平息后一并汇总": (
        "too many failures on this server within {} minutes; one sum of all follows when they cease"
    ),
    "{} 分钟内同一地址试探了多个不存在的账户；平息后汇总": (
        "one address tried several accounts that do not exist within {} minutes; the sum follows"
    ),
    "已有 {} 分钟没有新的失败": "no further failures for {} minutes",
    "开始时间": "Began",
    "涉及账户": "Accounts",
    "来源地址": "Addresses",
    "{} 个": "{}",
    "{} 个以上": "more than {}",
    "大量登录失败告警": "many-failures",
    "大量登录失败结束": "failures-ceased",
    "账户试探": "account-sweep",
    "账户试探结束": "account-sweep-ceased",
    "日志静默通知": "Silent log · 通知",
    "日志恢复通知": "The log speaks again · 通知",
    "日志静默": "silent-log",
    "日志恢复": "log-speaks",
    "日志": "Log",
    "察觉时间": "Noticed",
    "恢复时间": "Well again since",
    "新连接": "New connections",
    "有人连上 sshd，日志却没有新内容": "people connect to sshd and the log says nothing",
    "日志恢复；其间的登录和登出可能未被记录": (
        "the log speaks again; who came and went meanwhile may not be in it"
    ),
    "每日会话报告通知": "Daily session report · 通知",
    "每日会话报告": "daily-report",
    "统计时段": "Period",
    "登录情况": "Logins",
    "{} 人，{} 次会话": "{} users, {} sessions",
    "无人登录": "nobody logged in",
    "用户会话": "User",
    "其余用户": "Other users",
    "{} 人": "{}",
    "当前在线": "On now",
    "{} 个会话": "{} sessions",
    "异常结束": "Abnormal ends",
    "{} 次": "{} times",
    "失败登录": "Failed logins",
    "失败来源": "Failed from",
    "失败账户": "Failed as",
    "无": "none",
    "日志识别": "Understood",
    "没有日志": "no lines",
    "{} / {} 行（{}%）": "{} of {} lines ({}%)",
    "最近日志": "Last line",
    "待发通知": "Waiting notices",
    "已丢弃通知": "Dropped notices",
    "在线": "on now",
    "来自 {}": "from {}",
    "提权为 {}": "became {}",
    "{}：{}": "{}: {}",
    "监控正常通知": "The monitor is well · 通知",
    "监控正常": "monitor-well",
    "运行自": "Running since",
    "监控中断通知": "The monitor was down · 通知",
    "监控中断": "monitor-was-down",
    "中断时段": "Down",
    "中断时长": "For",
    "正常停止": "Stopped in order",
    "期间主机重启": "Host rebooted",
    "否": "no",
    "其间的登录和登出若仍在日志中，随后补发": (
        "who came and went meanwhile is told now, late, as far as the log still has it"
    ),
    "监控覆盖率下降通知": "Less of the log is understood · 通知",
    "监控覆盖率恢复通知": "The log is understood again · 通知",
    "覆盖率下降": "coverage-fell",
    "覆盖率恢复": "coverage-is-back",
    "以往": "Usually",
    "程序": "Programs",
    "未识别": "Not understood",
    "能识别的日志明显变少：登录和登出可能漏报": (
        "far fewer lines are understood than usual: logins and logouts may be missed"
    ),
    "大多数日志又能识别了": "most lines are understood again",
    "服务器读取异常通知": "Servers cannot be read · 通知",
    "服务器读取恢复通知": "Servers are read again · 通知",
    "服务器无法读取": "servers-not-read",
    "服务器读取恢复": "servers-read-again",
    "被读取的服务器": "Server that is read",
    "正在连接": "connecting",
    "无法连接": "not reachable",
    "没有读取权限": "access denied",
    "缺少必要的日志通道": "a needed channel is missing",
    "账户被拒绝，不再重试": "the account is refused, not tried again",
    "已恢复，自 {} 起中断": "read again, was away since {}",
    "{}，自 {}": "{}, since {}",
    "另有": "And",
    "{} 台": "{} more",
    "服务器的事件日志无法读取，登录和登出可能漏报": (
        "the servers' event logs cannot be read: logins and logouts may be missed"
    ),
    "其间的记录若仍在日志中，随后补发": (
        "what happened meanwhile is told now, late, as far as the logs still have it"
    ),
    "通知渠道异常通知": "A channel does not deliver · 通知",
    "通知渠道恢复通知": "A channel delivers again · 通知",
    "渠道异常": "channel-trouble",
    "渠道恢复": "channel-works",
    "答复": "It said",
    "没有答复": "no answer",
    "未送达自": "Nothing since",
    "超出频率限制": "too fast",
    "暂时不可用": "not reachable for now",
    "拒收内容": "refused the content",
    "配置有误": "configuration: held until it is mended",
    "答复无法识别": "an unknown answer",
    "曾送达": "delivered before",
    "客户端": "Client",
    "域": "Domain",
    "会话": "Session",
    "重新连接，程序一直在运行": "reconnected; its programs ran on",
    "已断开，程序仍在运行": "disconnected; its programs run on",
    "结束者": "By whom",
    "被取代": "Replaced",
    "本人从 {} 重新连接": "by their own new connection from {}",
    "本人从别处重新连接": "by their own new connection",
    "重新连接": "reconnected",
    "会话保留": "disconnected",
    "由 {} 结束": "by {}",
    "登录方式": "Method",
    "密钥指纹": "Key fingerprint",
    "密钥": "Key",
    "{}（公钥注释）": "{} (comment in authorized_keys)",
    "{}（证书）": "{} (certificate)",
    "登录用户": "Logged in as",
    "来源": "Logged in from",
    "{}（推断）": "{} (concluded)",
    "服务": "Service",
    "终端": "Terminal",
    "会话时长": "Session length",
    "结束方式": "Ended by",
    "异常": "Abnormal",
    "推断": "Inferred",
    "失败次数": "Attempts",
    "账户": "Account",
    "目标用户": "Became",
    "命令": "Command",
    "说明": "About",
    "延迟送达": "Delivered late",
    "通知编号": "Notice number",
    "未能送达：{}": "Not delivered to: {}",
    "登录": "login",
    "登出": "logout",
    "登录失败": "login-failed",
    "提权": "elevation",
    "测试": "test",
    "主动退出": "left by themselves",
    "网络断开": "connection lost",
    "超时": "timed out",
    "被终止": "ended on the server",
    "关机": "shutdown",
    "重启": "reboot",
    "未知": "unknown",
    "是": "yes",
    "(空)": "(empty)",
    "不存在": "does not exist",
    "日志中没有结束记录，由现状得出": "no line in the log said so; concluded",
    "日志中没有登录记录，由现状得出": "no line in the log said so; found on the host",
    "这是一条测试通知，收到即表示配置正确": "If you can read this, the channel works",
    "{}（重发，先前一条可能已送达）": "{} (sent again, the earlier one may have arrived)",
    "，延迟送达": ", delivered late",
    "，含重发": ", some of them sent again",
    "重发#{}": "again#{}",
    "，重发，通知编号 {}": ", sent again, notice numbers {}",
    "{}小时": "{}h ",
    "{}分": "{}m ",
    "{}秒": "{}s",
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says things in one language (``zh`` or ``en``) and one time zone."""

    language: str
    zone: tzinfo

    def __call__(self, chinese: str) -> str:
        """One of the texts above, in this language."""
        return _ENGLISH[chinese] if self.language == "en" else chinese

    def time(self, moment: Moment) -> str:
        return self.time_us(moment.us) or moment.text

    def time_us(self, us: int) -> str:
        """``2026-11-21 08:15:30``; empty for a moment that no calendar has."""
        try:
            return datetime.fromtimestamp(us // 1_000_000, self.zone).strftime("%Y-%m-%d %H:%M:%S")
        except (OverflowError, ValueError, OSError):
            return ""

    def span(self, seconds: float) -> str:
        """``1小时2分3秒``, parts that are nought left out."""
        minutes, rest = divmod(max(0, int(seconds)), 60)
        hours, minutes = divmod(minutes, 60)
        parts = [
            self(form).format(number)
            for form, number in (("{}小时", hours), ("{}分", minutes), ("{}秒", rest))
            if number
        ]
        return "".join(parts).strip() or self("{}秒").format(0)

    def user(self, name: str | None) -> str | None:
        return self("(空)") if name is not None and not name.strip() else name

    def pairs(self, pairs: Iterable[tuple[str, str | None]]) -> tuple[tuple[str, str], ...]:
        """A notice's lines, named in this language; what is not known is left out."""
        return tuple((self(name), value) for name, value in pairs if value)


@dataclass(frozen=True, slots=True)
class Voice:
    """How a channel speaks, and by which ids it calls people."""

    zone: tzinfo
    language: str = "zh"
    people: Mapping[str, PersonSettings] = field(default_factory=dict)

    @property
    def say(self) -> Speaker:
        return Speaker(self.language, self.zone)


@dataclass(frozen=True, slots=True)
class Server:
    """The server that notices are about, and how they are said."""

    name: str
    ip: str | None
    local_hosts: Collection[str]
    """The names of this machine."""
    zone: tzinfo
    language: str = "zh"
    """``zh`` or ``en`` (``config.Language`` is such a text)."""

    @property
    def say(self) -> Speaker:
        return Speaker(self.language, self.zone)

    def of(self, host: str | None) -> str:
        """What the host of an event is called."""
        return self.name if host is None or host in self.local_hosts else host

    def pairs(self, host: str | None = None) -> list[tuple[str, str | None]]:
        """The first lines of every notice; another host has no address of this one."""
        here = host is None or host in self.local_hosts
        return [("服务器", self.of(host)), ("服务器IP", self.ip if here else None)]
