"""The page of `textgym reward eval --out`: one file of HTML with its pictures in it, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from textgym.files import write_text
from textgym.rewards.rating_metrics import describe_ratings
from textgym.rewards.report import describe_ceilings, shown, shown_share

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .25rem .8rem; border-bottom: 1px solid #eee; }
th { text-align: left; } td { text-align: right; } td:first-child { text-align: left; }
img { max-width: 100%; } .flag { color: #b00020; font-weight: 600; } .note { color: #555; }
"""
BLUE, ORANGE, GREY, RED = "#1f6feb", "#d97706", "#8a8f98", "#b00020"


def write_page(path: str | Path, report: dict[str, Any]) -> None:
    """Writes what `make_report` found; an old page stays until the new one is whole."""
    write_text(path, "\n".join(_page(report)))


def _page(report: dict[str, Any]) -> Iterator[str]:
    title = html.escape(f"Reward model {report['model']}")
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{STYLE}</style></head><body><h1>{title}</h1>"
    yield f'<p class="note">Measured on {html.escape(", ".join(report["files"]))}</p>'
    if "reward_bench" in report:
        yield from _bench(report["reward_bench"])
    if "ratings" in report:
        yield "<h2>Ratings</h2>"
        yield "".join(f"<p>{html.escape(line)}.</p>" for line in describe_ratings(report["ratings"]))
    if "in_distribution" in report:
        yield from _pairs(report)
    if report["prompts_cut"]:
        yield f'<p class="note">{report["prompts_cut"]} prompts were cut: longer than the model can read.</p>'
    yield "</body></html>"


def _pairs(report: dict[str, Any]) -> Iterator[str]:
    sets = {"in distribution": report["in_distribution"]}
    if "other" in report:
        sets["out of distribution"] = report["other"]
        yield f'<p class="note">Out of distribution: {html.escape(", ".join(report["other_files"]))}</p>'
    for name, found in sets.items():
        if found["simulated"]:
            judged = f"{found['simulated']} of {found['pairs']} pairs {name} were judged by simulated raters."
            yield f'<p class="flag">{judged}</p>'
    yield "<h2>Accuracy, and what could be reached</h2>"
    yield _picture(_draw_accuracy(sets), "Accuracy beside the ceiling and beside rules of length")
    yield _table(["", *sets], list(_figures(sets)))
    for name, found in sets.items():
        yield "".join(
            f"<p>{name.capitalize()}: {html.escape(line)}.</p>" for line in describe_ceilings(found["ceiling"])
        )
    yield "<h2>Calibration</h2>"
    yield _picture(_draw_reliability(report["in_distribution"]["calibration"]), "Reliability diagram")
    yield '<p class="note">Each temperature was fitted on the other half of the prompts.</p>'
    yield "<h2>Length</h2>"
    yield _picture(_draw_lengths(sets), "Accuracy by how much longer the chosen response is")
    if report.get("probes"):
        yield "<h2>Tricks that should not pay</h2>"
        yield _picture(_draw_probes(report["probes"]), "How often each trick raises the score")
        yield _table(["trick", "score rises", "mean change, standard deviations", "responses", ""], _probe_rows(report))
    if "doubt_separates" in report:
        yield "<h2>Disagreement of the ensemble</h2>"
        yield f"<p>It tells the two sets apart with an AUC of {report['doubt_separates']:.3f}; 0.5 would be a coin.</p>"


