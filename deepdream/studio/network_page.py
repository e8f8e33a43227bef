"""The page Network: the runs found here, their curves, confusion, report and microscope; a training as it runs."""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from deepdream.apps.microscope import PAGE as MICROSCOPE
from deepdream.console import command_line
from deepdream.studio import network_jobs, runs, uploads
from deepdream.studio.changes import UNCHANGED, Changes
from deepdream.studio.fragments import fragment, pressed, rendered
from deepdream.studio.network_jobs import Confusion
from deepdream.studio.runs import Prediction, Run
from deepdream.studio.worker import JobFailed

if TYPE_CHECKING:
    import pandas as pd

    from deepdream.studio.frame import Studio

PAGE = "network"
EVERY = 3.0  # seconds between two looks at the run that is shown
MOST_IMAGES = 24  # of a cell
COLUMNS = ["epoch", "value", "split"]
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Shown:
    """The run on the page. changed: what it had written when it was shown, see `runs.changed`."""

    folder: Path
    changed: tuple[int, ...]


def build(studio: Studio) -> None:
    """The page, inside its tab."""
    NetworkPage(studio)


class NetworkPage:
    """The components of the page and what they do."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.found = gr.State([])  # of runs.Run, in the order of the list
        self.shown = gr.State()  # of Shown
        self.confused = gr.State()  # of Confusion
        self.cell = gr.State([])  # of Prediction, as the gallery shows them
        self.timer = gr.Timer(EVERY, active=False)
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self.list = fragment("n-list")
                self.refresh = gr.Button("Look again", size="sm", elem_id="n-refresh")
            with gr.Column(scale=9, min_width=320):
                self.title = gr.HTML(elem_id="n-title")
                self.note = gr.HTML(elem_id="n-note")
                with gr.Tabs(selected="curves", elem_id="n-tabs") as self.tabs:
                    self._panels()
        self._listen()

    def _panels(self) -> None:
        with gr.Tab("Curves", id="curves"):
            with gr.Row():
                self.accuracy = _plot("Accuracy", "n-accuracy", y_lim=[0, 1])
                self.loss = _plot("Loss", "n-loss", y_lim=[0, None])
            self.dream = gr.HTML(elem_id="n-dreamed")
        with gr.Tab("Confusion", id="confusion") as self.confusion_tab:
            self.confusion = fragment("n-confusion")
            self.cell_title = gr.HTML(elem_id="n-cell")
            self.images = gr.Gallery(
                visible=False,
                columns=6,
                allow_preview=False,
                buttons=[],
                height="auto",
                show_label=False,
                elem_id="n-images",
            )
        with gr.Tab("Report", id="report") as self.report_tab:
            self.report = gr.HTML(elem_id="n-report")
        with gr.Tab("Microscope", id="microscope") as self.microscope_tab:
            self.microscope = gr.HTML(elem_id="n-microscope")

    def _listen(self) -> None:
        run = [self.shown, self.list, self.title, self.note, self.accuracy, self.loss, self.dream, self.timer]
        panels = [self.confused, self.confusion, self.cell_title, self.images, self.report, self.microscope]
        opened = [self.found, *run, *panels, self.tabs]
        gr.on([self.studio.blocks.load, self.refresh.click], self._look, self.shown, opened, **QUIET)
        self.studio.tabs.select(self._open, self.shown, opened, **QUIET)
        self.list.click(self._choose, self.found, opened, **QUIET)
        self.timer.tick(self._tick, [self.found, self.shown], opened, **QUIET)
        self.confusion_tab.select(self._show_confusion, self.shown, panels, **QUIET)
        self.report_tab.select(self._show_report, self.shown, self.report, **QUIET)
        self.microscope_tab.select(self._show_microscope, self.shown, self.microscope, **QUIET)
        cell = [self.confusion, self.cell_title, self.images, self.cell, self.note]
        self.confusion.click(self._choose_cell, self.confused, cell, **QUIET)
        understand = [self.studio.photos["understand"], self.studio.tabs, self.note]
        self.images.select(self._understand, self.cell, understand, **QUIET)

    def _look(self, shown: Shown | None) -> Changes:
        """List the runs; show the one that was shown, or the newest."""
        found = runs.found_runs()
        run = next((each for each in found if shown and each.folder == shown.folder), found[0] if found else None)
        return self._list(found, run) | (self._show(run) if run else {})

    def _open(self, shown: Shown | None, event: gr.SelectData) -> Changes:
        """A page was opened: only this one looks at its run again and again."""
        if event.value != PAGE.capitalize():
            return {self.timer: gr.Timer(active=False)}
        return self._look(shown)

    def _choose(self, found: list[Run], event: gr.EventData) -> Changes:
        choice = pressed(event, "choice")
        if not isinstance(choice, str) or not choice.isdecimal() or int(choice) >= len(found):
            return UNCHANGED
        run = runs.read_run(found[int(choice)].folder)
        return self._list(found, run) | self._show(run) | {self.tabs: gr.Tabs(selected="curves")}

    def _tick(self, found: list[Run], shown: Shown | None) -> Changes:
        """Show what has changed since the last look, and nothing where nothing has."""
        again = runs.found_runs()
        run = next((each for each in again if shown and each.folder == shown.folder), again[0] if again else None)
        changes = {} if again == found else self._list(again, run)
        if run is not None and (shown is None or runs.changed(run.folder) != shown.changed):
            changes |= self._show(run, closes=shown is None)
        return changes or gr.skip()  # an empty dictionary is an error

    def _list(self, found: list[Run], run: Run | None) -> Changes:
        command = command_line("train", "experiment=demo", "callbacks=dreams")
        return {
            self.found: found,
            self.list: rendered("runs", runs=found, chosen=run.folder if run else None, command=command),
            self.timer: gr.Timer(active=True),
        }

    def _show(self, run: Run, *, closes: bool = True) -> Changes:
        """The curves and the latest dream. closes: empty the other panels, which show another run or an older state."""
        curves = _curves(run)
        changes = {
            self.shown: Shown(run.folder, runs.changed(run.folder)),
            self.title: rendered("title", text=run.name),
            self.accuracy: gr.LinePlot(_points(curves, "accuracy"), visible=run.has_metrics),
            self.loss: gr.LinePlot(_points(curves, "loss"), visible=run.has_metrics),
            self.note: "" if run.has_metrics else rendered("hint", text=_without_curves(run)),
            self.dream: _latest_dream(run.folder),
        }
        if closes:
            changes |= {
                self.confused: None,
                self.confusion: "",
                self.cell_title: "",
                self.images: gr.Gallery(visible=False),
                self.report: "",
                self.microscope: "",
            }
        return changes

    def _show_confusion(self, shown: Shown | None, request: gr.Request) -> Changes:
        if shown is None or not runs.read_run(shown.folder).has_confusion:
            waiting = "This run has no evaluation yet; a training evaluates its best checkpoint at its end."
            return {self.confusion: rendered("confusion", confusion=None, waiting=waiting)}
        try:
            confusion = self._job(request, network_jobs.confusion, shown.folder.resolve())
        except JobFailed as error:
            return {self.confusion: rendered("confusion", confusion=None, waiting=str(error))}
        return {self.confused: confusion, self.confusion: _matrix(confusion)}

    def _choose_cell(self, confusion: Confusion | None, event: gr.EventData, request: gr.Request) -> Changes:
        cell = _cell(pressed(event, "choice"), confusion)
        if confusion is None or cell is None:
            return UNCHANGED
        every = confusion.images_of(*cell)
        label, predicted = (confusion.classes[index] for index in cell)
        folder = self.studio.session(request).new_path("cell.jpg").parent
        try:
            small = self._job(request, network_jobs.thumbnails, [each.image for each in every[:MOST_IMAGES]], folder)
        except JobFailed as error:
            return {self.note: rendered("note", text=str(error))}
        found = [(each, path) for each, path in zip(every, small or [], strict=False) if path is not None]
        title = rendered(
            "cell", label=label, predicted=predicted, count=confusion.counts[cell[0]][cell[1]], shown=len(found)
        )
        tiles = [(str(path), f"{each.probability:.0%}") for each, path in found]
        return {
            self.confusion: _matrix(confusion, cell),
            self.cell_title: title,
            self.images: gr.Gallery(tiles, visible=bool(tiles), selected_index=None),
            self.cell: [each for each, _ in found],
        }

    def _understand(self, cell: list[Prediction], event: gr.SelectData, request: gr.Request) -> tuple[Any, Any, Any]:
        """Send an image of the cell to the page Understand, as a copy in the folder of the session."""
        if not isinstance(event.index, int) or not 0 <= event.index < len(cell):
            return gr.skip(), gr.skip(), gr.skip()
        session = self.studio.session(request)
        source = cell[event.index].image
        path = session.new_path(source.name)
        try:
            shutil.copyfile(source, path)
            photo, _ = self._job(request, uploads.read_photo, path, session.new_path("shown.jpg"))
        except (JobFailed, OSError) as error:
            return gr.skip(), gr.skip(), rendered("note", text=str(error))
        return photo, gr.Tabs(selected="understand"), ""

    def _show_report(self, shown: Shown | None, request: gr.Request) -> str:
        hint = "This run has no report yet; a training writes one at its end, and so does evaluate.py."
        if shown is None or not (report := shown.folder / runs.REPORT).is_file():
            return rendered("framed", address=None, hint=hint, command="")
        own = self.studio.session(request).new_path(runs.REPORT)
        shutil.copyfile(report, own)
        return rendered("framed", address=self.studio.framed.address(own), title="Evaluation report", scripts=False)

    def _show_microscope(self, shown: Shown | None) -> str:
        if shown is None or not (page := shown.folder / MICROSCOPE).is_file():
            ckpt = "" if shown is None else f"ckpt={shown.folder}/checkpoints/best.ckpt"
            hint = "This run has no microscope. It shows every channel of the network; make it with:"
            output = "" if shown is None else f"output={(shown.folder / MICROSCOPE).parent}"
            return rendered("framed", address=None, hint=hint, command=command_line("microscope", ckpt, output))
        return rendered("framed", address=self.studio.framed.address(page), title="Microscope", scripts=True)

    def _job(self, request: gr.Request, job: Any, *arguments: Any) -> Any:
        return self.studio.worker.result((request.session_hash, PAGE), job, *arguments)


def _plot(title: str, name: str, y_lim: list[float | None]) -> gr.LinePlot:
    from deepdream.plots import COLORS

    return gr.LinePlot(
        x="epoch",
        y="value",
        color="split",
        color_map=COLORS,
        title=title,
        x_title="epoch",
        y_title=" ",
        color_title=" ",
        y_lim=y_lim,
        height=280,
        min_width=300,
        buttons=[],
        elem_id=name,
    )


def _curves(run: Run) -> dict[str, dict[int, float]]:
    from deepdream.evaluating.curves import read_curves

    return read_curves(run.folder / runs.METRICS) if run.has_metrics else {}


def _points(curves: dict[str, dict[int, float]], metric: str) -> pd.DataFrame:
    import pandas as pd

    from deepdream.plots import COLORS

    return pd.DataFrame(
        [
            (epoch, value, split)
            for split in COLORS
            for epoch, value in sorted(curves.get(f"{split}/{metric}", {}).items())
        ],
        columns=COLUMNS,
    )


def _without_curves(run: Run) -> str:
    return "The first epoch is not finished yet." if run.is_running else "This folder has no training curves."


def _latest_dream(folder: Path) -> str:
    path = runs.latest_dream(folder)
    if path is None:
        return ""
    epoch = int(path.stem.rpartition("_")[2])
    png = base64.b64encode(path.read_bytes()).decode("ascii")
    return rendered("dreamed", png=png, caption=f"after epoch {epoch}" if epoch else "before training")


def _matrix(confusion: Confusion, cell: tuple[int, int] | None = None) -> str:
    return rendered("confusion", confusion=confusion, chosen=cell)


def _cell(choice: Any, confusion: Confusion | None) -> tuple[int, int] | None:
    """The row and column that a press names; None for anything else that a browser sends."""
    row, comma, column = choice.partition(",") if isinstance(choice, str) else ("", "", "")
    if confusion is None or not comma or not row.isdecimal() or not column.isdecimal():
        return None
    cell = int(row), int(column)
    return cell if max(cell) < len(confusion.classes) else None
