"""Make a microscope: the pass, the evidence, the page, and then visualisations and concepts, which take longest.

A folder that was begun with the same network, images and settings is continued: the pass from the parts that are
missing, visualisations from the missing files, concepts from the missing classes. Several processes with one folder
share all three (see `deepdream.claims`). The page is there before the first visualisation, with crops as tiles.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path

from deepdream.claims import Claims, OneFile
from deepdream.console import progress_bar
from deepdream.dreaming.selection import resolved
from deepdream.files import write_atomically
from deepdream.hardware import best_device, best_dtype
from deepdream.microscope.class_concepts import class_concepts, classes_with_concepts
from deepdream.microscope.config import MicroscopeOptions
from deepdream.microscope.evidence import examine
from deepdream.microscope.image_set import ImageSet, batches
from deepdream.microscope.page_questions import TEST, PageTest, ask_about_pages
from deepdream.microscope.site import INDEX, starting_photos, write_images, write_site
from deepdream.microscope.site_data import Microscope, page_images
from deepdream.microscope.streaming import Pass, StreamingPass, accelerated_for, sample_indices
from deepdream.microscope.trust_lines import trust_lines
from deepdream.microscope.visualizations import Visualizations
from deepdream.models import Layer, Network
from deepdream.models.layers import choose_layers
from deepdream.models.named import digest_of
from deepdream.shared_arrays import Arrays, SharedArrays

STATE = ".microscope"  # the folder of what a later run continues from


def make_microscope(
    network: Network,
    images: ImageSet,
    folder: Path,
    options: MicroscopeOptions | None = None,
    *,
    title: str = "",
    notes: Sequence[str] = (),
    dream_command: str = "python dream.py",
    judge: Network | None = None,
    on_page: Callable[[Path], object] | None = None,
    on_test: Callable[[Sequence[PageTest]], object] | None = None,
    start: float = 0.0,
) -> Path:
    """Write the microscope of `network` on `images` into `folder`; returns the path of its index.html.

    title, notes: of the first page. dream_command: the beginning of the commands that dream a channel of this network.
    judge: of the machine's Borowski test, a network that was trained independently; None: no test.
    on_page: called with the path of index.html when the page is there, before the visualisations are made.
    on_test: called with the results of the test. start: the share of the work after which this process begins, so
    that several do not begin with the same.
    Raises ValueError for a layer that the network lacks, or whose map has no positions, and without readable images.
    """
    options = options or MicroscopeOptions()
    page = OneFile(folder / INDEX)
    layers = chosen_layers(network, options.layers)
    device = best_device(options.device)
    network.model.to(device)
    fingerprint = _begin(folder, network, images, options, layers)
    size, workers = options.batch_size, options.workers
    found = _pass(network, images, folder, options, layers, fingerprint, start)
    if len(found.skipped) == len(images.paths):
        raise ValueError(f"none of the {len(images.paths)} images in {images.root} can be read")
    indices = page_images(found)
    shown = images.take(indices.tolist())
    with progress_bar("explaining images", total=len(indices)) as update:
        every = batches(shown, network, batch_size=size, workers=workers)
        evidence = examine(network, layers, every, found, removals=options.removals, device=device, on_batch=update)
    skipped = [f"{len(found.skipped)} of {len(images.paths)} images could not be read"] if found.skipped else []
    microscope = Microscope(
        network,
        layers,
        shown,
        indices,
        found,
        evidence,
        title=title or network.source,
        dream_command=dream_command,
        notes=[*notes, *skipped],
    )
    index = folder / INDEX

    def write_first_page() -> None:
        write_images(folder / "images", shown, network, batch_size=size, workers=workers)
        write_site(folder, microscope)

    page.write(write_first_page)
    if on_page is not None:
        on_page(index)
    last_page, visualizations = OneFile(index), None
    if options.visualizations:
        visualizations = Visualizations(network, folder / "visualizations", options)
        _visualize(visualizations, microscope, folder, start)
    if options.concepts:
        microscope = _with_concepts(microscope, options.concepts, folder, visualizations, start)

    def write_last_page() -> None:
        complete = microscope
        if visualizations is not None:
            trust = {layer.name: trust_lines(microscope, layer, visualizations) for layer in layers}
            complete = replace(microscope, visualizations=options.visualizations, trust=trust)
        if judge is not None:
            judge.model.to(device)
            results = ask_about_pages(complete, folder, judge, visualizations)
            if on_test is not None:
                on_test(results)
        if (folder / TEST).is_file():  # of this run, or of an earlier one
            complete = replace(complete, test=json.loads((folder / TEST).read_bytes()))
        write_site(folder, complete, visualizations)

    last_page.write(write_last_page)
    return index


def chosen_layers(network: Network, names: Sequence[str]) -> list[Layer]:
    """The layers called `names`, also by a share of the depth, without repeats, in the order of the network."""
    layers = network.layers()
    chosen = choose_layers([resolved(name, layers) for name in names], layers)
    if flat := [layer.name for layer in chosen if not layer.stride]:
        raise ValueError(f"{flat[0]} has no positions in the image; choose a layer before the pooling")
    return [layer for layer in layers if layer in chosen]


def _pass(
    network: Network,
    images: ImageSet,
    folder: Path,
    options: MicroscopeOptions,
    layers: Sequence[Layer],
    fingerprint: str,
    start: float,
) -> Pass:
    """The pass over the images, in parts that several processes share."""
    device, size = best_device(options.device), options.batch_size
    samples = sample_indices(len(images.paths), options.pages)
    shared = SharedArrays(folder / STATE / "pass", len(images.paths), batch_size=size, source=lambda part: fingerprint)

    dtype = best_dtype(options.precision, device)
    model = cache(partial(accelerated_for, network, layers, dtype, device))  # for all parts, if any is missing

    def statistics(part: range, on_batch: Callable[[int], object]) -> Arrays:
        own = samples[(part.start <= samples) & (samples < part.stop)]
        seen = batches(images, network, batch_size=size, workers=options.workers, part=part)
        streaming = StreamingPass(network, layers, images.labels, samples=own)
        return streaming.run(seen, device=device, dtype=dtype, model=model(), on_batch=on_batch).arrays()

    with progress_bar("looking at images", total=len(images.paths)) as update:
        shared.compute(statistics, start=start, on_done=update)
    return Pass.joined(shared.read(), layers, len(network.classes))


def _visualize(visualizations: Visualizations, microscope: Microscope, folder: Path, start: float) -> None:
    before, kinds = 0, len(visualizations.kinds)
    total = kinds * sum(layer.channels for layer in microscope.layers)
    with progress_bar("visualizing channels", total=total) as update:
        for layer in microscope.layers:
            photos = starting_photos(folder, microscope, layer, visualizations.side)
            visualizations.make(layer, photos, lambda done, before=before: update(before + done), start=start)  # type: ignore[misc]
            before += kinds * layer.channels


def _with_concepts(
    microscope: Microscope, count: int, folder: Path, visualizations: Visualizations | None, start: float
) -> Microscope:
    state = folder / STATE / "concepts"
    with progress_bar("finding concepts", total=len(classes_with_concepts(microscope))) as update:
        try:
            concepts = class_concepts(
                microscope,
                count,
                state=state,
                folder=folder,
                visualizations=visualizations,
                start=start,
                on_class=update,
            )
        except ValueError as error:  # the layer has no concepts; the rest of the microscope has
            return replace(microscope, notes=[*microscope.notes, f"No concepts: {error}"])
    return replace(microscope, concepts=concepts)


def _begin(
    folder: Path, network: Network, images: ImageSet, options: MicroscopeOptions, layers: Sequence[Layer]
) -> str:
    """Keep what an earlier run with the same network, images and settings has left in `folder`, and only that.

    Returns their fingerprint. One of several processes clears the folder.
    """
    keys = {field.name for field in fields(MicroscopeOptions)} - {"workers", "device", "layers"}
    settings = {key: getattr(options, key) for key in sorted(keys)}
    files = [(name, path.stat().st_size) for name, path in zip(images.names, images.paths, strict=True)]
    about = [
        network.digest or digest_of(network.model),
        settings,
        [layer.name for layer in layers],
        files,
        images.labels,
    ]
    fingerprint = hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()
    if folder.is_dir() and any(folder.iterdir()) and not (folder / STATE).is_dir():
        raise ValueError(f"{folder} holds other files; name a new or empty folder with output=")

    def is_begun(record: Path) -> bool:
        return record.is_file() and record.read_text() == fingerprint

    with Claims() as claims:
        for free in claims.rounds([folder / STATE / "fingerprint.txt"], Path, is_begun):
            for record in free:
                for name in (f"{STATE}/pass", f"{STATE}/concepts", "images", "visualizations", "sheets", "data"):
                    shutil.rmtree(folder / name, ignore_errors=True)
                (folder / TEST).unlink(missing_ok=True)
                write_atomically(record, fingerprint.encode())
                claims.release(record)
    return fingerprint
