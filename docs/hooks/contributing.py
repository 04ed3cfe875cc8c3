"""The page `contributing.md`, made of CONTRIBUTING.md: its links as seen from the pages, its drawing as HTML.

A hosting site draws the Mermaid block by itself. The pages load nothing from elsewhere, so here the same block becomes
boxes in rows: a row for each subgraph, a box for each node, an arrow for each link.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```mermaid\n(.*?)```\n", re.DOTALL)
ROW = re.compile(r'subgraph \w+ \["(.*?)"\]\n(.*?)\n +end\n', re.DOTALL)
BOX = re.compile(r'\w+\["(.*?)"\]')


def drawing(source: str) -> str:
    """The block as HTML."""
    rows = []
    for title, inside in ROW.findall(source):
        boxes = "<i>→</i>".join(f"<span>{label}</span>" for label in BOX.findall(inside))
        rows.append(f"<div><b>{title}</b><p>{boxes}</p></div>")
    return '<div class="house">{}</div>\n'.format("<i>↓</i>".join(rows))


def page() -> str:
    """CONTRIBUTING.md as a page of the documentation."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = BLOCK.sub(lambda block: drawing(block[1]), text)
    return text.replace("](docs/", "](")


def on_files(files: Files, *, config: Any) -> None:
    """Adds the page."""
    files.append(File.generated(config, "contributing.md", content=page()))
