"""What a dream begins with: the image, the guide, the mask, and the Dreamer of a configuration."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from deepdream import dreaming, explaining, images, rooms
from deepdream.dreaming.config import DreamAppConfig
from deepdream.image_formats import IMAGE_SUFFIXES, is_image_name, unused_files, why_missing
from deepdream.scenes.class_folders import find_files_below

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import Dreamer
    from deepdream.images import Pixels
    from deepdream.models import Network

DEFAULT_PHOTO = "china"
NOISE = "noise"
ROOMS = {"bathroom": 8, "bedroom": 4, "kitchen": 20}  # rendered, each with a seed
ROOM_SIDE = 448
NOISE_WIDTH = 600  # of image=noise where dream.width is null
GUIDE_SIDE = 224  # of the photos of a folder where dream.width is null
HEAT = ("gradcam", "not-gradcam")
ONE_COLOR = 0.1  # by which the colours of a drawn mask may differ, at its smooth edges


def check_names(*names: str | None) -> None:
    """Raise FileNotFoundError for the first name that is no path, sample photo or room: before a network is loaded."""
    for name in filter(None, names):
        if name not in (NOISE, *HEAT, *images.SAMPLES, *ROOMS) and not Path(name).exists():
            raise FileNotFoundError(why_missing(Path(name)))


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


def source_pixels(name: str | None, config: DreamAppConfig) -> Pixels:
    """The image called `name` (a path, noise, a sample photo or a rendered room), resized to dream.width.

    With its transparency, and uint16 with dream.bits=16; see `deepdream.images.read_pixels`.
    """
    bits, width = config.dream.bits or 8, config.dream.width
    if name is None and config.dream.init == "noise":
        side = width or NOISE_WIDTH
        return np.full((side, side, 3), 128, np.uint8)  # only its size is used
    name = name or DEFAULT_PHOTO
    if name == NOISE:
        width = width or NOISE_WIDTH
        return np.array(images.noise_image(width * 2 // 3, width, config.seed))
    made = _made_photo(name)
    pixels = images.read_pixels(name, bits=bits) if made is None else np.array(made)
    return pixels if width is None else images.resize_pixels(pixels, width)


def source_image(name: str | None, config: DreamAppConfig) -> Image.Image:
    """The image of `source_pixels` composited over white."""
    return images.over_white(Image.fromarray(source_pixels(name, config)))


def guide(config: DreamAppConfig) -> Tensor | None:
    """The guide image resized to dream.width, (3, h, w), or None where there is none.

    Of a folder, all of its images, each cropped to a square of that side: (M, 3, side, side).
    """
    if config.guide is None:
        return None
    width = config.dream.width
    if Path(config.guide).is_dir():
        import torch

        side = width or GUIDE_SIDE
        photos = (read_photo(str(path)) for path in images_in(config.guide))
        return torch.stack([images.to_tensor(ImageOps.fit(photo, (side, side))) for photo in photos])
    image = read_photo(config.guide)
    return images.to_tensor(image if width is None else images.resize_to_width(image, width))


def mask(name: str | None, network: Network, pixels: Pixels) -> Tensor | None:
    """Where to dream the image `pixels`, (H, W) in [0, 1]: as `_named_mask` says, and nowhere in transparent parts."""
    import torch
    from torch.nn.functional import interpolate

    found = None if name is None else _named_mask(name, network, pixels)
    if pixels.shape[2] == 3:
        return found
    visible = torch.from_numpy(pixels[..., 3] > 0).float()
    if found is None:
        return visible
    resized = interpolate(found[None, None], visible.shape, mode="bilinear", antialias=True)[0, 0]
    return visible * resized.clamp(0, 1)


def _named_mask(name: str, network: Network, pixels: Pixels) -> Tensor:
    """The Grad-CAM map of the image `pixels`, or its inverse; or the mask in a file.

    A file's mask is its brightness, outside its transparent parts; its alpha where all that is visible has one colour.
    """
    if name in HEAT and not Path(name).exists():
        # At the network's own image size: in a larger image it would respond to details.
        from torch.nn.functional import interpolate

        image = images.to_image(images.to_tensor(pixels)[:3])
        heat = explaining.grad_cam(network, network.preprocess(image, crop=False))
        heat = interpolate(heat[None, None], (image.height, image.width), mode="bilinear")[0, 0]
        return heat if name == "gradcam" else 1 - heat
    made = _made_photo(name)
    values = images.to_tensor(images.read_pixels(name) if made is None else made)
    brightness, alpha = values[:3].mean(dim=0), values[3:]
    if not len(alpha):
        return brightness
    low, high = values[:3, alpha[0] > 0.5].aminmax(dim=1) if (alpha > 0.5).any() else (alpha.max(), alpha.max())
    return alpha[0] if bool((high - low).max() < ONE_COLOR) else alpha[0] * brightness


def images_in(image: str | list[str]) -> list[Path]:
    """The files of a list as given, or the image files of a folder, sorted.

    Raises ValueError where there is none, and where two files of a list have the same name.
    """
    if isinstance(image, list):
        paths = [Path(each) for each in image]
        if len({path.name for path in paths}) < len(paths):
            raise ValueError(f"image={image} has two files of the same name; dream them one after the other")
        return paths
    files = [path for path in Path(image).iterdir() if path.is_file()]
    found = sorted(path for path in files if is_image_name(path.name))
    others = unused_files(path.name for path in files)
    if not found:
        raise ValueError(
            f"there is no image in {image}{f' ({others})' if others else ''}; known suffixes are "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    if others:
        print(f"note: {others}")
    return found


def unique_names(paths: Sequence[PurePath]) -> list[str]:
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


def images_below(image: str | list[str]) -> dict[str, str]:
    """Images, by a name for each: one file or sample, several, or all in a folder and its subfolders.

    A name is that of the file without its suffix, with its subfolders in front: "hotel/room.jpg" is "hotel_room". Files
    that would share one are named by their path: "hotel/room.jpg". Raises ValueError if a folder has no image, and
    what `check_names` raises for one file.
    """
    if isinstance(image, list):
        return dict(zip(unique_names([Path(each) for each in image]), image, strict=True))
    if not os.path.isdir(image):
        check_names(image)
        return {Path(image).name.rpartition(".")[0].strip(".") or Path(image).name: image}
    files = list(find_files_below(Path(image)))
    found = sorted(PurePath(file) for file in files if is_image_name(file))
    others = unused_files(files)
    if not found:
        raise ValueError(f"there is no image in {image}; known suffixes are {', '.join(IMAGE_SUFFIXES)}")
    if others:
        print(f"note: {others}")
    return dict(zip(unique_names(found), (str(Path(image) / path) for path in found), strict=True))


def read_photo(name: str) -> Image.Image:
    """The image called `name`: a path, a sample photo of scikit-learn, or a rendered room.

    Raises what `read_image` raises.
    """
    return _made_photo(name) or images.read_image(name)


def _made_photo(name: str) -> Image.Image | None:
    """The sample photo or rendered room called `name`, unless a file is called so."""
    if name in images.SAMPLES and not Path(name).exists():
        return images.read_sample(name)
    if name in ROOMS and not Path(name).exists():
        return Image.fromarray(rooms.render_room(name, ROOMS[name], size=ROOM_SIDE))
    return None
