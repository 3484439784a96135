"""Colors of charts and pages, on light and dark paper.

From Okabe and Ito's palette, which people of any color vision can tell apart, darkened or lightened where
labels in the color of their marks would not reach the contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

__all__ = ["DARK", "LIGHT", "contrast"]

LIGHT = {
    "paper": "#ffffff",
    "text": "#1b1f24",
    "muted": "#57606a",
    "grid": "#d8dee4",
    "first": "#0072b2",
    "second": "#c25200",
    "third": "#00805d",
    "neutral": "#6e7781",
}
DARK = {
    "paper": "#14171c",
    "text": "#eceff3",
    "muted": "#a9b3bf",
    "grid": "#363d47",
    "first": "#56b4e9",
    "second": "#e69f00",
    "third": "#2fbf95",
    "neutral": "#98a2ae",
}


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colors, from 1 to 21 (WCAG 2.2, relative luminance).

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255.0 for at in (1, 3, 5))
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
