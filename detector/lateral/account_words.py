"""What the alerts on calls about accounts, secrets and directories say, and how each is said."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

ASK_ADMIN: Final = Text(
    ja="情報システム担当に、いま {source} から {target} "
    "を遠隔操作する作業があるか確認してください（アカウント：{user}）。"
    "心当たりがなければ {source} を LAN から外し、{target} "
    "で新しいサービス・タスク・プログラムを調べ、"
    "使われたアカウントのパスワードを変更してください。{target} が診療系なら、"
    "止める前に担当部署へ連絡してください。",
    en="Ask IT whether anyone is administering {target} from {source} right now (account: "
    "{user}). If "
    "not, take {source} off the LAN, look on {target} for new services, tasks and programs, and "
    "change the password of the account. If {target} serves care, call its department before "
    "stopping anything.",
)
ASK_DIRECTORY: Final = Text(
    ja="直ちに情報システム責任者（安全管理責任者）へ電話してください。{source} を LAN から外し、"
    "ドメインの管理者アカウントと krbtgt のパスワードを（間隔を空けて 2 回）変更する準備をし、"
    "{target} のイベントログと、このアラートの通信記録を保全してください。",
    en="Phone the head of IT (security officer) at once. Take {source} off the LAN, prepare to "
    "change "
    "the domain administrators' passwords and krbtgt's (twice, with a pause), and secure the event "
    "log of {target} and the traffic of this alert.",
)
ASK_SYNCHRONISER: Final = Text(
    ja="直ちに情報システム責任者へ電話し、まず {source} がディレクトリ同期サーバ（Entra Connect、"
    "AD 監査・移行製品など）や新設のドメインコントローラかを確かめてください。"
    "そうなら台帳の役割を「ディレクトリ同期」か「ドメインコントローラ」にすれば、次から出ません。"
    "どちらでもなければ {source} を LAN から外し、ドメインの管理者アカウントと krbtgt の"
    "パスワードを（間隔を空けて 2 回）変更する準備をし、"
    "{target} のイベントログを保全してください。",
    en="Phone the head of IT at once, and first find out whether {source} is a directory "
    "synchroniser (Entra Connect, a product that audits or migrates the directory) or a new domain "
    "controller. If so, give it the role directory synchroniser or domain controller in the ledger "
    "and it is not told again. If neither, take {source} off the LAN, prepare to change the domain "
    "administrators' passwords and krbtgt's (twice, with a pause), and secure the event log of "
    "{target}.",
)
ASK_NEW_CONTROLLER: Final = Text(
    ja="直ちに情報システム責任者へ電話し、まず {source} が今日組み込まれている"
    "新しいドメインコントローラかを確かめてください。"
    "そうなら台帳の役割を「ドメインコントローラ」にします。"
    "違えば {source} を LAN から外し、"
    "ドメインの管理者アカウントのパスワードを変更する準備をし、{target} のイベントログと"
    "このアラートの通信記録を保全してください。",
    en="Phone the head of IT at once, and first find out whether {source} is a domain controller "
    "being installed today; if so, give it that role in the ledger. If not, take {source} off the "
    "LAN, prepare to change the domain administrators' passwords, and secure the event log of "
    "{target} and the traffic of this alert.",
)
CHECK: Final = Text(
    ja="情報システム担当に、{source} から {target} への管理作業の予定があるか確認してください。"
    "予定がなければ {source} の利用者に状況を聞き、"
    "同じ機器からの他のアラートがないか見てください。",
    en="Ask IT whether work on {target} from {source} is planned. If not, ask the user of {source} "
    "what the machine is doing, and look for other alerts from it.",
)


def says(title: tuple[str, str], why: tuple[str, str], next_step: Text = ASK_ADMIN) -> Wording:
    return Wording(Text(*title), Text(*why), next_step)


ACCOUNT_WORDINGS: Final[dict[str, Wording]] = {
    "dcsync": says(
        (
            "{source} がドメインコントローラ {target} "
            "から全パスワード情報を複製しています（DCSync）",
            "{source} is copying password data from domain controller {target} (DCSync)",
        ),
        (
            "この複製を行うのは、ドメインコントローラと、台帳にあるべき同期サーバだけです。"
            "攻撃なら、全職員と管理者のパスワードが盗まれ、"
            "病院のどのシステムにも入られるおそれがあります。",
            "Only domain controllers do this, and synchronisers that belong into the ledger. If it "
            "is an attack, every password of staff and administrators is stolen and any system of "
            "the hospital is open.",
        ),
        ASK_SYNCHRONISER,
    ),
    "zerologon": says(
        (
            "{source} がドメインコントローラ {target} を Zerologon で攻撃しています（試行 {count} "
            "回）",
            "{source} is attacking domain controller {target} by Zerologon ({count} tries)",
        ),
        (
            "パスワードなしでドメインを乗っ取る攻撃（CVE-2020-1472）です。"
            "正規の機器が短時間にこれほど認証を"
            "繰り返すことはありません。",
            "It takes over a domain without any password (CVE-2020-1472). No proper machine "
            "repeats "
            "this handshake so often in so short a time.",
        ),
        ASK_DIRECTORY,
    ),
    "hive": says(
        (
            "{source} が {target} のレジストリ（パスワード情報を含む）を保存させました（{calls}）",
            "{source} made {target} save registry hives, which hold password data ({calls})",
        ),
        (
            "secretsdump などが SAM と LSA の秘密情報を持ち出す動きです。共通の管理者パスワードが"
            "盗まれると、他の機器へ一気に広がります。",
            "secretsdump takes the secrets of SAM and LSA this way. A stolen shared administrator "
            "password opens many machines at once.",
        ),
    ),
    "password_reset": says(
        (
            "{source} が {target} でアカウントのパスワードを遠隔で変更しました（{calls}）",
            "{source} set an account's password on {target} remotely ({calls})",
        ),
        (
            "管理者の作業でも起きますが、侵入者が正規のアカウントを奪うときにも使います。",
            "Administrators do it, and so do intruders who take over an account.",
        ),
        CHECK,
    ),
    "account_create": says(
        (
            "{source} が {target} にアカウントを遠隔で作りました（{calls}）",
            "{source} created an account on {target} remotely ({calls})",
        ),
        (
            "ドメイン参加でも起きますが、侵入者が裏口のアカウントを作るときにも使います。",
            "Joining a domain does it, and so do intruders who want a back door.",
        ),
        CHECK,
    ),
    "dcshadow": says(
        (
            "{source} が {target} にドメインコントローラを名乗り、"
            "複製元に加わろうとしています（DCShadow、{calls}）",
            "{source} registers itself with {target} as a domain controller (DCShadow, {calls})",
        ),
        (
            "偽のドメインコントローラから、記録を残さずにアカウントや権限を書き換える攻撃です。"
            "複製の相手を加えるのは、ドメインコントローラの新設時だけです。",
            "A false domain controller changes accounts and rights without a trace in the logs. "
            "Replication partners are added only when a domain controller is installed.",
        ),
        ASK_NEW_CONTROLLER,
    ),
    "netsync": says(
        (
            "{source} がドメインコントローラ {target} "
            "から機器のパスワード情報を取得しています（{calls}）",
            "{source} fetches machines' password data from domain controller {target} ({calls})",
        ),
        (
            "ドメインコントローラ同士だけが使う呼び出しです。得られたハッシュで"
            "サーバーになりすますことができます。",
            "Only domain controllers use this call among themselves; the hash that it brings lets "
            "one pass for a server.",
        ),
        ASK_DIRECTORY,
    ),
    "certificate": says(
        (
            "{source} が認証局 {target} に、普段と違う経路で証明書を要求しました（{calls}）",
            "{source} asked authority {target} for a certificate by an unusual way ({calls})",
        ),
        (
            "Windows は別の経路（DCOM）を使います。この経路は Certipy などの攻撃ツールのもので、"
            "他人名義の証明書を得ると、パスワードを変えてもその人としてログオンできます。",
            "Windows asks by another way (DCOM). This one is that of attack tools such as Certipy: "
            "a certificate in another's name logs on as that person, whatever the password.",
        ),
        ASK_DIRECTORY,
    ),
    "sid_history": says(
        (
            "{source} が {target} でアカウントに別のアカウントの権限（SID 履歴）を加えました",
            "{source} gave an account on {target} the rights of another (SID history)",
        ),
        (
            "ドメインの移行でしか使わない機能です。管理者の権限を隠して持たせる手口があります。",
            "Only the migration of a domain uses it; it can hide an administrator's rights in an "
            "ordinary account.",
        ),
        ASK_DIRECTORY,
    ),
    "lsa_secret": says(
        (
            "{source} が {target} の LSA 秘密情報を遠隔で読み書きしました（{calls}）",
            "{source} read or wrote LSA secrets of {target} remotely ({calls})",
        ),
        (
            "サービスのパスワードや、ドメイン全体の暗号を解くバックアップ鍵が入っています。"
            "日常業務では遠隔から触りません。",
            "They hold passwords of services and the backup key that opens the whole domain's "
            "encrypted data; daily work does not touch them remotely.",
        ),
    ),
    "group_member": says(
        (
            "{source} が {target} でアカウントをグループに加えました（{calls}）",
            "{source} added an account to a group on {target} ({calls})",
        ),
        (
            "管理者グループなら、そのアカウントは何でもできるようになります。"
            "管理者の作業でも起きます。",
            "If it is the administrators' group, the account may now do anything. Administrators "
            "do it too.",
        ),
        CHECK,
    ),
    "rights": says(
        (
            "{source} が {target} でアカウントに特権を与えました（{calls}）",
            "{source} gave an account privileges on {target} ({calls})",
        ),
        (
            "バックアップやデバッグの特権があれば、管理者でなくても全てのファイルや"
            "パスワードを読めます。",
            "With the privilege to back up or to debug, one who is no administrator reads every "
            "file and password.",
        ),
        CHECK,
    ),
    "account_delete": says(
        (
            "{source} が {target} でアカウントを遠隔で削除しました（{calls}）",
            "{source} deleted an account on {target} remotely ({calls})",
        ),
        (
            "跡を消すため、または職員を締め出すために行われます。管理者の整理作業でも起きます。",
            "It removes traces or locks staff out. Administrators tidy up this way too.",
        ),
        CHECK,
    ),
}