def _figures(sets: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    def row(name: str, value: Any) -> list[str]:
        return [name, *(html.escape(value(found)) for found in sets.values())]

    yield row("pairs (prompts)", lambda f: f"{f['pairs']} ({f['prompts']})")
    yield row("ties left out", lambda f: str(f["ties"]))
    if any(found["unread"] for found in sets.values()):
        yield row("pairs left out, too long for the model", lambda f: str(f["unread"]))
    yield row("accuracy", lambda f: shown(f["accuracy"]))
    yield row("“longer wins”", lambda f: f"{f['longer_wins']:.3f}")
    yield row("“shorter wins”", lambda f: f"{f['shorter_wins']:.3f}")
    yield row("lead over the better of the two", lambda f: shown(f["lead_over_length"]))
    for name, key in (("ECE", "ece"), ("Brier score", "brier"), ("loss, nats", "loss")):
        yield row(name, lambda f, key=key: f"{f['calibration']['before'][key]:.4f}")
        yield row(f"{name}, after temperature", lambda f, key=key: _after(f["calibration"], key))
    yield row("correlation of score and length", lambda f: f"{f['score_length_correlation']:+.3f}")
    yield row("the same within pairs", lambda f: f"{f['difference_length_correlation']:+.3f}")
    if any(found["doubt"] is not None for found in sets.values()):
        yield row("standard deviation over members", lambda f: "" if f["doubt"] is None else f"{f['doubt']:.3f}")


def _after(calibration: dict[str, Any], key: str) -> str:
    return "" if calibration["after"] is None else f"{calibration['after'][key]:.4f}"


def _probe_rows(report: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, p in report["probes"].items():
        interval = f"{p['rises']:.3f} ({p['low']:.3f} to {p['high']:.3f})"
        flag = '<span class="flag">pays</span>' if p["is_flagged"] else ""
        rows.append([html.escape(name), interval, f"{p['change']:+.2f}", str(p["responses"]), flag])
    return rows


def _bench(found: dict[str, Any]) -> Iterator[str]:
    total = f"Total {shown_share(found['total'])} over {found['rows']} rows."
    yield f"<h2>RewardBench {found['version']}</h2><p>{total}</p>"
    if found.get("sections"):
        yield _table(["section", "score"], [[html.escape(n), f"{v:.3f}"] for n, v in found["sections"].items()])
    rows = [[html.escape(n), f"{s['score']:.3f}", str(s["rows"])] for n, s in found["subsets"].items()]
    yield _table(["subset", "score", "rows"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"


def _picture(figure: Any, text: str) -> str:
    """The figure as a PNG inside the page."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=130)
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'


def _axes(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    """A figure that no window shows; without pyplot, which keeps a global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("a page with pictures needs matplotlib: pip install 'textgym[train]'") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns)
    for one in axes if columns > 1 else [axes]:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_accuracy(sets: dict[str, dict[str, Any]]) -> Any:
    bars = []
    for name, found in sets.items():
        where = f", {name}" if len(sets) > 1 else ""
        bars.append((f"reward model{where}", found["accuracy"], BLUE))
        if found["ceiling"]["bayes"] is not None:
            bars.append((f"best possible{where}", {"value": found["ceiling"]["bayes"]}, GREY))
        if found["ceiling"]["raters"] is not None:
            bars.append((f"one rater by the others{where}", found["ceiling"]["raters"], GREY))
        bars.append((f"longer wins{where}", {"value": found["longer_wins"]}, ORANGE))
        bars.append((f"shorter wins{where}", {"value": found["shorter_wins"]}, ORANGE))
    figure, axes = _axes(7.5, 0.6 + 0.38 * len(bars))
    for row, (_, found, color) in enumerate(reversed(bars)):
        axes.barh(row, found["value"], color=color, height=0.65)
        if "low" in found:
            axes.plot([found["low"], found["high"]], [row, row], color="black", linewidth=1.5)
        axes.text(0.005, row, f"{found['value']:.3f}", va="center", color="white", fontsize=9)
    axes.set_yticks(range(len(bars)), [name for name, _, _ in reversed(bars)])
    axes.set(xlim=(0, 1), xlabel="share of pairs ranked right (line: 95% interval)")
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    return figure


def _draw_reliability(calibration: dict[str, Any]) -> Any:
    parts = {"as it is": calibration["before"]}
    if calibration["after"] is not None:
        parts["after temperature"] = calibration["after"]
    figure, axes = _axes(4.2 * len(parts), 4.0, len(parts))
    low = min([0.5, *(b["accuracy"] for part in parts.values() for b in part["bins"])]) - 0.04
    for one, (name, part) in zip([axes] if len(parts) == 1 else axes, parts.items(), strict=True):
        most = max(b["pairs"] for b in part["bins"])
        one.plot([0.5, 1], [0.5, 1], color=GREY, linestyle="--", linewidth=1)
        x, y = [b["confidence"] for b in part["bins"]], [b["accuracy"] for b in part["bins"]]
        one.plot(x, y, color=BLUE, linewidth=1, alpha=0.5)
        one.scatter(x, y, s=[12 + 180 * b["pairs"] / most for b in part["bins"]], color=BLUE)
        one.set(title=f"{name}: ECE {part['ece']:.3f}", xlim=(0.48, 1.02), ylim=(low, 1.04))
        one.set(xlabel="confidence of the model (area: pairs)", ylabel="accuracy")
    return figure


def _draw_lengths(sets: dict[str, dict[str, Any]]) -> Any:
    figure, axes = _axes(7.5, 3.2)
    names = list(dict.fromkeys(row["chosen_is"] for found in sets.values() for row in found["length_buckets"]))
    for k, (name, found) in enumerate(sets.items()):
        rows, shift = found["length_buckets"], (k - (len(sets) - 1) / 2) * 0.15
        x = [names.index(row["chosen_is"]) + shift for row in rows]
        y = [row["value"] for row in rows]
        color = (BLUE, ORANGE)[k]
        axes.vlines(x, [row["low"] for row in rows], [row["high"] for row in rows], color=color, linewidth=1.5)
        axes.scatter(x, y, color=color, label=name, zorder=3)
        for place, row in zip(x, rows, strict=True):
            axes.text(place + 0.04, row["value"], f" {row['pairs']}", fontsize=8, color="#555", va="center")
    axes.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(names)), names)
    axes.set(
        xlabel="the chosen response is … than the rejected one (numbers: pairs)", ylabel="accuracy", ylim=(0, 1.03)
    )
    if len(sets) > 1:
        axes.legend(frameon=False)
    return figure


def _draw_probes(probes: dict[str, dict[str, Any]]) -> Any:
    figure, axes = _axes(7.5, 0.8 + 0.36 * len(probes))
    for row, found in enumerate(reversed(probes.values())):
        color = RED if found["is_flagged"] else BLUE
        axes.plot([found["low"], found["high"]], [row, row], color=color, linewidth=2)
        axes.scatter(found["rises"], row, color=color, zorder=3)
    axes.set_yticks(range(len(probes)), list(reversed(probes)))
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlim=(-0.02, 1.02), xlabel="share of responses whose score rises (red: more often than not)")
    return figure
