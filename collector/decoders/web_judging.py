"""Judge a web request: which class of attack its target, headers or body carry, if any.

Kept are the class and a short piece of what gave it away, with long numbers blotted out, so that
no patient value stays.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from collector.decoders.wire import readable

_EXCERPT_CHARS: Final = 80
_LONGEST_BODY: Final = 4096
#: Nothing below can match without one of these.
_TELLING: Final = re.compile(
    rb"[<>'\"`|$(){}\\;%#]|\.\.|/etc/|php:|data:|file:|union|select|\ssleep|rO0AB|\xac\xed\x00\x05|O:\d"
    rb"|lassLoader|java\.|[+ ](?i:and|or|union)[+ ]"
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{p})" for p in patterns), re.I | re.S)


_SHELL_WORDS: Final = (
    r"(?:cat|ls|dir|id|whoami|uname|wget|curl|ncat?|netcat|bash|sh|ping|powershell|cmd(?:\.exe)?"
    r"|certutil|python\d?|perl|php|ruby|busybox|t?ftp|chmod|rm|type|ipconfig|ifconfig|net|nslookup"
    r"|sleep|touch|telnet|bitsadmin|mshta|regsvr32|rundll32)"
)
_LOOKUP: Final = _any(  # Log4Shell and how it is disguised
    r"\$\{\s*jndi\s*:", r"\$\{[^{}]{0,40}\$\{(?:lower|upper|env|sys|date|java|base64|[^}]{0,30}:-)"
)
_SHELLSHOCK: Final = _any(r"\(\)\s*\{[^}]{0,60}\}\s*;")
_EXPRESSION: Final = _any(  # OGNL, SpEL, templates: code that a framework evaluates
    r"#_memberaccess|ognl\.ognlcontext|#context\[|@ognl", r"class\.module\.classloader",
    r"java\.lang\.(?:runtime|processbuilder|processimpl)|getruntime\(\)",
    r"javax\.script\.scriptenginemanager|freemarker\.template", r"[%$]\{\s*\(?#\w+\s*=",
    r"[$#*]\{\s*(?:t\(|new\s+java|\d+\s*\*\s*\d+\s*\})",
    r"\{\{[^}]{0,60}(?:__class__|__globals__|__subclasses__|constructor|\d+\s*\*\s*\d+)",
)  # fmt: skip
_ENTITY: Final = _any(r"<!entity\s+%?\s*\S+\s+(?:system|public)\s")
_SQL: Final = _any(
    r"\bunion\b[\s(]+(?:all\s+|distinct\s+)?\(?\s*select\b",
    r"['\"`)]\s*\)*\s*(?:or|and|\|\||&&|xor)\s*[\s('\"`]+-?\d+['\")]*\s*(?:=|<|>|like)\s*['\"(]*\d+",
    r"['\"`]\s*\)*\s*(?:or|and|\|\||&&)\s*\(?['\"`][^'\"=]{0,20}['\"`]\s*(?:=|like)\s*\(?['\"`]",
    r"\b(?:or|and)\s+(\d{1,6})\s*=\s*\1\b",
    r";\s*(?:drop|truncate|alter|create)\s+(?:table|database|user|login)\b",
    r"['\");]\s*;?\s*(?:insert\s+into|delete\s+from|update\s+\w+\s+set)\b",
    r"['\");]\s*;?\s*exec(?:ute)?\s+(?:master|xp_|sp_)",
    r"\b(?:pg_sleep|benchmark|extractvalue|updatexml|load_file|xp_cmdshell|sys_eval|dbms_pipe\.\w+"
    r"|utl_http\.request|group_concat)\s*\(",
    r"['\"\s)](?:and|or|,|\+|select)?\s*sleep\s*\(\s*\d", r"waitfor\s+delay\s+['\"]",
    r"\binformation_schema\b|\bsqlite_master\b|\bpg_catalog\.|\bsysobjects\b|@@version\b",
    r"['\"]\s*\)*\s*;?\s*select\b[^&]{1,120}\bfrom\b", r"[\w']'\s*(?:--|#|/\*)\s*\S{0,3}(?:$|\n)",
    r"\border\s+by\s+\d{1,3}\s*(?:--|#)", r"\binto\s+(?:out|dump)file\b",
)  # fmt: skip
_SCRIPT: Final = _any(
    r"<script[\s>/]",
    r"<(?:img|svg|iframe|body|object|embed|video|audio|details|input|a)\b[^>]{0,200}"
    r"\bon[a-z]{3,20}\s*=", r"javascript:\s*(?:alert|eval|document|window|prompt|confirm|fetch)",
    r"['\"][^'\"]{0,20}\bon(?:error|load|mouseover|focus|click|toggle)\s*=",
    r"document\.(?:cookie|domain|location)\b|string\.fromcharcode\(",
    r"(?:^|[^\w.])(?:alert|prompt|confirm)\((?:\d+|['\"`]|document)",
    r"<iframe\b[^>]{0,100}src\s*=",
)  # fmt: skip
_TRAVERSAL: Final = _any(
    r"(?:\.\.[/\\]){2,}", r"/etc/(?:passwd|shadow|group|hosts)\b", r"/\.\.;/|/\.;/",
    r"\b(?:win|boot|system)\.ini\b", r"/proc/(?:self|\d+)/(?:environ|cmdline|fd|maps)",
    r"(?:php|expect|zip|phar|glob)://|data:(?://)?text/plain;base64|=file:///",
    r"[/\\]windows[/\\]system32[/\\]",
)  # fmt: skip
_COMMAND: Final = _any(
    rf"(?:[;|`\n]|&&|\|\||\$\()\s*(?:/(?:usr/)?bin/)?{_SHELL_WORDS}"
    r"(?=\s*(?:$|[;|&`)<>])|\s+[\w./~$%{'\"-])",
    r"/bin/(?:ba|da|z|k)?sh\b", r"\bcmd(?:\.exe)?\s*/c\s", r"\bpowershell(?:\.exe)?\s+-\w",
    r"\b(?:wget|curl)\s+(?:-\w+\s+)*(?:https?|ftp|tftp)://", r"/dev/tcp/\S+/\d",
    r"\bnc\s+(?:-\w+\s+)*\S+\s+\d{2,5}\b", r"\$\{ifs\}",
    r"<\?php\b.{0,200}?\b(?:system|exec|passthru|shell_exec|eval|assert|popen)\s*\(",
    r"\beval\s*\(\s*(?:base64_decode|gzinflate|\$_(?:post|get))",
    r"\b(?:system|passthru|shell_exec|phpinfo)\s*\(\s*['\"$)]", r"\ballow_url_include\s*=",
)  # fmt: skip
_UPLOAD: Final = _any(
    r"filename\s*=\s*\"?[^\"\r\n]{0,120}"
    r"\.(?:php\d?|phtml|phar|jspx?|jspf|aspx?|ashx|asmx|cer|war|cfm)"
    r"(?:\.\w{2,4}|\\x00\w*|%00\w*)?[\"\s;]",
)  # fmt: skip
_PUT_PROGRAM: Final = re.compile(
    r"\.(?:php\d?|phtml|jspx?|aspx?|ashx|war)(?:/|::\$data|%20)?$", re.I
)
_GADGET: Final = re.compile(
    rb"commons[./]collections|InvokerTransformer|TemplatesImpl|AnnotationInvocationHandler|ysoserial"
    rb"|beanutils[./]BeanComparator|UnicastRef|BadAttributeValueExp|JdbcRowSetImpl|c3p0"
    rb"|ObjectDataProvider|ClassPathXmlApplicationContext|SignedObject"
)  # fmt: skip
_PHP_OBJECT: Final = re.compile(r"(?:^|[=;{])[oc]:\d{1,3}:\"[\w\\]{3,80}\":\d{1,3}:\{", re.I)
_BASE64_JAVA: Final = re.compile(rb"(?:rO0AB|AAEAAAD/////)[A-Za-z0-9+/_-]{20,}")
_DIGITS: Final = re.compile(r"\d{4,}")

#: Whatever may be evaluated is looked for everywhere, what only a page's own input can do is not
#: looked for in headers, where browsers write much that looks alike.
_EVERYWHERE: Final = (
    ("jndi", _LOOKUP), ("shellshock", _SHELLSHOCK), ("expression", _EXPRESSION),
)  # fmt: skip
_IN_INPUT: Final = (
    ("traversal", _TRAVERSAL), ("sql_injection", _SQL), ("command_injection", _COMMAND),
    ("entity", _ENTITY),
)  # fmt: skip


def judge_request(
    method: bytes, target: bytes, fields: Mapping[str, str], body: bytes
) -> tuple[str, str]:
    """The attack's class and an excerpt, or ("", ""). `target` is the path with its query."""
    if body and (b"\xac\xed\0\x05" in body or b"rO0AB" in body or b"AAEAAAD" in body):
        gadget = _gadget(body)
        if gadget:
            return "deserialization", gadget
    inputs = ""
    if _TELLING.search(target):
        inputs = _decoded_target(target)
    sent = body[:_LONGEST_BODY]
    form = _decoded_body(sent, fields) if sent and _TELLING.search(sent) else ""
    headers = _telling_headers(fields)
    for told, pattern in _EVERYWHERE:
        for text in (inputs, headers, form):
            found = pattern.search(text) if text else None
            if found:
                return told, _excerpt(found)
    for told, pattern in _IN_INPUT:
        for text in (inputs, form):
            found = pattern.search(text) if text else None
            if found:
                return told, _excerpt(found)
    found = _SCRIPT.search(inputs) if inputs else None
    if found:
        return "script_injection", _excerpt(found)
    return _judge_upload(method, target, fields, form, inputs)


