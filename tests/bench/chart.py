"""Charts of a result, as SVG that suits light and dark pages. Nothing but text is needed to draw them."""
import math
from xml.sax.saxutils import escape

from results import number

# What is shown of the table: figure by figure, how it is called, in two groups.
SPEED = [
    ("login", "sessions/s", "login: sessions/s"),
    ("login-tls", "sessions/s", "login, TLS: sessions/s"),
    ("login-rtt50", "p50 ms", "login at 50 ms: ms"),
    ("drain", "messages/s", "10,000 messages: messages/s"),
    ("drain-tls", "messages/s", "10,000 messages, TLS: messages/s"),
    ("rtt50", "messages/s", "1,000 at 50 ms: messages/s"),
    ("big", "MB/s", "large messages: MB/s"),
    ("big-tls", "MB/s", "large messages, TLS: MB/s"),
    ("open-huge", "cold: PASS to STAT s", "open 100,000, cold: s"),
    ("open-huge", "warm: PASS to STAT s", "open 100,000, warm: s"),
    ("delete", "DELE and QUIT s", "delete 10,000: s"),
]
COST = [
    ("login", "CPU ms/session", "login: CPU ms"),
    ("login-tls", "CPU ms/session", "login, TLS: CPU ms"),
    ("drain", "CPU s/10,000", "10,000 messages: CPU s"),
    ("drain-tls", "CPU s/10,000", "10,000 messages, TLS: CPU s"),
    ("big", "CPU s/GB", "large messages: CPU s/GB"),
    ("big-tls", "CPU s/GB", "large messages, TLS: CPU s/GB"),
    ("big", "peak memory MB", "large messages: peak MB"),
    ("hold", "kB/session", "idle session: kB"),
    ("hold-tls", "kB/session", "idle session, TLS: kB"),
]
BARS = ["popgate", "limit", "native"]

WIDTH, LEFT, RIGHT = 900, 258, 150
BAR, GAP, TOP = 10, 14, 74

STYLE = """
    text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #24303f; }
    .title { font-weight: 600; font-size: 16px; }
    .group { font-weight: 600; }
    .small { font-size: 11.5px; fill: #5b6673; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .grid { stroke: #d9dee5; stroke-width: 1; }
    .one { stroke: #d1600f; stroke-width: 2; }
    .popgate { fill: #2563b5; }
    .limit { fill: #a9b4c1; }
    .native { fill: #5fa37f; }
    .peer { fill: #d1600f; }
    .goal { fill: none; stroke: #16202c; stroke-width: 2.2; }
    .line { fill: none; stroke-width: 2.2; }
    .s0 { stroke: #2563b5; } .s1 { stroke: #d1600f; } .s2 { stroke: #3c8a62; } .s3 { stroke: #8a4fb0; }
    .d0 { fill: #2563b5; } .d1 { fill: #d1600f; } .d2 { fill: #3c8a62; } .d3 { fill: #8a4fb0; }
    .linear { stroke: #98a3b0; stroke-width: 1.4; stroke-dasharray: 5 4; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e3e9f1; }
      .small { fill: #a9b4c1; }
      .grid { stroke: #343d49; }
      .one { stroke: #f0924a; }
      .popgate { fill: #6aa5ef; }
      .limit { fill: #6d7885; }
      .native { fill: #5da882; }
      .peer { fill: #f0924a; }
      .goal { stroke: #f4f7fb; }
      .s0 { stroke: #6aa5ef; } .s1 { stroke: #f0924a; } .s2 { stroke: #63bd8f; } .s3 { stroke: #c08be0; }
      .d0 { fill: #6aa5ef; } .d1 { fill: #f0924a; } .d2 { fill: #63bd8f; } .d3 { fill: #c08be0; }
    }
"""


def write(path, svg):
    with open(path, "w", encoding="utf-8") as out:
        out.write(svg)


def text(x, y, words, style=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"' + (f' class="{style}"' if style else "") + f">{escape(words)}</text>"


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def bar(x1, x2, y, height, style):
    left, right = min(x1, x2), max(x1, x2)
    return f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left, 1.5):.1f}" height="{height}" class="{style}"/>'


