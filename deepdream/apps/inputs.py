"""What a dream begins with: the image, the guide, the mask, and the Dreamer of a configuration."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from deepdream import dreaming, explaining, images, rooms
from deepdream.dreaming.config import DreamAppConfig

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import Dreamer
    from deepdream.models import Network

DEFAULT_PHOTO = "china"
ROOMS = {"bathroom": 8, "bedroom": 4, "kitchen": 20}  # rendered, each with a seed
ROOM_SIDE = 448
NOISE_WIDTH = 600  # of image=noise where dream.width is null
HEAT = ("gradcam", "not-gradcam")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def dreamer(config: DreamAppConfig, network: Network) -> Dreamer:
    """The Dreamer of `config`."""
    if config.compile:  # torch.compile warns of a missing CUDA_HOME, which a CPU does not need
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    return dreaming.Dreamer(
        network,
        config.dream,
        device=config.device,
        precision=config.precision,
        compile=config.compile,
        max_pixels=config.max_pixels,
    )


def source_image(name: str | None, config: DreamAppConfig) -> Image.Image:
    """The image called `name` (a path, noise, a sample photo or a rendered room), resized to dream.width."""
    width = config.dream.width
    if name is None and config.dream.init == "noise" and config.dream.parameterization == "fourier":
        side = width or NOISE_WIDTH
        return Image.new("RGB", (side, side), "grey")  # only its size is used
    name = name or DEFAULT_PHOTO
    if name == "noise":
        width = width or NOISE_WIDTH
        return images.noise_image(width * 2 // 3, width, config.seed)
    image = read_photo(name)
    return image if width is None else images.resize_to_width(image, width)


def guide(config: DreamAppConfig) -> Tensor | None:
    """The guide image resized to dream.width, (3, h, w), or None where there is none."""
    if config.guide is None:
        return None
    image, width = read_photo(config.guide), config.dream.width
    return images.to_tensor(image if width is None else images.resize_to_width(image, width))


def mask(name: str | None, network: Network, image: Image.Image) -> Tensor | None:
    """Where to dream, (H, W) in [0, 1]: the brightness of an image, or the Grad-CAM map of `image`, or its inverse."""
    if name is None:
        return None
    if name in HEAT and not Path(name).exists():
        # At the network's own image size: in a larger image it would respond to details.
        from torch.nn.functional import interpolate

        heat = explaining.grad_cam(network, network.preprocess(image, crop=False))
        heat = interpolate(heat[None, None], (image.height, image.width), mode="bilinear")[0, 0]
        return heat if name == "gradcam" else 1 - heat
    return images.to_tensor(read_photo(name)).mean(dim=0)


def images_in(image: str | list[str]) -> list[Path]:
    """The files of a list as given, or the image files of a folder, sorted.

    Raises ValueError where there is none, and where two files of a list have the same name.
    """
    if isinstance(image, list):
        paths = [Path(each) for each in image]
        if len({path.name for path in paths}) < len(paths):
            raise ValueError(f"image={image} has two files of the same name; dream them one after the other")
        return paths
    found = sorted(path for path in Path(image).iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"there is no image in {image}; known suffixes are {', '.join(SUFFIXES)}")
    return found


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file, different also where the file system ignores case.

    It is the path without suffix and with _ between its folders; of files that would share one, the path itself.
    """
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        absolute = [Path(os.path.abspath(path)) for path in paths]
        above = os.path.commonpath([path.parent for path in absolute])
        paths = [path.relative_to(above) for path in absolute]
    short = ["_".join(path.with_suffix("").parts) for path in paths]
    count = Counter(name.lower() for name in short)
    taken = {name for name, times in count.items() if times == 1}
    names: list[str] = []
    for path, name in zip(paths, short, strict=True):
        if count[name.lower()] > 1:
            name = path.as_posix()
            while name.lower() in taken:
                name += "_"
            taken.add(name.lower())
        names.append(name)
    return names


def read_photo(name: str) -> Image.Image:
    """The image called `name`: a path, a sample photo of scikit-learn, or a rendered room.

    Raises what `read_image` raises.
    """
    if name in images.SAMPLES and not Path(name).exists():
        return images.read_sample(name)
    if name in ROOMS and not Path(name).exists():
        return Image.fromarray(rooms.render_room(name, ROOMS[name], size=ROOM_SIDE))
    return images.read_image(name)
