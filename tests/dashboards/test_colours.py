"""Every text keeps WCAG 2.1's contrast of 4.5 to 1 on the ground it stands on, in both lights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "dashboards" / "static" / "console.css").read_text()
LIGHTS = {
    "light": CSS[CSS.index(":root {") : CSS.index("@media screen and (prefers")],
    "dark": CSS[CSS.index(':root[data-theme="dark"] {') : CSS.index("/* Ground */")],
}
TONES = ("critical", "high", "medium", "low", "info", "ok")
PAIRS = (
    *((ink, ground) for ink in ("ink", "quiet") for ground in ("ground", "sheet", "sunk")),
    ("accent", "sheet"), ("accent", "ground"), ("accent", "accent-soft"),
    ("accent-ink", "accent"),
    *((tone, f"{tone}-soft") for tone in TONES),
    *((ink, f"{tone}-soft") for ink in ("ink",) for tone in TONES),
    ("quiet", "critical-soft"), ("quiet", "medium-soft"), ("quiet", "ok-soft"),
)  # fmt: skip


def colours(light: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6})", LIGHTS[light]))


def brightness(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_contrast(light: str, ink: str, ground: str) -> None:
    known = colours(light)
    lighter, darker = sorted((brightness(known[ink]), brightness(known[ground])), reverse=True)
    contrast = (lighter + 0.05) / (darker + 0.05)
    assert contrast >= 4.5, f"--{ink} on --{ground} in the {light}: {contrast:.2f}"


def test_both_dark_tables_are_one() -> None:
    """The one for the system's wish and the one for the switch say the same."""
    wish = CSS[CSS.index("@media screen and (prefers") : CSS.index(':root[data-theme="dark"] {')]
    assert dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6})", wish)) == colours("dark")