def document(height, title, description, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img" aria-labelledby="title desc">\n'
            f'  <title id="title">{escape(title)}</title>\n  <desc id="desc">{escape(description)}</desc>\n'
            f"  <style>{STYLE}  </style>\n  " + "\n  ".join(parts) + "\n</svg>\n")


class Logarithmic:
    """Where a value stands between two pixels, LOW and HIGH being at the ends."""

    def __init__(self, low, high, begin, end):
        self.low, self.begin = math.log10(low), begin
        self.step = (end - begin) / (math.log10(high) - self.low)
        self.bounds = low, high

    def __call__(self, value):
        low, high = self.bounds
        return self.begin + (math.log10(min(max(value, low), high)) - self.low) * self.step

    def ticks(self, digits):
        low, high = self.bounds
        powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
        ticks = [digit * 10.0 ** power for power in powers for digit in digits]
        return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def times(row, system):
    """How many times as good as the peer SYSTEM is in ROW; None if that is not known."""
    if system == "goal":
        ours = row.get("goal", {}).get("bound")
    else:
        ours = row["median"].get(system)
    theirs = row["median"].get("peer")
    if not ours or not theirs or ours < 0 or theirs < 0:
        return None
    return ours / theirs if row["better"] == "more" else theirs / ours


def chosen(rows, group):
    """(row, name) of what can be shown of GROUP."""
    by_name = {(row["case"], row["figure"]): row for row in rows}
    found = [(by_name.get((case, figure)), name) for case, figure, name in group]
    return [(row, name) for row, name in found if row and times(row, "popgate")]


def short(value):
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def legend(y):
    parts, x = [], 24
    for style, words in (("popgate", "popgate"), ("limit", "limit: a plain IMAP client"),
                         ("native", "native: POP3 on the store itself")):
        parts += [bar(x, x + 14, y - 10, 11, style), text(x + 20, y, words)]
        x += 42 + 7.2 * len(words)
    parts += [line(x + 4, y - 11, x + 4, y + 2, "one"), text(x + 13, y, "peer: Dovecot pop3 + imapc"),
              line(x + 212, y - 11, x + 212, y + 2, "goal"), text(x + 221, y, "goal")]
    return parts


def draw_row(row, name, y, scale):
    """The bars of one figure; returns the parts and where the next figure may begin."""
    shown = [(system, times(row, system)) for system in BARS]
    shown = [(system, ratio) for system, ratio in shown if ratio]
    height = BAR * len(shown) + 2 * (len(shown) - 1)
    middle = y + height / 2 + 4.5
    parts = [text(LEFT - 12, middle, name, "end")]
    for i, (system, ratio) in enumerate(shown):
        parts.append(bar(scale(1), scale(ratio), y + i * (BAR + 2), BAR, system))
    goal = times(row, "goal")
    if goal:
        parts.append(line(scale(goal), y - 3, scale(goal), y + BAR + 3, "goal"))
    parts += [text(WIDTH - 76, middle, number(row["median"]["popgate"]), "end"),
              text(WIDTH - 8, middle, number(row["median"]["peer"]), "end")]
    return parts, y + height + GAP


def draw_group(title, figures, y, scale):
    parts = [text(8, y + 4, title, "group"), text(WIDTH - 76, y + 4, "popgate", "small end"),
             text(WIDTH - 8, y + 4, "peer", "small end")]
    y += 18
    for row, name in figures:
        more, y = draw_row(row, name, y, scale)
        parts += more
    return parts, y + 10


def comparison(rows):
    """popgate, limit and native by figure, as multiples of the peer."""
    groups = [("Speed", chosen(rows, SPEED)), ("Cost", chosen(rows, COST))]
    groups = [(title, figures) for title, figures in groups if figures]
    ratios = [ratio for _, figures in groups for row, _ in figures for system in (*BARS, "goal")
              if (ratio := times(row, system))]
    scale = Logarithmic(min(0.5, *ratios, 1) * 0.95, max(10, *ratios, 1) * 1.1, LEFT, WIDTH - RIGHT)
    body, y = [], TOP + 22
    for title, figures in groups:
        more, y = draw_group(title, figures, y, scale)
        body += more
    bottom = y - 8
    parts = [text(8, 22, "popgate beside Dovecot pop3 + imapc, on one IMAP server", "title"), *legend(50)]
    for tick in scale.ticks((1, 2, 5)):
        x = scale(tick)
        parts += [line(x, TOP + 4, x, bottom, "grid"), text(x, TOP, short(tick), "small middle"),
                  text(x, bottom + 15, short(tick), "small middle")]
    parts += body
    parts += [line(scale(1), TOP + 4, scale(1), bottom, "one"),
              text((LEFT + WIDTH - RIGHT) / 2, bottom + 36, "times as good as the peer, which stands at 1 "
                   "(logarithmic; further right is better)", "small middle")]
    described = "; ".join(f"{name}: popgate {number(row['median']['popgate'])}, peer {number(row['median']['peer'])}"
                          for _, figures in groups for row, name in figures)
    return document(bottom + 48, "popgate beside its peer", described, parts)


