"""The picture of docs/benchmarks.md."""

from __future__ import annotations

from typing import Any

from benchmarks.executors import NAMES


def drawn(summary: dict[str, Any]) -> str:
    """Bars of tasks per second and of CPU per task in `wide`, as SVG."""
    found = summary.get("wide", {})
    rows: list[str] = []
    y = 20
    for metric, words in (
        ("tasks/s", "wide: tasks per second"),
        ("cpu ms/task: all", "wide: CPU ms per task"),
    ):
        values = {name: found[name][metric]["median"] for name in NAMES if metric in found.get(name, {})}
        rows.append(f'<text x="10" y="{y}" font-weight="bold">{words}</text>')
        y += 8
        for name, value in values.items():
            width = 280 * value / max(values.values())
            color = "#1b7f79" if name == "tradewind" else "#9aa5ad"
            rows.append(f'<rect x="170" y="{y}" width="{width:.0f}" height="16" fill="{color}"/>')
            rows.append(f'<text x="10" y="{y + 13}">{NAMES[name]}</text>')
            rows.append(f'<text x="{176 + width:.0f}" y="{y + 13}">{value:.4g}</text>')
            y += 22
        y += 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="520" height="{y}" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>' + "".join(rows) + "</svg>\n"
    )
