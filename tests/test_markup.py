"""Names of files and classes are texts, whatever they hold, in every notation that they reach."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from rich.table import Table

from deepdream.console import print_table
from deepdream.evaluating.csv_files import write_csv
from deepdream.fonts import _entries, drawable
from deepdream.loggers import log_image
from deepdream.markup import cells, folder_names, markdown, text_of_cell
from deepdream.plots import contact_sheet, figure_style, rendered

ODD = ["cost $5 $x_1$", "$\\frac$", "[red]bar[/]", "=1+1", "<b>", "a_b\\$", "\ue000", "Küche Ж", "a\tb", "\udcff"]


def plot_of(title: str) -> np.ndarray:
    with figure_style():
        figure = Figure(figsize=(4, 2))
        axes = figure.subplots()
        axes.set_title(title)
        axes.set_yticks([0, 1], [title, "b"])
    return np.asarray(rendered(figure))


@pytest.mark.parametrize("name", ODD)
def test_any_name_is_drawn_letter_by_letter(name: str) -> None:
    plain = name.replace("\\$", "$")
    assert np.array_equal(plot_of(name), plot_of(drawable(plain)))
    assert plot_of(name).shape == plot_of("x").shape
    contact_sheet([Image.new("RGB", (8, 8))], [name], title=name)


def test_what_no_font_has_is_escaped_and_what_one_has_is_drawn() -> None:
    assert np.array_equal(plot_of("\ue000"), plot_of(r"\ue000"))
    sheets = [
        np.asarray(contact_sheet([Image.new("RGB", (8, 8))], [name])) for name in ("ЖЖ", "ДД", "\ue000", r"\ue000")
    ]
    assert not np.array_equal(sheets[0], sheets[1])  # two boxes would be alike
    assert np.array_equal(sheets[2], sheets[3])
    assert not any(entry.name.startswith("Last Resort") for entry in _entries())


def test_a_spreadsheet_finds_no_formula_and_a_reader_the_names(tmp_path: Path) -> None:
    names = [*ODD[:-1], "'=1", "-0.5", "@x", "+a", "-1.5%", ""]
    path = write_csv(tmp_path / "a.csv", ["=name"], [[name] for name in names])
    with path.open(encoding="utf-8", newline="") as file:
        written = [row[0] for row in csv.reader(file)]
    assert [text_of_cell(cell) for cell in written] == ["=name", *names]
    assert [cell for cell in written if cell[:1] in ("=", "+", "-", "@")] == ["-0.5", "-1.5%"]


@given(st.text(), st.text())
def test_cells_and_tags_of_two_names_differ(one: str, other: str) -> None:
    assert (cells([one]) == cells([other])) == (one == other)
    assert (folder_names(one) == folder_names(other)) == (one == other)
    assert not {".", ".."}.intersection(folder_names(f"a/{one}"))


def test_brackets_and_colons_of_a_table_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title="[bold]a[/bold]")
    table.add_column("[i]b")
    table.add_row("[link=x]:smile:")
    print_table(table)
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("[bold]a[/bold]", "[i]b", "[link=x]:smile:"))


def test_tags_of_tensorboard_are_unicode(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        log_image([writer], "dream/\udcff $x$ [a]", Image.new("RGB", (4, 4)))
    (file,) = tmp_path.iterdir()
    assert b"dream/\\udcff $x$ [a]" in file.read_bytes()


def test_a_name_in_markdown_is_escaped() -> None:
    assert markdown("a|b<img>\n`c`") == r"a\|b\<img\>\\n\`c\`"
