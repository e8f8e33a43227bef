"""Make the images of docs/how_it_works.md with the bundled model: `python tools/how_it_works.py`.

`python tools/how_it_works.py gradient octaves` makes only these. About six minutes of one CPU core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from deepdream.dreaming import DreamConfig, Dreamer, StepReport
from deepdream.fonts import pillow_font
from deepdream.images import noise_image, read_sample, resize_to_width, to_image, to_tensor
from deepdream.models import Network, load_network

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "how_it_works"
WIDTH = 968  # of an image of the page, in pixels
GAP, CAPTION = 8, 17  # pixels between images; size of the caption's letters
STEP = 3.0  # of 255, the mean change of a pixel in a step
LAYER = "layer3"


def layers(network: Network) -> Image.Image:
    """The same photo, dreamed by each stage of the network."""
    photo = _photo(480)
    return _sheet({layer: _dream(network, photo, layers=[layer]) for layer in ("layer1", "layer2", "layer3", "layer4")})


def gradient(network: Network) -> Image.Image:
    """A photo, the gradient of a layer's response, and the photo after two and twenty steps along it."""
    photo = _photo(480)
    steps = _steps(network, photo, octaves=1, steps=20)
    return _sheet(
        {
            "the photo": photo,
            "the gradient of layer3": _shown_gradient(steps[0].gradient),
            "after 2 steps": _image(steps[1]),
            "after 20 steps": _image(steps[19]),
        }
    )


def octaves(network: Network) -> Image.Image:
    """The photo after each of four octaves; below, that beside as many steps on the photo itself."""
    photo = _photo(640)
    sizes = [_image(report) for report in _steps(network, photo)[9::10]]
    named = {f"{image.width} pixels": image for image in sizes}
    one = _dream(network, photo, octaves=1, steps=40)
    return _stack([_row(named, true_size=True), _row({"one octave of 40 steps": one, "four of 10 steps": sizes[-1]})])


def jitter(network: Network) -> Image.Image:
    """A part of the sky, and dreams of it with more and more jitter."""
    photo = _photo(480).crop((220, 0, 460, 160))
    dreams = {f"jitter={pixels}": _dream(network, photo, octaves=1, steps=40, jitter=pixels) for pixels in (0, 4, 32)}
    return _sheet({"the photo": photo, **dreams})


def smoothing(network: Network) -> Image.Image:
    """The last gradient under each smoothing, and below it the dream that it belongs to."""
    photo = _photo(360)
    step_sizes = {"none": ("mean_abs", 3.0), "cascade": ("std", 2.4), "laplacian": ("rms", 2.4), "band": ("local", 4.0)}
    last = {
        kind: _steps(network, photo, smoothing=kind, normalize=normalize, sigma=1.5, step_size=step_size)[-1]
        for kind, (normalize, step_size) in step_sizes.items()
    }
    rows = []
    for pair in (("none", "cascade"), ("laplacian", "band")):
        rows.append(_row({f"smoothing={kind}: gradient": _shown_gradient(last[kind].gradient) for kind in pair}))
        rows.append(_row({f"smoothing={kind}: dream": _image(last[kind]) for kind in pair}))
    return _stack(rows)


def noise(network: Network) -> Image.Image:
    """One channel from noise: its pixels, its Fourier coefficients, and their phases alone (MACO) as parameters."""
    preset, channel = DreamConfig.preset, ["layer4:3"]
    still = {"jitter": 0, "pad": 0, "scale": 0.0, "rotate": 0.0}
    pixels = {"layers": channel, "parameterization": "pixels", "init": "image", "step_size": 2.0, "steps": 64}
    settings = {
        "pixels": preset("visualize", **pixels, **still),
        "pixels, transformed": preset("visualize", **pixels),
        "Fourier": preset("visualize", layers=channel, steps=64),
        "phases (MACO)": preset("maco", layers=channel, objective="mean", transparency=None, steps=64),
    }
    start = to_tensor(noise_image(224, 224, 0))
    return _sheet({name: to_image(Dreamer(network, config)(start)) for name, config in settings.items()}, columns=4)


SHEETS: dict[str, Callable[[Network], Image.Image]] = {
    each.__name__: each for each in (layers, gradient, octaves, jitter, smoothing, noise)
}


def _photo(width: int) -> Image.Image:
    return resize_to_width(read_sample("china"), width)


def _steps(network: Network, photo: Image.Image, **settings: object) -> list[StepReport]:
    """The reports of every step of a dream; `settings` over those of `inceptionism`."""
    config = DreamConfig.preset("inceptionism", **{"layers": [LAYER], "step_size": STEP, **settings})
    reports: list[StepReport] = []
    Dreamer(network, config)(to_tensor(photo), on_step=lambda report: reports.append(_settled(report)))
    return reports


def _settled(report: StepReport) -> StepReport:
    """The report with its image and gradient as they are now."""
    image = report.image.clone()
    return replace(report, gradient=report.gradient.clone(), decode=lambda: image)


def _dream(network: Network, photo: Image.Image, **settings: object) -> Image.Image:
    return _image(_steps(network, photo, **settings)[-1])


def _image(report: StepReport) -> Image.Image:
    return to_image(report.image)


def _shown_gradient(gradient: Tensor) -> Image.Image:
    """A gradient (1, 3, H, W) around mid-grey: 2.5 standard deviations are black and white."""
    return to_image((0.5 + gradient[0] / (5 * gradient.std())).clamp(0, 1))


def _sheet(images: dict[str, Image.Image], columns: int = 2) -> Image.Image:
    """The images in rows of equal width, WIDTH pixels in all, each with its caption below."""
    named = list(images.items())
    return _stack([_row(dict(named[i : i + columns])) for i in range(0, len(named), columns)])


def _row(images: dict[str, Image.Image], *, true_size: bool = False) -> Image.Image:
    """The images side by side; true_size: in their own proportions."""
    space = WIDTH - GAP * (len(images) - 1)
    total = sum(image.width for image in images.values())
    widths = [round(space * image.width / total) if true_size else space // len(images) for image in images.values()]
    shown = [resize_to_width(image, width) for image, width in zip(images.values(), widths, strict=True)]
    height = max(image.height for image in shown)
    row = Image.new("RGB", (WIDTH, height + int(1.5 * CAPTION)), "white")
    pen, left = ImageDraw.Draw(row), 0
    for name, image in zip(images, shown, strict=True):
        row.paste(image, (left, height - image.height))
        text, font = pillow_font(name, CAPTION)
        pen.text((left + image.width / 2, height + 2), text, fill="#1a1a1a", font=font, anchor="ma")
        left += image.width + GAP
    return row


def _stack(rows: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, sum(row.height for row in rows) + GAP * (len(rows) - 1)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    return sheet


def main(arguments: Sequence[str]) -> None:
    """Make the strips that are named, or all of them."""
    network = load_network("box")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in arguments or SHEETS:
        SHEETS[name](network).save(FOLDER / f"{name}.jpg", quality=80, optimize=True, progressive=True)
        print(f"written: {FOLDER / name}.jpg")


if __name__ == "__main__":
    main(sys.argv[1:])
