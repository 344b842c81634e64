"""A curve as inline SVG: it needs no script, and is legible on a phone and in print."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from posescope.reporting.summary.summary_content import Curve

__all__ = ["draw_curve"]

_WIDTH, _HEIGHT = 440, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 14, 42
_DIGIT = 7  # width of a digit, at most


def draw_curve(curve: Curve) -> Markup:
    """Return the curve as an `<svg>` element whose colours are those of the page.

    Args:
        curve: positions on a logarithmic axis, values in 0..1 as hundredths on an axis that starts at 0.
    """
    across = [_x(position, curve.positions) for position in curve.positions]
    points = _join(across, curve.values)
    parts = [*_axes(curve), *_band(curve, across), f'<polyline class="line" points="{points}"/>']
    parts += [f'<circle class="dot" cx="{x:.1f}" cy="{_y(y):.1f}" r="2.6"/>' for x, y in zip(across, curve.values, strict=True)]
    label = escape(curve.caption or curve.up)
    head = f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704 (numbers and escaped text)


def _x(position: float, positions: Sequence[float]) -> float:
    first, last = math.log(min(positions)), math.log(max(positions))
    share = 0.5 if last == first else (math.log(position) - first) / (last - first)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float) -> float:
    return _TOP + (1 - value) * (_HEIGHT - _TOP - _BOTTOM)


def _join(across: Sequence[float], values: Sequence[float]) -> str:
    return " ".join(f"{x:.1f},{_y(value):.1f}" for x, value in zip(across, values, strict=True))


def _axes(curve: Curve) -> list[str]:
    right, base = _WIDTH - _RIGHT, _y(0)
    parts = []
    for tenth in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{_y(tenth):.1f}" y2="{_y(tenth):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{_y(tenth) + 4:.1f}" text-anchor="end">{100 * tenth:.0f}</text>')
    for tick in _ticks(curve):
        label = f"{tick:,.0f}"
        # The widest label of the last tick would leave the picture.
        x = min(_x(tick, curve.positions), _WIDTH - len(label) * _DIGIT / 2)
        parts.append(f'<text x="{x:.1f}" y="{base + 15:.1f}" text-anchor="middle">{label}</text>')
    if curve.level is not None:
        parts.append(f'<line class="level" x1="{_LEFT}" x2="{right}" y1="{_y(curve.level):.1f}" y2="{_y(curve.level):.1f}"/>')
    if curve.marked is not None:
        x = _x(curve.marked, curve.positions)
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{base:.1f}"/>')
    parts.append(
        f'<text class="title" x="{(_LEFT + right) / 2:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(curve.across)}</text>'
    )
    middle = (_TOP + base) / 2
    turned = f'transform="rotate(-90 12 {middle:.1f})"'
    parts.append(f'<text class="title" x="12" y="{middle:.1f}" text-anchor="middle" {turned}>{escape(curve.up)}</text>')
    return parts


def _ticks(curve: Curve) -> list[float]:
    """Return the ends, the mark and the powers of ten that are far enough from them."""
    chosen = [min(curve.positions), max(curve.positions)]
    if curve.marked is not None:
        chosen.append(curve.marked)
    powers = [10.0**power for power in range(8) if chosen[0] < 10**power < chosen[1]]
    ticks: list[float] = []
    for tick in [*chosen[2:], *chosen[:2], *powers]:
        if all(abs(_x(tick, curve.positions) - _x(other, curve.positions)) > 26 for other in ticks):
            ticks.append(tick)
    return ticks


def _band(curve: Curve, across: Sequence[float]) -> list[str]:
    if not curve.lows or not curve.highs:
        return []
    return [f'<polygon class="band" points="{_join(across, curve.highs)} {_join(across[::-1], curve.lows[::-1])}"/>']
