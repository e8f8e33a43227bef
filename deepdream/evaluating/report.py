"""report.html: everything of an evaluation on one page that needs no network and no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

LARGE = 400_000  # bytes


@dataclass(frozen=True)
class Section:
    """A part of the page.

    reading: how to read it, in a sentence. picture: a PNG. table: rows of cells, the first the header.
    """

    title: str
    reading: str
    picture: Path | None = None
    table: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True)
class Headline:
    """One figure at the head of the page: its name, its value, and what is beside it in small (an interval)."""

    name: str
    value: str
    aside: str = ""


@dataclass(frozen=True)
class Chapter:
    """One network: its headlines and its sections. anchor: unique in the page."""

    anchor: str
    title: str
    headlines: list[Headline]
    sections: list[Section]


STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5b6470; --paper: #fbfbfa; --card: #fff; --line: #e3e5e8;
  --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3abb5; --paper: #15181c; --card: #1e2227;
  --line: #343a42; --accent: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
.chapter > h2 { margin: 3.2rem 0 1rem; padding-top: 1rem; border-top: 2px solid var(--line); font-size: 1.5rem; }
h3 { font-size: 1.15rem; margin: 0 0 .2rem; }
p { margin: 0 0 1rem; color: var(--soft); max-width: 46rem; }
nav { margin: 1.4rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .93rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.headlines { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem;
  margin: 1.6rem 0; }
.headline { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .9rem 1.1rem; }
.headline .name { color: var(--soft); font-size: .85rem; } .headline .value { font-size: 1.75rem; font-weight: 650;
  font-variant-numeric: tabular-nums; } .headline .aside { color: var(--soft); font-size: .82rem; }
section { margin: 2.6rem 0; scroll-margin-top: 1rem; }
figure { margin: 0; background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: .8rem;
  overflow-x: auto; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .95rem; }
th, td { padding: .4rem .9rem .4rem 0; text-align: left; border-bottom: 1px solid var(--line); }
td + td, th + th { text-align: right; } th { color: var(--soft); font-weight: 600; }
footer { margin-top: 4rem; color: var(--soft); font-size: .85rem; }
@media print { body { background: #fff; } section { break-inside: avoid; } nav { display: none; } }
"""


def write_report(
    path: Path, *, title: str, introduction: str, opening: Sequence[Section], chapters: Sequence[Chapter], footer: str
) -> Path:
    """Write the page and return its path. opening: sections before the first network, such as a comparison."""
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(introduction)}</p>"]
    alone = len(chapters) == 1
    if alone:
        links = [(section.title, _anchor(chapters[0], section)) for section in chapters[0].sections]
    else:
        links = [(chapter.title, chapter.anchor) for chapter in chapters]
    parts.append("<nav>" + "".join(f'<a href="#{anchor}">{escape(name)}</a>' for name, anchor in links) + "</nav>")
    parts += [_section(section, f"opening-{i}") for i, section in enumerate(opening)]
    for chapter in chapters:
        heading = "" if alone else f"<h2>{escape(chapter.title)}</h2>"
        sections = "".join(_section(section, _anchor(chapter, section)) for section in chapter.sections)
        cards = "".join(map(_headline, chapter.headlines))
        parts.append(
            f'<div class="chapter" id="{chapter.anchor}">{heading}<div class="headlines">{cards}</div>{sections}</div>'
        )
    parts.append(f"<footer>{escape(footer)}</footer>")
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )
    path.write_text(page, encoding="utf-8")
    return path


def _data(path: Path) -> str:
    """A PNG as a data URL; one of photos, which PNG packs badly, as a JPEG."""
    content, kind = path.read_bytes(), "png"
    if len(content) > LARGE:
        buffer = io.BytesIO()
        with Image.open(path) as picture:
            picture.convert("RGB").save(buffer, "JPEG", quality=88)
        content, kind = min((content, kind), (buffer.getvalue(), "jpeg"), key=lambda each: len(each[0]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _anchor(chapter: Chapter, section: Section) -> str:
    return f"{chapter.anchor}-{section.title.lower().replace(' ', '-')}"


def _headline(headline: Headline) -> str:
    return (
        f'<div class="headline"><div class="name">{escape(headline.name)}</div>'
        f'<div class="value">{escape(headline.value)}</div><div class="aside">{escape(headline.aside)}</div></div>'
    )


def _section(section: Section, anchor: str) -> str:
    body = ""
    if section.picture is not None:
        body += f'<figure><img alt="{escape(section.title)}" src="{_data(section.picture)}"></figure>'
    if section.table is not None:
        header, *rows = section.table
        cells = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        body += f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'
    return f'<section id="{anchor}"><h3>{escape(section.title)}</h3><p>{escape(section.reading)}</p>{body}</section>'
