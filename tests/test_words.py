"""Documentation, configuration and code use the field's words, and none of the project's former dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Pattern that must not occur -> what to write instead. A space also matches a line break, within a comment too.
# Upper and lower case are the same; identifiers and keys are checked too.
INSTEAD = {
    r"\baloud\b": "and their number is printed",
    r"network in the box": "the bundled model",
    r"\b(is|are) answered with\b": "fails with",
    r"\bwhat cannot\b": "a noun: unreadable files",
    r"\b(is|are) (said|told)\b": "is printed, is an error",
    r"\bof which\b": "a second sentence",
    r"\bgo(es)? on with\b": "continues, resumes",
    r"\banswers? (is |are )?right\b": "is correct",
    r"\bright answers?\b": "correct predictions",
    r"\badversary\b": "adversarial training, adversarial_eps",
    r"\b(one|two|three|four)(-| )fifths?\b": "20 %, 40 %",
    r"\ba fifth\b": "20 %",
    r"\bthere is no such key\b": "unknown key",
    r"\bclose ones are\b": "Did you mean",
    r"\blearns? by heart\b": "overfits",
    r"\brooms drawn by program\b": "synthetic rooms",
    r"\bdrawn by program\b": "rendered, synthetic",
    r"\bfirst five\b": "top-5",
    r"\baccuracy of the classes\b": "mean per-class accuracy",
    r"\bas sure as it is right\b": "reliability diagram",
    r"\bfor want of\b": "without, for lack of",
    r"\bwaiting for ever\b": "is not a regular file",
    r"\bwere seen to\b": "improved, in our measurements",
    r"\bhas no run to take part in\b": "rank 0 exited before the run started",
    r"\bis no folder of a run\b": "is not a run folder",
    r"\bto be had\b": "is available",
    r"\bturns? out to be\b": "is",
    r"\bdream=atlas\b": "dream=channel_grid",
    r"\bdream\.(keep|tone|space|carry|start|sheet|list_layers)\b": "see deepdream/apps/renamed.py",
    r"\bdata\.(store|store_size|cache)\b(?!_)": "data.cache_images, data.cache_image_size, data.cache_dir",
    r"\bmean_class_accuracy\b": "mean_per_class_accuracy",
    r"\bpictures_per_second\b": "images_per_second",
    r"\b(answers|scan)\.csv\b": "predictions.csv, integrity.csv",
    r"\.arriving\b": ".partial",
}

# Files that name former keys: the table of renamed keys, and the changelog in its code spans.
ALLOWED = ("deepdream/apps/renamed.py",)
CODE_SPANS_ALLOWED = ("CHANGELOG.md",)
TEXTS = {".md", ".yaml", ".yml", ".py", ".pyi", ".j2", ".html"}


def test_former_words_are_not_used() -> None:
    found = [
        f"{name}:{text[: match.start()].count(chr(10)) + 1}: {' '.join(match[0].split())!r}, better: {better}"
        for name, text in _texts()
        for word, better in INSTEAD.items()
        for match in re.finditer(word.replace(" ", r"[\s#]+"), text, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("what cannot be\n    # read is left out aloud", r"\baloud\b"),
        ("Nothing of\n    # which", r"\bof which\b"),
        ("python dream.py dream.keep=0.3", r"\bdream\.(keep|tone|space|carry|start|sheet|list_layers)\b"),
        ("data.cache: data/cache", r"\bdata\.(store|store_size|cache)\b(?!_)"),
    ],
)
def test_a_former_word_is_found_across_lines_and_in_keys(text: str, word: str) -> None:
    assert re.search(word.replace(" ", r"[\s#]+"), text)
    assert not re.search(word.replace(" ", r"[\s#]+"), "data.cache_dir, dream.preserve and a loud office, which")


def _texts() -> Iterator[tuple[str, str]]:
    """Relative path and text of every file that is checked; in some, code spans are blank."""
    patterns = ("*.md", "docs/*.md", "multirun/*.md", ".github/**/*", "Makefile", "conf/**/*.yaml", "deepdream/**/*")
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        name = path.relative_to(ROOT).as_posix()
        if not _is_text(path) or name in ALLOWED:
            continue
        text = path.read_text(encoding="utf-8")
        if name in CODE_SPANS_ALLOWED:
            text = re.sub(r"`[^`\n]*`", "`...`", text)
        yield name, text


def _is_text(path: Path) -> bool:
    return path.is_file() and (
        path.suffix in {".md", ".yaml", ".yml", ".py", ".pyi", ".j2", ".html"} or not path.suffix
    )
