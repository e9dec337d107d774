"""Lines over sizes, on a logarithmic scale, as a small SVG file."""

import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 40, 50
COLOURS = ["#777777", "#0072b2", "#d55e00", "#009e73", "#cc79a7"]


def write(path, title, labels, lines, name):
    """`lines` has a value for each label, by the line's name; `name` says a value in words."""
    values = [value for line in lines.values() for value in line]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    x = lambda at: LEFT + at * (WIDTH - LEFT - RIGHT) / max(1, len(labels) - 1)
    y = lambda value: HEIGHT - BOTTOM - (math.log10(value) - low) * (HEIGHT - TOP - BOTTOM) / (high - low or 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{title}</text>',
    ]
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{name(10.0**power)}</text>')
    for at, label in enumerate(labels):
        parts.append(f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" font-size="10">{label}</text>')
    ends = []
    for (line, values), colour in zip(lines.items(), COLOURS):
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ends.append((y(values[-1]), line, colour))
    # Names that would lie upon one another move down.
    last = -math.inf
    for at, line, colour in sorted(ends):
        last = max(at, last + 15)
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{last + 4:.1f}" fill="{colour}">{line}</text>')
    with open(path, "w") as file:
        file.write("\n".join([*parts, "</svg>", ""]))
