#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""plot.py JSON DIRECTORY: draws what comap_bench --json wrote as SVG files. The same JSON gives the same bytes.

messages-there-and-back.svg  nanoseconds there and back; shorter bars are better
messages-one-way.svg         messages per second; longer bars are better
messages-crowd.svg           messages per second with 1 to 4 publishers or subscribers
"""
import json
import math
import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

# Colours and text that are read on white and on black: the style sheet follows the reader's scheme.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-size: 15px; font-weight: 600 } .small { font-size: 11px; fill: #59636e }
.grid { stroke: #8b949e; stroke-opacity: .35 }
.ours { fill: #0969da; stroke: #0969da } .limit { fill: #8250df; stroke: #8250df } .peer { fill: #8b949e; stroke: #8b949e }
.curve { fill: none; stroke-width: 2 } .dashed { stroke-dasharray: 6 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .ours { fill: #4493f8; stroke: #4493f8 } .limit { fill: #ab7df8; stroke: #ab7df8 } .peer { fill: #757d87; stroke: #757d87 }
}
"""
WIDTH = 860
LABEL = 210  # the bars begin here
VALUE = 110  # room for the figure behind the longest bar
BAR = 18


class Picture:
    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, y, words, kind="", anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>')

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def write(self, path, title):
        body = "\n".join(self.parts)
        height = self.y + 12
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" role="img">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n")


def figure(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time_text(ns):
    for size, unit in ((1e6, "ms"), (1e3, "us")):
        if ns >= size:
            return f"{figure(ns / size)} {unit}"
    return f"{figure(ns)} ns"


def rate_text(per_second):
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if per_second >= size:
            return f"{figure(per_second / size)} {unit}/s"
    return f"{figure(per_second)} /s"


def nanoseconds(row, value):
    return value * {"ns": 1, "us": 1e3, "ms": 1e6}[row["unit"]]


def entries(row, convert):
    """(kind, name, value) of everybody who was measured, ours and the limit first, then the peers from the best on."""
    named = [("ours", "comap", row["ours"]), ("limit", "raw limit", row["limit"])]
    peers = sorted(row["peers"].items(), key=lambda pair: (pair[1], pair[0]))
    named += [("peer", name, value) for name, value in peers]
    return [(kind, name, convert(nanoseconds(row, value))) for kind, name, value in named if value]


def bars(rows, convert, to_text, title, machine, path):
    groups = [(row["name"], entries(row, convert)) for row in rows]
    values = [value for _, all_of in groups for _, _, value in all_of]
    if not values:
        return False
    low = math.floor(math.log10(min(values)) - 0.15)
    high = math.log10(max(values))
    scale = (WIDTH - LABEL - VALUE) / (high - low)
    picture = Picture()
    picture.text(8, 22, title, "head")
    picture.text(8, 40, f"logarithmic scale; {machine}", "small")
    picture.y = 52
    top = picture.y
    for name, all_of in groups:
        picture.y += 20
        picture.text(8, picture.y, name, "head")
        picture.y += 8
        for kind, who, value in all_of:
            length = (math.log10(value) - low) * scale
            picture.text(LABEL - 8, picture.y + 13, who, anchor="end")
            picture.parts.append(f'<rect x="{LABEL}" y="{picture.y + 2:.1f}" width="{length:.1f}" height="{BAR - 4}" class="{kind}"/>')
            picture.text(LABEL + length + 6, picture.y + 13, to_text(value))
            picture.y += BAR
    for exponent in range(low + 1, math.floor(high) + 1):
        x = LABEL + (exponent - low) * scale
        picture.line(x, top, x, picture.y + 4, "grid")
        picture.text(x, picture.y + 18, to_text(10 ** exponent), "small", "middle")
    picture.y += 20
    picture.write(path, title)
    return True


def curve_of(rows, noun):
    """{count: row} of the rows of 1, 2, ... publishers or subscribers."""
    found = {}
    for row in rows:
        matched = re.search(rf", (\d+) {noun}s?$", row["name"])
        if matched and row["ours"] and row["limit"]:
            found[int(matched[1])] = row
    return found


def curves(rows, machine, path):
    panels = [(noun, curve_of(rows, noun)) for noun in ("publisher", "subscriber")]
    panels = [(noun, found) for noun, found in panels if found]
    if not panels:
        return False
    def rate(row, who):
        return 1e9 / nanoseconds(row, row[who])
    top_rate = max(rate(row, who) for _, found in panels for row in found.values() for who in ("ours", "limit")) * 1.1
    title = "Messages of 64 B per second, received by all together"
    picture = Picture()
    picture.text(8, 22, title, "head")
    picture.text(8, 40, f"blocking; solid: comap; dashed: a ring behind one robust mutex; {machine}", "small")
    top, height, panel_width = 64, 220, (WIDTH - 90) / 2
    step = 10 ** math.floor(math.log10(top_rate))
    step = next(part for part in (step / 5, step / 2, step, step * 2) if top_rate / part <= 8)
    for place, (noun, found) in enumerate(panels):
        left = 70 + place * (panel_width + 16)
        width = panel_width - 40
        counts = sorted(found)
        def x_of(count):
            return left + 16 + (width - 32) * (count - counts[0]) / max(counts[-1] - counts[0], 1)
        def y_of(value):
            return top + height * (1 - value / top_rate)
        for tick in range(int(top_rate / step) + 1):
            picture.line(left, y_of(tick * step), left + width, y_of(tick * step), "grid")
            if place == 0:
                picture.text(left - 6, y_of(tick * step) + 4, rate_text(tick * step) if tick else "0", "small", "end")
        for who, kind in (("limit", "limit curve dashed"), ("ours", "ours curve")):
            points = " ".join(f"{x_of(count):.1f},{y_of(rate(found[count], who)):.1f}" for count in counts)
            picture.parts.append(f'<polyline points="{points}" class="{kind}" style="fill:none"/>')
            for count in counts:
                picture.parts.append(f'<circle cx="{x_of(count):.1f}" cy="{y_of(rate(found[count], who)):.1f}" r="3" class="{who}"/>')
        for count in counts:
            picture.text(x_of(count), top + height + 18, str(count), anchor="middle")
        picture.text(left + width / 2, top + height + 38, f"{noun}s", anchor="middle")
    picture.y = top + height + 44
    picture.write(path, title)
    return True


def main():
    if len(sys.argv) != 3:
        sys.exit("Usage: plot.py JSON DIRECTORY")
    document = json.loads(Path(sys.argv[1]).read_text())
    directory = Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    machine = document.get("machine") or "machine not recorded"
    rows = document["rows"]
    talks = [row for row in rows if row["name"].startswith("channel") and "there and back" in row["name"] and "loaned" not in row["name"]]
    one_way = [row for row in rows if "one way" in row["name"] and row["name"].startswith("channel") or row["name"].startswith("queue")]
    drawn = [
        (bars(talks, lambda ns: ns, time_text, "Messages there and back: the time of one turn, less is better", machine,
              directory / "messages-there-and-back.svg"), "messages-there-and-back.svg"),
        (bars(one_way, lambda ns: 1e9 / ns, rate_text, "Messages per second, more is better", machine, directory / "messages-one-way.svg"),
         "messages-one-way.svg"),
        (curves(rows, machine, directory / "messages-crowd.svg"), "messages-crowd.svg"),
    ]
    for was_drawn, name in drawn:
        print(f"{directory / name}" if was_drawn else f"{name}: not drawn, its rows were not measured")


if __name__ == "__main__":
    main()