def _judge_upload(
    method: bytes, target: bytes, fields: Mapping[str, str], form: str, inputs: str
) -> tuple[str, str]:
    found = _UPLOAD.search(form) if form else None
    if found:
        return "upload", _excerpt(found)
    path = target.partition(b"?")[0].decode("latin-1")
    if method in (b"PUT", b"MOVE", b"COPY") and _PUT_PROGRAM.search(path):
        return "upload", path[-_EXCERPT_CHARS:]
    cookie = fields.get("cookie", "")
    found = _PHP_OBJECT.search(inputs) or (_PHP_OBJECT.search(_decoded(cookie)) if cookie else None)
    if found:
        return "deserialization", _excerpt(found)
    for field in ("cookie", "authorization", "x-token"):
        gadget = _gadget(fields.get(field, "").encode()) if field in fields else ""
        if gadget:
            return "deserialization", gadget
    return "", ""


def _gadget(raw: bytes) -> str:
    """The class that makes a serialized object run code, if one stands in it."""
    found = _GADGET.search(raw)
    if found and (b"\xac\xed\0\x05" in raw or b"AAEAAAD" in raw):
        return found[0].decode("latin-1")
    for coded in _BASE64_JAVA.finditer(raw):
        text = coded[0].translate(bytes.maketrans(b"-_", b"+/"))
        try:
            found = _GADGET.search(base64.b64decode(text[: len(text) // 4 * 4]))
        except binascii.Error:
            continue
        if found:
            return found[0].decode("latin-1")
    return ""


def _decoded_target(target: bytes) -> str:
    """Path and each value of the query, decoded twice, one a line: `&` parts, it is no operator."""
    path, _, query = target.partition(b"?")
    parts = [path, *(p.replace(b"+", b" ") for p in query.split(b"&"))]
    return "\n ".join(_plain(p) for p in parts if p)


def _decoded_body(body: bytes, fields: Mapping[str, str]) -> str:
    if "urlencoded" in fields.get("content-type", ""):
        return "\n ".join(_plain(p.replace(b"+", b" ")) for p in body.split(b"&"))
    return body.decode("latin-1")


def _telling_headers(fields: Mapping[str, str]) -> str:
    told = [v for v in fields.values() if "${" in v or "%{" in v or "#{" in v or "{ " in v
            or "(){" in v or "java." in v or "%24%7b" in v.lower()]  # fmt: skip
    return "\n ".join(_decoded(v) for v in told)


def _plain(part: bytes) -> str:
    once = unquote_to_bytes(part)
    text = (unquote_to_bytes(once) if b"%" in once else once).decode("latin-1")
    return re.sub(r"/\*.{0,40}?\*/", " ", text) if "/*" in text else text


def _decoded(text: str) -> str:
    return _plain(text.encode("utf-8", "replace"))


def _excerpt(found: re.Match[str]) -> str:
    text = readable(found[0].strip().encode("latin-1", "replace"), _EXCERPT_CHARS)
    return _DIGITS.sub("#", text)
