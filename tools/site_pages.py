"""MkDocs hooks (mkdocs.yml): the generated pages of the site, and the links that leave docs/.

The pages of docs/ are written for GitHub and the site alike. Here the site gets what exists once elsewhere: the
configuration (from conf/ and its dataclasses), the Python API (from the docstrings), and three pages of the tree.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from api_pages import api_pages
from configuration_pages import configuration_pages, page_of
from gallery_cards import with_cards
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# Files of the tree that are pages of the site: path in the tree -> path in the site.
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "deepdream/weights/README.md": "model_card.md",
}
GALLERY = "gallery.md"
# The published part of a microscope has its data in docs/; its style and scripts are those of the package.
MICROSCOPE, TEMPLATES = "microscope_box/page", ROOT / "deepdream" / "microscope" / "templates"
BOOSTS = {"faq.md": 4, "api/": 0.3, "configuration/": 0.5, "changelog.md": 0.2}  # of results of the search
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The generated pages in the navigation: an entry `Title: folder/` of mkdocs.yml becomes the pages below it."""
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages of docs/ and the generated ones."""
    for uri, text in {**configuration_pages(), **api_pages()}.items():
        files.append(File.generated(config, uri, content=text))
    for source, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    for path in sorted((*TEMPLATES.glob("*.js"), *TEMPLATES.glob("*.css"))):
        files.append(File.generated(config, f"{MICROSCOPE}/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The text of a page with its links as the site has them; the gallery takes the whole width."""
    uri = page.file.src_uri
    if uri == GALLERY:
        page.meta["hide"] = ["navigation", "toc"]
    page.meta["search"] = {"boost": next((boost for name, boost in BOOSTS.items() if uri.startswith(name)), 1)}
    source = next((path for path, published in PAGES.items() if published == uri), f"docs/{uri}")
    parts = FENCED.split(markdown)
    parts[::2] = [LINK.sub(lambda link: _site_link(link, source, uri), part) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The gallery as cards that can be filtered."""
    return with_cards(html) if page.file.src_uri == GALLERY else html


def _site_link(link: re.Match[str], source: str, uri: str) -> str:
    """A link of the file `source` of the tree as one of the page `uri`; its text where the site lacks the target."""
    text, path, anchor = link[1], link[2], link[3] or ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target.startswith("docs/"):
        published = target.removeprefix("docs/")
    elif target.partition("/")[0] == "conf":
        published = page_of(target)
    elif target in PAGES:
        published = PAGES[target]
    else:
        return text
    return f"[{text}]({posixpath.relpath(published, posixpath.dirname(uri) or '.')}{anchor})"


def _expanded(nav: Any) -> Any:
    generated = {"configuration/": configuration_pages, "api/": api_pages}
    if isinstance(nav, list):
        return [_expanded(entry) for entry in nav]
    if isinstance(nav, dict):
        return {title: _expanded(value) for title, value in nav.items()}
    return list(generated[nav]()) if nav in generated else nav