# ---- growth ----

UNITS = [("_s", "seconds"), ("_mb", "MB")]
PANEL_TOP, PANEL_HEIGHT = 92, 250


def panels(growth):
    """(unit, columns) for time and memory; processor time has no line of its own."""
    found = [(unit, [column for column in growth[0] if column.endswith(end) and not column.endswith("_cpu_s")
                     and any(row.get(column) for row in growth)][:4]) for end, unit in UNITS]
    return [(unit, columns) for unit, columns in found if columns]


def words_of(column):
    return column.rpartition("_")[0].replace("_", " ")


def draw_panel(growth, unit, columns, left, right):
    bottom = PANEL_TOP + PANEL_HEIGHT
    values = [row[column] for column in columns for row in growth if row.get(column)]
    x = Logarithmic(growth[0]["messages"], growth[-1]["messages"], left + 58, right - 30)
    y = Logarithmic(min(values) * 0.7, max(values) * 1.4, bottom, PANEL_TOP)
    parts = [text(left, PANEL_TOP - 44, unit, "group")]
    for tick in x.ticks((1,)):
        parts += [line(x(tick), PANEL_TOP, x(tick), bottom, "grid"),
                  text(x(tick), bottom + 17, f"{tick:,.0f}", "small middle")]
    for tick in y.ticks((1,)) if max(values) / min(values) > 30 else y.ticks((1, 2, 5)):
        parts += [line(left + 58, y(tick), right - 30, y(tick), "grid"),
                  text(left + 51, y(tick) + 4, short(tick), "small end")]
    at = left + 58
    for i, column in enumerate(columns):
        points = [(x(row["messages"]), y(row[column])) for row in growth if row.get(column)]
        parts.append(f'<polyline class="line s{i}" points="' + " ".join(f"{a:.1f},{b:.1f}" for a, b in points) + '"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.6" class="d{i}"/>' for a, b in points]
        row_y = PANEL_TOP - 26 + 15 * (i // 2)
        at = left + 58 + (i % 2) * (right - left - 58) / 2
        parts += [bar(at, at + 12, row_y - 9, 10, f"d{i}"), text(at + 18, row_y, words_of(column), "small")]
    parts += linear(growth, columns[0], x, y)
    return parts


def linear(growth, column, x, y):
    """A line that grows as the number of messages does, from the last point of COLUMN down to where the panel ends."""
    end = growth[-1]
    if not end.get(column):
        return []
    least = max(growth[0]["messages"], end["messages"] * y.bounds[0] / end[column])
    return [line(x(least), y(end[column] * least / end["messages"]), x(end["messages"]), y(end[column]), "linear")]


def growth(rows):
    """Time and memory by the number of messages, both axes logarithmic."""
    found = panels(rows)
    parts = [text(8, 22, "What a maildrop costs, by its number of messages", "title")]
    width = WIDTH / max(1, len(found))
    for i, (unit, columns) in enumerate(found):
        parts += draw_panel(rows, unit, columns, 8 + i * width, (i + 1) * width)
    bottom = PANEL_TOP + PANEL_HEIGHT
    parts.append(text(WIDTH / 2, bottom + 38, "messages in the maildrop (both axes logarithmic; a dashed line grows as "
                      "they do)", "small middle"))
    described = "; ".join(f"{row['messages']:,} messages: " + ", ".join(
        f"{words_of(column)} {number(row.get(column))} {unit}" for unit, columns in found for column in columns)
        for row in rows)
    return document(bottom + 50, "Growth with the number of messages", described, parts)
