"""Attacks by web requests, told by what they carry; most of the file is what alerts say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final, NamedTuple

from collector.sightings import Http
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import Calls
from detector.words import Text, Wording


class _Sign(NamedTuple):
    """What a request carries → which attack it is."""

    variant: str
    on: str  # path or user_agent
    pattern: re.Pattern[str]
    score: float
    techniques: tuple[str, ...]
    category: Category
    least_paths: int = 1  # different ones that must carry it


_SIGNS: Final[tuple[_Sign, ...]] = (
    _Sign("log4shell", "both", re.compile(r"(?:\$\{|%24%7b)?jndi:(?:ldap|rmi|dns|ldaps)://", re.I),
          90, ("T1190",), "lateral_movement"),
    _Sign("scanner", "user_agent", re.compile(
        r"nikto|sqlmap|nmap scripting|masscan|zgrab|dirbuster|gobuster|feroxbuster|wpscan|nuclei|"
        r"openvas|nessus|acunetix|w3af|whatweb|joomscan|havij|arachni|skipfish|hydra", re.I),
          65, ("T1595.002", "T1190"), "reconnaissance"),
    _Sign("traversal", "path", re.compile(
        r"(?:\.\./|\.\.\\|\.\.%2f|%2e%2e[/%]|\.\.%5c){2,}|/etc/(?:passwd|shadow)|win\.ini$|boot\.ini$",
        re.I), 70, ("T1190",), "lateral_movement"),
    _Sign("secrets", "path", re.compile(
        r"/\.(?:env|git/(?:config|HEAD)|aws/credentials|htpasswd|ssh/)|/wp-config\.php\.|/web\.config$",
        re.I), 55, ("T1190", "T1552.001"), "reconnaissance"),
    _Sign("command", "path", re.compile(
        r"/(?:bin/(?:ba)?sh|cmd\.exe|powershell)|/cgi-bin/\.%|/vendor/phpunit/.*eval-stdin|"
        r"/(?:HNAP1|GponForm|boaform|goform/set|setup\.cgi|tmUnblock)|"
        r"/(?:c99|r57|b374k|wso|cmd|webshell)\.(?:php|aspx?|jsp)$", re.I),
          75, ("T1190", "T1059"), "lateral_movement"),
    _Sign("gateway", "path", re.compile(
        r"^/remote/fgt_lang|^/dana-na/\.\./|^/vpn/\.\./vpns|^/tmui/login\.jsp/\.\.|^/mgmt/tm/util/bash|"
        r"^/\+CSCOT\+/oem-customization|^/api/v1/totp/user-backup-code/\.\.|^/mifs/\.;|^/mifs/aad/api/v2|"
        r"^/autodiscover/autodiscover\.json.*powershell|^/ews/exchange\.asmx/\?|^/ecp/[\w.]{1,12}\.js$|"
        r"^/wls-wsat/|^/_async/asyncresponseservice|^/console/css/%|^/actuator/gateway/routes/|"
        r"^/_ignition/execute-solution|^/solr/[^/]+/(?:dataimport|config)$|^/invoker/(?:readonly|jmx)|"
        r"^/ui/vropspluginui/rest/|^/sdk/\.\./|^/cgi-bin/(?:luci/;|supervisor/|viewcert|nas_sharing)|"
        r"^/setup/setupadministrator\.action|^/server-info\.action$|^/hax/\.\.CFIDE|^/SetupWizard\.aspx/",
        re.I), 85, ("T1190", "T1133"), "lateral_movement"),
    _Sign("adfs", "path", re.compile(r"^/adfs/services/policystoretransfer", re.I),
          80, ("T1606.002", "T1552"), "credential_access"),
    _Sign("certificate", "path", re.compile(r"^/certsrv/certfnsh\.asp$", re.I),
          55, ("T1649", "T1557.001"), "credential_access"),
    _Sign("class_load", "both", re.compile(r"\.class$", re.I),
          65, ("T1190", "T1105"), "lateral_movement"),
    _Sign("empire", "path", re.compile(r"^/(?:admin/get|news|login/process)\.(?:php|asp|jsp)$"),
          80, ("T1071.001",), "command_and_control", 2),
)  # fmt: skip

_FORM: Final = re.compile(r"^/certsrv/certrq", re.I)
_NOTHING: Final = re.compile(r"(?!)")
#: What the decoder's judgement of a request becomes: wording, score, techniques.
_JUDGED: Final[dict[str, tuple[str, float, tuple[str, ...]]]] = {
    "jndi": ("log4shell", 90, ("T1190",)),
    "shellshock": ("command", 88, ("T1190", "T1059.004")),
    "expression": ("expression", 85, ("T1190", "T1203")),
    "command_injection": ("command", 80, ("T1190", "T1059")),
    "deserialization": ("deserialization", 85, ("T1190",)),
    "upload": ("upload", 75, ("T1190", "T1505.003")),
    "entity": ("entity", 70, ("T1190",)),
    "sql_injection": ("sql_injection", 75, ("T1190",)),
    "traversal": ("traversal", 72, ("T1190", "T1083")),
    "script_injection": ("script_injection", 58, ("T1190", "T1189")),
}
#: Against a server that is not the hospital's: odd web pages do this to themselves.
_THEIR_SERVER: Final = 0.7

_SERVER_STEP: Final = Text(
    ja="{target} の管理者（保守業者）に連絡し、アクセスログと不審なプログラム・ファイルを確認して"
    "ください。"
    "{source} が院内の機器なら、その利用者にも状況を聞いてください。"
    "修正プログラムの適用状況も確認します。",
    en="Call whoever runs {target} (vendor): look at its access log and for unexpected programs "
    "and "
    "files, and whether it is patched. If {source} is inside, ask its user what is going on.",
)


def _says(title: tuple[str, str], why: tuple[str, str], step: Text = _SERVER_STEP) -> Wording:
    return Wording(Text(*title), Text(*why), step)


class WebAttack(Detector):
    """A web request that carries an attack: in its address, its headers, its body or its name.

    The decoder judges each request by classes (SQL injection, scripts, paths that climb, commands,
    look-ups, expressions, crafted objects, uploads of server programs) and keeps the class and the
    words that gave it away, nothing else. Requests to other people's servers weigh less.

    Known marks: Log4Shell look-ups, path traversal, requests for secret files, web shells and
    router exploits, the names of attack scanners, Java classes loaded by a server (the second step
    of Log4Shell), export of the AD FS configuration, the default addresses of the Empire agent,
    certificates asked for without the form (`/certsrv`). What follows `?` is not kept for the sake
    of patients' data, so injections there are not seen.

    Why it matters: a departmental system's web page is often the least patched way in.

    False alarms: the hospital's own vulnerability scans (role `scanner`), Java applets of old
    departmental systems, which load classes from their own server.
    """

    id = "web_attack"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1190",)
    reads = Reads(sightings=(Http,))
    wordings = {
        "log4shell": _says(
            (
                "{source} が {target} を Log4Shell で攻撃しています",
                "{source} is attacking {target} by Log4Shell",
            ),
            (
                "ログに書かせた文字列から外部のプログラムを読み込ませる攻撃（CVE-2021-44228）"
                "です。",
                "A text put into the log makes the server load a program (CVE-2021-44228).",
            ),
        ),
        "scanner": _says(
            (
                "{source} が攻撃用の診断ツールで {target} を調べています（{sign}）",
                "{source} is probing {target} with an attack scanner ({sign})",
            ),
            (
                "ツール自身が名乗っています。予定された脆弱性診断でなければ、侵入の準備です。",
                "The tool gives its own name. Unless a vulnerability scan is planned, it prepares "
                "an "
                "intrusion.",
            ),
        ),
        "traversal": _says(
            (
                "{source} が {target} の公開範囲外のファイルを読もうとしています（{sign}）",
                "{source} tries to read files of {target} outside its pages ({sign})",
            ),
            (
                "パスをさかのぼって、設定やパスワードのファイルを盗む攻撃です。",
                "Going up the path steals settings and password files.",
            ),
        ),
        "secrets": _says(
            (
                "{source} が {target} の秘密ファイルを探しています（{sign}）",
                "{source} is looking for secret files on {target} ({sign})",
            ),
            (
                "パスワードや鍵を含む設定ファイルを、決まった名前で探す動きです。",
                "It asks for settings files that hold passwords or keys, by their usual names.",
            ),
        ),
        "command": _says(
            (
                "{source} が {target} でコマンドを実行させようとしています（{sign}）",
                "{source} tries to make {target} run commands ({sign})",
            ),
            (
                "ウェブ画面の欠陥や裏口（Web シェル）からコマンドを実行する攻撃です。",
                "It runs commands by a flaw of the web page or by a back door (web shell).",
            ),
        ),
        "gateway": _says(
            (
                "{source} が {target} の既知の弱点を突いています（{sign}）",
                "{source} is exploiting a known hole of {target} ({sign})",
            ),
            (
                "VPN 装置や業務サーバーの、侵入に多用される弱点だけが持つ URL です。"
                "半田病院の侵入も "
                "VPN 装置の弱点から始まりました。",
                "This address is only asked for to use a hole of VPN gateways or servers that "
                "intruders know well; the Handa hospital was entered through one.",
            ),
        ),
        "expression": _says(
            (
                "{source} が {target} にプログラムを実行させようとしています（{sign}）",
                "{source} tries to make {target} evaluate code ({sign})",
            ),
            (
                "Struts・Spring・Confluence などの枠組みに、入力をプログラムとして実行させる攻撃"
                "です。成功するとサーバーを乗っ取られます。",
                "Frameworks such as Struts, Spring or Confluence are made to run input as code. If "
                "it works the server is taken over.",
            ),
        ),
        "deserialization": _says(
            (
                "{source} が {target} に細工したオブジェクトを送りました（{sign}）",
                "{source} sent {target} a crafted object ({sign})",
            ),
            (
                "読み込むだけで命令が実行される部品を含むデータです。",
                "The data holds parts that run commands as soon as they are read.",
            ),
        ),
        "upload": _says(
            (
                "{source} が {target} にサーバー用プログラムを置こうとしています（{sign}）",
                "{source} is placing a server program on {target} ({sign})",
            ),
            (
                "置かれたファイルは裏口（Web シェル）になります。保守業者の更新作業でなければ侵入"
                "です。",
                "Such a file becomes a back door (web shell). Unless the vendor is updating the "
                "site, it is an intrusion.",
            ),
        ),
        "entity": _says(
            (
                "{source} が {target} の XML 処理からファイルを盗もうとしています（{sign}）",
                "{source} tries to steal files through the XML reader of {target} ({sign})",
            ),
            (
                "外部実体（XXE）を使い、サーバー内のファイルや内部の通信先を読み出す攻撃です。",
                "External entities (XXE) read the server's files or reach hosts behind it.",
            ),
        ),
        "sql_injection": _says(
            (
                "{source} が {target} のデータベースに命令を紛れ込ませています（{count} 回、"
                "{sign}）",
                "{source} is slipping commands to the database of {target} ({count} requests, "
                "{sign})",
            ),
            (
                "SQL インジェクションです。診療情報や ID・パスワードの表を抜き出す、書き換える、と"
                "いった被害になります。",
                "SQL injection: it reads or changes tables, patient records and passwords "
                "included.",
            ),
        ),
        "script_injection": _says(
            (
                "{source} が {target} の画面にスクリプトを埋め込もうとしています（{sign}）",
                "{source} tries to plant a script in a page of {target} ({sign})",
            ),
            (
                "クロスサイトスクリプティングです。画面を開いた職員のログインが乗っ取られます。",
                "Cross-site scripting: who opens the page loses the session to the attacker.",
            ),
        ),
        "adfs": _says(
            (
                "{source} が認証サーバー {target} の設定（署名鍵を含む）を取り出しています",
                "{source} is exporting the settings of sign-on server {target}, keys included",
            ),
            (
                "AD FS の署名鍵が盗まれると、誰にでもなりすませます（Golden SAML）。この通信は AD "
                "FS サーバー"
                "同士でしか行いません。",
                "With the AD FS signing key anybody can be impersonated (Golden SAML). Only AD FS "
                "servers speak to each other like this.",
            ),
        ),
        "certificate": _says(
            (
                "{source} が認証局 {target} の Web 登録に、画面を開かず証明書を要求しました",
                "{source} asked the web enrolment of {target} for a certificate without its pages",
            ),
            (
                "人が申請すると先に入力画面が開きます。いきなり要求だけを送るのは、"
                "横取りした認証を使って他人名義の証明書を得る攻撃（ESC8）の形です。",
                "A person opens the form first. A bare request is how a relayed logon is turned "
                "into a certificate in another's name (ESC8).",
            ),
        ),
        "class_load": _says(
            (
                "{source} が {target} から Java プログラムを読み込みました（{sign}）",
                "{source} loaded a Java program from {target} ({sign})",
            ),
            (
                "サーバーが他の機器から Java クラスを読み込むのは、Log4Shell "
                "などの攻撃の第二段階です。",
                "A server that loads Java classes from another machine is the second step of "
                "Log4Shell "
                "and its kin.",
            ),
        ),
        "empire": _says(
            (
                "{source} が {target} と攻撃ツール Empire の既定の形で通信しています（{count} 回）",
                "{source} talks to {target} in the default pattern of the Empire agent ({count} "
                "times)",
            ),
            (
                "遠隔操作プログラムが指令を受け取る通信です。{source} "
                "は乗っ取られている可能性が高いです。",
                "An implant fetching its orders: {source} is probably taken over.",
            ),
            Text(
                "{source} を LAN から外し、{target} への通信をファイアウォールで止め、"
                "情報システム責任者へ"
                "報告してください。",
                "Take {source} off the LAN, block {target} at the firewall and report to the head "
                "of IT.",
            ),
        ),
    }

    def remember(self) -> dict[tuple[str, str, str], set[str]]:
        return {}  # (source, target, variant) → paths that carried the sign

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        seen: dict[tuple[str, str, _Sign], Calls] = {}
        for request in window.of(Http):
            if not request.ip:
                continue
            if _FORM.match(request.path):  # a person fills in the form before it is sent
                memory[request.ip, request.peer_ip, "certificate"] = set()
            for sign, what in _signs_of(request):
                if sign.variant == "certificate" and not memory.get(
                    (request.ip, request.peer_ip, sign.variant), {""}
                ):
                    continue
                calls = seen.setdefault((request.ip, request.peer_ip, sign), Calls())
                calls.add(request, what)
        for (source, target, sign), calls in seen.items():
            if len(memory) > 50_000:
                memory.clear()
            paths = memory.setdefault((source, target, sign.variant), set())
            paths.update(list(calls.names)[:50])
            if len(paths) < sign.least_paths:
                continue
            if window.hosts.at(source).role == "scanner":
                continue
            yield Finding(
                source=source,
                targets=(target,),
                score=sign.score * self._reach(window, target, sign),
                confidence=0.95,
                first_ns=calls.first_ns,
                last_ns=calls.last_ns,
                facts={"sign": list(calls.names)[:3], "count": len(calls.sightings)},
                variant=sign.variant,
                techniques=sign.techniques,
                category=sign.category,
                app="http",
                flows=calls.flows(),
            )

    def _reach(self, window: Window, target: str, sign: _Sign) -> float:
        is_ours = sign.category == "command_and_control" or window.hospital.is_inside(target)
        return 1.0 if is_ours else _THEIR_SERVER


def _signs_of(request: Http) -> Iterator[tuple[_Sign, str]]:
    """What the decoder judged, then what the path or the program's name tells beyond it."""
    judged = _JUDGED.get(request.attack)
    if judged is not None:
        variant, score, techniques = judged
        sign = _Sign(variant, "", _NOTHING, score, techniques, "lateral_movement")
        yield sign, request.excerpt
    for sign in _SIGNS:
        if (judged is None or sign.variant != judged[0]) and _carries(request, sign):
            yield sign, _what(request, sign)


def _carries(request: Http, sign: _Sign) -> bool:
    if sign.variant == "class_load":
        return "java/" in request.user_agent.lower() and bool(sign.pattern.search(request.path))
    if sign.on in ("path", "both") and sign.pattern.search(request.path):
        return True
    return sign.on in ("user_agent", "both") and bool(sign.pattern.search(request.user_agent))


def _what(request: Http, sign: _Sign) -> str:
    by_name = sign.on == "user_agent" or (
        sign.on == "both"
        and sign.variant != "class_load"
        and sign.pattern.search(request.user_agent)
    )
    return (request.user_agent if by_name else request.path)[:80]
