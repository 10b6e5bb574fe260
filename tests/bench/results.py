"""From runs to figures: medians, what of the goals is reached, and the tables that show it."""
import statistics

from cases import CASES, GOALS, PEERS, SYSTEMS

SHOWN = ["limit", "native", "peer", "popgate"]
BEGIN, END = "<!-- scripts/bench --report writes from here -->", "<!-- to here -->"


def is_wrong(run):
    """Whether an answer was wrong or did not come, so that the figures say nothing."""
    return bool(run.get("failed") or run.get("bad") or run.get("list_bad") or run.get("uidl_dup")
                or run.get("timed_out") or run.get("errors") or run.get("left"))


def medians(figure, runs):
    found = {}
    for system in SYSTEMS:
        values = [figure.get(run) for run in runs if run["system"] == system]
        values = [value for value in values if value is not None]
        if values:
            found[system] = statistics.median(values), min(values), max(values)
    return found


def bound(goal, median):
    """The number that GOAL comes to, or None where what it refers to was not measured."""
    of = 1 if goal.of is None else median.get(goal.of)
    return None if of is None else goal.factor * of + goal.slack


def row_of(case, figure, runs):
    found = medians(figure, runs)
    median = {system: value[0] for system, value in found.items()}
    best = max if figure.better == "more" else min
    peers = [system for system in PEERS if system in median]
    row = {"case": case.name, "title": case.title, "figure": figure.name, "better": figure.better}
    if peers:
        row["best_peer"] = best(peers, key=median.get)
        median["peer"] = median[row["best_peer"]]
    row["median"] = median
    row["range"] = {system: value[1:] for system, value in found.items()}
    row["runs"] = max((sum(run["system"] == system for run in runs) for system in SYSTEMS), default=0)
    ours, theirs = median.get("popgate"), median.get("peer")
    if ours and theirs:
        row["times_peer"] = ours / theirs if figure.better == "more" else theirs / ours
    goal = GOALS.get((case.name, figure.name))
    if goal and ours is not None and (limit := bound(goal, median)) is not None:
        row["goal"] = {"sense": goal.sense, "factor": goal.factor, "of": goal.of, "slack": goal.slack, "bound": limit}
        row["reached"] = ours >= limit if goal.sense == "least" else ours <= limit
    return row


def rows_of(runs):
    """A row for each figure of each case that was run."""
    rows = []
    for case in CASES.values():
        of_case = [run for run in runs if run["case"] == case.name]
        rows += [row_of(case, figure, of_case) for figure in case.figures if of_case]
    return [row for row in rows if row["median"]]


def number(value):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def goal_text(row):
    if "goal" not in row:
        return ""
    goal = row["goal"]
    text = (">= " if goal["sense"] == "least" else "<= ") + number(goal["bound"])
    if goal["of"]:
        factor = "" if goal["factor"] == 1 else f"{goal['factor']:g} x "
        text += f" ({factor}{goal['of']})"
    return text


def reached_text(row):
    return {True: "yes", False: "no", None: ""}[row.get("reached")]


def times_text(row):
    return f"{row['times_peer']:.3g}" if "times_peer" in row else "-"


HEAD = ["case", "figure", *SHOWN, "times the peer", "goal", "reached"]


def cells(row):
    return [row["case"], row["figure"], *(number(row["median"].get(system)) for system in SHOWN), times_text(row),
            goal_text(row), reached_text(row)]


def plain_table(rows):
    lines = [HEAD] + [cells(row) for row in rows]
    width = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    align = [str.ljust] * 2 + [str.rjust] * 5 + [str.ljust] * 2
    return "\n".join("  ".join(align[i](cell, width[i]) for i, cell in enumerate(line)).rstrip() for line in lines)


def summary(rows):
    judged = [row["reached"] for row in rows if "reached" in row]
    return f"{sum(judged)} of {len(judged)} goals reached"


def complaints(runs):
    """A line for each case and system with wrong answers."""
    found = {}
    for run in runs:
        if is_wrong(run):
            found.setdefault((run["case"], run["system"]), run)
    return [f"WRONG {case} {system}: {run.get('failed', 0)} failed, {run.get('bad', 0)} messages and "
            f"{run.get('list_bad', 0)} listings wrong, {run.get('left', 0)} messages left"
            + "".join(f"; {error}" for error in run.get("errors", [])[:2]) for (case, system), run in found.items()]


def markdown_table(rows):
    head = ["case", "figure", "limit", "native", "peer", "popgate", "times the peer", "goal", "reached"]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * 5 + "---|---|"]
    last = None
    for row in rows:
        text = cells(row)
        text[0] = row["title"] if row["case"] != last else ""
        text[5] = f"**{text[5]}**"
        text[7] = text[7].replace(">=", "≥").replace("<=", "≤").replace(" x ", " × ")
        last = row["case"]
        lines.append("| " + " | ".join(text).replace("|  |", "| |") + " |")
    return "\n".join(lines)


def growth_rows(found):
    """The rows of tests/bench/growth with a column for each figure, in seconds and MB."""
    rows = []
    for row in found:
        flat = {}
        for name, cell in row.items():
            cells = {f"{name}_{inner}": value for inner, value in cell.items()} if isinstance(cell, dict) else {name: cell}
            for column, value in cells.items():
                if column.endswith("_octets"):
                    column, value = column.replace("_octets", "_mb"), value / 1e6
                flat[column.replace("_seconds", "_s")] = value
        rows.append(flat)
    return sorted(rows, key=lambda row: row["messages"])


def growth_table(growth):
    columns = list(growth[0])
    heads = [column.replace("_mb", " MB").replace("_cpu_s", " CPU s").replace("_s", " s") for column in columns]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---:|" * len(columns)]
    lines += ["| " + " | ".join(number(row.get(column)) for column in columns) + " |" for row in growth]
    return "\n".join(lines)


def runs_text(rows):
    counts = sorted({row["runs"] for row in rows})
    if counts[-1:] == [1]:
        return "One run of each."
    return f"Medians of {' to '.join(map(str, [counts[0], counts[-1]][:len(counts)]))} alternating runs."


def report_block(result):
    """What stands between the marks in docs/performance.md: what was measured on what, and the figures with a goal."""
    meta, rows = result["meta"], result["table"]
    kept = [row for row in rows if (row["case"], row["figure"]) in GOALS]
    text = (f"{meta['date']}: popgate {meta['popgate']}, Dovecot {meta['dovecot']}, OpenSSL {meta['openssl']}, "
            f"Linux {meta['kernel']}, {meta['cpus']} processors, {meta['model']}. "
            f"Load average before: {meta['load']:g}. {runs_text(kept)} {summary(rows)}.\n\n{markdown_table(kept)}\n")
    if result.get("growth"):
        text += ("\nGrowth with the number of messages in a maildrop:\n\n![time and memory by messages](growth.svg)\n\n"
                 f"{growth_table(result['growth'])}\n")
    return text


def write_report(path, result):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise SystemExit(f"{path}: the marks {BEGIN} and {END} are not there")
    before, after = text[:text.index(BEGIN) + len(BEGIN)], text[text.index(END):]
    text = f"{before}\n\n{report_block(result)}\n{after}"
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
