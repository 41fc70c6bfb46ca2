"""What the alerts on remote calls say; one wording a variant."""

from __future__ import annotations

from typing import Final

from detector.lateral.account_words import ACCOUNT_WORDINGS, ASK_DIRECTORY, CHECK, says
from detector.words import Wording

_RUNS_JA: Final = (
    "侵入者が隣の機器へ広がるとき最もよく使う方法です。管理ツールも同じ呼び出しを使うので、"
)
_RUNS_EN: Final = (
    "Intruders spread to the next machine this way more than any other. Administration tools use "
    "the same calls, so "
)


CALL_WORDINGS: Final[dict[str, Wording]] = {
    **ACCOUNT_WORDINGS,
    "service": says(
        (
            "{source} が {target} でサービスを遠隔操作し、プログラムを実行しました（{calls}）",
            "{source} created or started a service on {target}, which runs a program ({calls})",
        ),
        (
            "PsExec や smbexec の動きです。" + _RUNS_JA + "予定された作業かどうかが分かれ目です。",
            "This is what PsExec and smbexec do. " + _RUNS_EN + "what decides is whether it was "
            "planned.",
        ),
    ),
    "service_rights": says(
        (
            "{source} が {target} のサービスのアクセス権を遠隔で変更しました（{calls}）",
            "{source} changed who may control a service of {target} ({calls})",
        ),
        (
            "権限を緩めたサービスは、あとから誰でもプログラムの実行に使えます。"
            "目立たない裏口です。",
            "A service whose rights were loosened lets anybody run a program later; it is a back "
            "door that draws no attention.",
        ),
    ),
    "service_stop": says(
        (
            "{source} が {target} のサービスを遠隔で停止・削除しました（{calls}）",
            "{source} stopped or deleted a service on {target} ({calls})",
        ),
        (
            "ウイルス対策やバックアップ、データベースを止めるのは、"
            "暗号化の直前によく見られる準備です。",
            "Stopping antivirus, backup or a database is a usual preparation just before "
            "encryption.",
        ),
    ),
    "service_manager": says(
        (
            "{source} が {count} 台の機器のサービス管理画面を遠隔で開きました",
            "{source} opened the service manager of {count} hosts remotely",
        ),
        (
            "自分が管理者になれる機器を探す手口（FindLocalAdmin）でも、管理者の点検でも見られます。"
            "短時間に複数台なら探索を疑います。",
            "Seen when an administrator looks at services, and when an intruder tests where an "
            "account is administrator; several hosts in a short time point to the latter.",
        ),
        CHECK,
    ),
    "task": says(
        (
            "{source} が {target} にタスクを遠隔登録・実行しました（{calls}）",
            "{source} registered or ran a scheduled task on {target} ({calls})",
        ),
        (
            "atexec などの動きです。" + _RUNS_JA + "予定された作業かどうかを確かめます。",
            "This is what atexec does. " + _RUNS_EN + "check whether it was planned.",
        ),
    ),
    "wmi": says(
        (
            "{source} が WMI で {target} のプログラムを遠隔実行しました（{calls}）",
            "{source} ran a method on {target} by WMI, as wmiexec does ({calls})",
        ),
        (
            "ファイルを残さずに他の機器を操れる方法です。"
            + _RUNS_JA
            + "予定された作業かを確かめます。",
            "It controls another machine without leaving a file. "
            + _RUNS_EN
            + "check whether it was planned.",
        ),
    ),
    "wmi_subscription": says(
        (
            "{source} が {target} の WMI に常駐の仕掛けを書き込みました（{calls}）",
            "{source} wrote objects into WMI on {target}, a way to stay resident ({calls})",
        ),
        (
            "WMI のイベント購読は、再起動後も残るプログラムの隠し場所に使われます。",
            "Event subscriptions in WMI are a hiding place for programs that survive a restart.",
        ),
    ),
    "wmi_query": says(
        (
            "{source} が WMI で {target} に接続しました（{calls}）",
            "{source} connected to WMI on {target} ({calls})",
        ),
        (
            "資産管理ソフトでも使われますが、端末同士では普通ありません。"
            "続けて遠隔実行が起きていないか見ます。",
            "Asset inventories do this, terminals to each other do not. See whether a remote "
            "execution follows.",
        ),
        CHECK,
    ),
    "dcom": says(
        (
            "{source} が DCOM で {target} のアプリケーションを遠隔操作しました（{calls}）",
            "{source} drove an application on {target} by DCOM ({calls})",
        ),
        (
            "MMC・エクスプローラー・Excel などを遠隔で起動して命令させる手口です。"
            "正規の部門システムの"
            "DCOM もありますが、端末同士で突然始まることはありません。",
            "MMC, Explorer or Excel started remotely can be made to run commands. Some "
            "departmental "
            "systems use DCOM properly, but it does not begin suddenly between terminals.",
        ),
    ),
    "registry": says(
        (
            "{source} が {target} のレジストリを遠隔で書き換えました（{calls}）",
            "{source} changed the registry of {target} remotely ({calls})",
        ),
        (
            "防御を弱めたり、プログラムを常駐させたりする手段です。",
            "It can weaken defences or keep a program resident.",
        ),
        CHECK,
    ),
    "printer_bug": says(
        (
            "{source} が {target} の印刷サービスに認証を強要しています（PrinterBug、{calls}）",
            "{source} makes the print service of {target} log on elsewhere (PrinterBug, {calls})",
        ),
        (
            "サーバーに攻撃者の機器へログオンさせ、その認証を別のサーバーで使う手口です。"
            "プリントサーバーへの"
            "正規の通知登録でも同じ呼び出しが出ます。",
            "A server is made to authenticate to the attacker, who uses it elsewhere. Clients of a "
            "print server use the same call to be told of jobs.",
        ),
    ),
    "print_nightmare": says(
        (
            "{source} が {target} に印刷ドライバを送り込もうとしています（PrintNightmare、"
            "{calls}）",
            "{source} tries to install a printer driver on {target} (PrintNightmare, {calls})",
        ),
        (
            "印刷サービスの欠陥（CVE-2021-1675/34527）で、管理者権限のプログラムを実行できます。",
            "A flaw of the print service (CVE-2021-1675/34527) runs a program with full rights.",
        ),
    ),
    "coercion": says(
        (
            "{source} が {target} に他の機器への認証を強要しています（PetitPotam 等、{calls}）",
            "{source} makes {target} authenticate elsewhere (PetitPotam and kin, {calls})",
        ),
        (
            "サーバー自身の認証を横取りしてドメインを奪う攻撃の第一歩です。"
            "普段の業務ではこの呼び出しは"
            "使われません。",
            "The first step of taking a domain by relaying a server's own logon. Daily work does "
            "not "
            "use this call.",
        ),
        ASK_DIRECTORY,
    ),
    "relay": says(
        (
            "{source} が {target} に認証を強要し、直後に認証が行われました（アカウント：{user}）",
            "{source} forced {target} to log on, and it did at once (account: {user})",
        ),
        (
            "強要された認証が実際に外へ出ました。その認証を別のサーバーで使われると、"
            "ドメイン全体を奪われる"
            "おそれがあります。",
            "The forced logon has gone out. Used on another server it can give away the domain.",
        ),
        ASK_DIRECTORY,
    ),
    "log_clear": says(
        (
            "{source} が {target} のイベントログを遠隔で消去しました",
            "{source} cleared an event log of {target} remotely",
        ),
        (
            "侵入の跡を消す行為です。正規の運用では遠隔からログを消しません。",
            "It removes the traces of an intrusion; proper operation does not clear logs remotely.",
        ),
    ),
    "log_crash": says(
        (
            "{source} が {target} のイベントログサービスを落とす操作をしました",
            "{source} sent {target} what stops its event log service",
        ),
        (
            "ログの記録を止め、その後の操作を見えなくする手口です。",
            "It stops the recording so that what follows is not seen.",
        ),
    ),
    "shutdown": says(
        (
            "{source} が {target} を遠隔で停止・再起動させました",
            "{source} shut down or restarted {target} remotely",
        ),
        (
            "予定外の停止は診療に直結します。暗号化や妨害の最後の段階でも使われます。",
            "An unplanned stop touches care at once; it is also the last step of encryption or "
            "sabotage.",
        ),
    ),
    "endpoint_map": says(
        (
            "{source} が {target} の RPC サービス一覧を取得しました",
            "{source} listed the RPC services of {target}",
        ),
        (
            "rpcdump などの調査ツールの動きで、攻撃の入り口探しに使われます。",
            "Survey tools such as rpcdump do this to find a way in.",
        ),
        CHECK,
    ),
    "enumeration": says(
        (
            "{source} が {target} の利用者・グループ・共有を調べています（{calls}）",
            "{source} is enumerating users, groups or shares on {target} ({calls})",
        ),
        (
            "誰が管理者で、どこにファイルがあるかを知るための下調べです。"
            "資産管理や診断ツールでも見られます。",
            "It prepares an attack by learning who is administrator and where files are. Inventory "
            "and audit tools do it too.",
        ),
        CHECK,
    ),
}
