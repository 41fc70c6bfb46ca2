"""Both languages say the same things, and every word a page asks for is there."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from dashboards.words import LANGUAGES, load_messages, words
from detector.detectors import DETECTORS
from detector.words import Text

FOLDER = Path(__file__).parents[2] / "dashboards"
#: Keys made from values: the values come from lists elsewhere.
OPEN = (
    "app.", "fact.", "role.", "role_reason.", "technique.", "lane.", "line_verdict.", "notice.",
    "problem.", "severity.", "state.", "state_about.", "category.", "care_class.", "urgency.",
    "status.", "tone.", "theme.", "menu.", "step_state.", "move.", "confirm.", "person_role.",
    "person_role_about.", "permission.", "audit_result.", "flow_state.", "incident_state.",
    "asset_verdict.", "line_group.", "confidence.", "warmth.", "initiator.", "health.", "asset.",
    "alerts.", "alert.", "line.", "lines.", "flows.", "people.", "direction.",
    "coverage_kind.", "coverage_lost.", "coverage_remedy.",
    "baseline_phase.", "baseline_about.", "baseline_state.",
)  # fmt: skip


def placeholders(message: str) -> set[str]:
    return {name.split(":")[0] for _, name, _, _ in string.Formatter().parse(message) if name}


def asked_keys() -> set[str]:
    """Keys that stand in templates and code as literals."""
    files = [*FOLDER.glob("templates/*.html"), *FOLDER.rglob("*.py")]
    source = "\n".join(f.read_text() for f in files if "node_modules" not in f.parts)
    return set(re.findall(r"""\bt\(\s*["']([a-z_]+\.[a-z0-9_.-]+)["']""", source))


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    ja, en = load_messages("ja"), load_messages("en")
    assert set(ja) == set(en)
    assert {k: placeholders(m) for k, m in ja.items()} == {
        k: placeholders(m) for k, m in en.items()
    }


def test_every_word_that_pages_ask_for_exists() -> None:
    assert asked_keys() - set(load_messages("ja")) == set()


def test_every_technique_that_detectors_name_has_a_name() -> None:
    sources = "".join(f.read_text() for f in (FOLDER.parent / "detector").rglob("*.py"))
    named = set(re.findall(r"\bT1\d{3}(?:\.\d{3})?\b", sources))
    assert named - {key.removeprefix("technique.") for key in load_messages("ja")} == set()


def test_no_word_is_left_over() -> None:
    known = asked_keys()
    left = {k for k in load_messages("ja") if k not in known and not k.startswith(OPEN)}
    assert left == set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_message_is_empty(lang: str) -> None:
    assert [k for k, m in load_messages(lang).items() if not m.strip()] == []  # type: ignore[arg-type]


def test_a_missing_word_is_an_error_and_an_unnamed_value_shows_itself() -> None:
    t = words("ja")
    with pytest.raises(KeyError):
        t("no.such_word")
    assert t.name("app", "rdp") == "リモートデスクトップ（RDP）"
    assert t.name("app", "something_new") == "something_new"
    assert words("en").of(Text(ja="端末", en="terminal")) == "terminal"


#: A Japanese sign beside a Latin bracket, colon or question mark; {placeholders} have theirs.
NARROW = re.compile(r"[ぁ-んァ-ヶ一-龠々] ?[(:;?!]|[):][ぁ-んァ-ヶ一-龠々]")


def test_japanese_uses_japanese_brackets_and_colons() -> None:
    said = {f"console {k}": m for k, m in load_messages("ja").items()}
    for one in DETECTORS:
        for name, wording in one.wordings.items():
            for part in (wording.title, wording.why, wording.next_step):
                said[f"{type(one).__name__} {name}: {part.ja[:20]}"] = part.ja
    assert len(said) > 1000
    narrow = [k for k, m in said.items() if NARROW.search(re.sub(r"\{[^}]*\}", "", m))]
    assert narrow == []


def test_the_japanese_guide_names_what_the_console_shows() -> None:
    guide = (FOLDER.parent / "README.ja.md").read_text()
    said = "\n".join(load_messages("ja").values())
    quoted = {words for words in re.findall("「([^」]+)」", guide) if len(words) < 24}
    assert len(quoted) > 15
    assert {words for words in quoted if words not in said} == set()
    prose = re.sub(r"`[^`]*`|```.*?```|\[[^]]*\]\([^)]*\)", "", guide, flags=re.S)
    assert NARROW.findall(prose) == []
