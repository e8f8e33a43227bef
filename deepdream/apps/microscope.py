"""python microscope.py: every channel of a network beside the images that excite it, as a folder for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.table import Table

from deepdream import microscope, models, rooms, scenes
from deepdream.apps.checkpoints import chosen_network, run_folder
from deepdream.apps.command import command
from deepdream.apps.distributed import share_of_folder, start_of
from deepdream.apps.evaluate import data_of
from deepdream.console import invocation, print_table, progress_bar, relative
from deepdream.files import atomic_folder
from deepdream.images import SAMPLES, read_sample
from deepdream.microscope.config import MicroscopeConfig, MicroscopeOptions
from deepdream.models.config import BUNDLED

PAGE = "microscope/index.html"  # in a run folder
ROOMS = 25  # rendered images of each class
FIRST_ROOM = 2_000_000  # the number of the first: neither a training nor a test image of data=rooms
ROOM_SIDE = 256  # pixels


@command("microscope")
def main(config: MicroscopeConfig, folder: Path) -> None:
    """Write the microscope, and print where it is."""
    rank = share_of_folder(config.output, key="output", device=config.device)
    network = chosen_network(config.ckpt, config)
    judge = models.load_network(config.judge) if config.test else None
    images, note = _images(network, config)
    output = Path(config.output) if config.output else (folder / PAGE).parent
    start = start_of(rank)
    write_microscope(network, images, output, config, judge=judge, note=note, start=start)


def write_microscope(
    network: models.Network,
    images: microscope.ImageSet,
    output: Path,
    options: MicroscopeOptions | None = None,
    *,
    judge: models.Network | None = None,
    note: str | None = None,
    start: float = 0.0,
) -> Path:
    """Write the microscope of a network into `output`, printing where it is; returns the path of its page."""
    path = Path(network.source)
    if path.is_file():
        title, ckpt = f"{run_folder(path).name}/{path.stem}", f" ckpt={relative(path)}"
    else:
        title, ckpt = network.source, "" if network.source == BUNDLED else f" ckpt={network.source}"
    try:
        return microscope.make_microscope(
            network,
            images,
            output,
            options,
            title=title,
            notes=[note] if note else [],
            dream_command=f"{invocation('dream')}{ckpt}",
            judge=judge,
            on_test=_print_test,
            on_page=lambda page: print(f"microscope: {relative(page)}", flush=True),
            start=start,
        )
    except KeyboardInterrupt:
        again = f"{invocation('microscope')}{ckpt} output={relative(output)}"
        raise KeyboardInterrupt(f"to continue, repeat the command with output={relative(output)}: {again}") from None


def _print_test(results: Sequence[microscope.PageTest]) -> None:
    table = Table("layer", "images shown", "right", "95 % interval", "choices", "channels")
    for each in (result.record for result in results):
        shares = f"{each['share']:.1%}", f"{each['low']:.1%} to {each['high']:.1%}"
        table.add_row(each["layer"], each["shown"], *shares, str(each["questions"]), str(each["channels"]))
    print_table(table)


def _images(network: models.Network, config: MicroscopeConfig) -> tuple[microscope.ImageSet, str | None]:
    """The images that were asked for, and a note on their choice."""
    if config.images is not None:
        return microscope.images_below(Path(config.images), network.classes), None
    record = (network.hyper_parameters or {}).get("data") or {}
    if "fingerprint" in record and ("root" in record or config.root is not None):
        data = data_of(network, root=config.root)
        return test_images(data), None
    if config.root is not None:
        raise ValueError(
            f"{network.source} has no record of its data, whose folder root= names; use images={config.root}"
        )
    return _rendered(network.classes), (
        "The images are synthetic rooms and two sample photos, which need no download; images=FOLDER takes yours."
    )


def test_images(data: scenes.SceneDataModule) -> microscope.ImageSet:
    """The test images of a data set."""
    split = data.split("test")
    return microscope.ImageSet(split.paths, split.labels, data.images)


def _rendered(classes: list[str]) -> microscope.ImageSet:
    """Synthetic rooms of the classes that the network knows, or of all twelve, and the sample photos."""
    known = [name for name in rooms.CLASSES if name in classes] or list(rooms.CLASSES)
    root = Path("data") / f"microscope_rooms_{len(known)}"
    if not root.is_dir():
        with atomic_folder(root) as partial, progress_bar("rendering rooms", total=ROOMS * len(known)) as update:
            for number, name in enumerate(known):
                (partial / name).mkdir()
                for room in range(ROOMS):
                    image = Image.fromarray(rooms.render_room(name, FIRST_ROOM + room, size=ROOM_SIDE))
                    image.save(partial / name / f"{name}_{room:02d}.jpg", quality=90)
                    update(number * ROOMS + room + 1)
            (partial / "photos").mkdir()
            for name in SAMPLES:
                read_sample(name).save(partial / "photos" / f"{name}.jpg", quality=90)
    return microscope.images_below(root, classes)
