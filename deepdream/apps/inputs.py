"""The pictures that a dream takes: the photo, the guide, the mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepdream.dreaming.config import DreamAppConfig

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from deepdream.models import Network

DEFAULT_PHOTO = "china"
ROOMS = {"bathroom": 8, "bedroom": 4, "kitchen": 20}  # drawn by program, each by its number
ROOM_SIDE = 448
NOISE_WIDTH = 600  # of image=noise where dream.width is null
HEAT = ("gradcam", "not-gradcam")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def photo(name: str | None, config: DreamAppConfig) -> Image.Image:
    """The picture called `name` (a path, noise, or one of scikit-learn's), as wide as the dream wants it."""
    from deepdream.images import noise_image, resize_to_width

    width = config.dream.width
    if name is None and config.dream.start == "noise" and config.dream.space == "fourier":
        return _square(width or NOISE_WIDTH)  # of which only the size counts
    name = name or DEFAULT_PHOTO
    if name == "noise":
        width = width or NOISE_WIDTH
        return noise_image(width * 2 // 3, width, config.seed)
    picture = read_photo(name)
    return picture if width is None else resize_to_width(picture, width)


def guide(config: DreamAppConfig) -> Tensor | None:
    """The guide picture as wide as the photo, (3, h, w), or None where there is none."""
    from deepdream.images import resize_to_width, to_tensor

    if config.guide is None:
        return None
    picture = read_photo(config.guide)
    width = config.dream.width
    return to_tensor(picture if width is None else resize_to_width(picture, width))


def mask(name: str | None, network: Network, before: Tensor) -> Tensor | None:
    """Where to dream, (H, W) in [0, 1]: a picture's light, or where the network looks, or where it does not."""
    from torch.nn.functional import interpolate

    from deepdream.explaining import grad_cam
    from deepdream.images import to_image, to_tensor

    if name is None:
        return None
    if name in HEAT and not Path(name).exists():
        # Seen at the size that it was trained for: in a larger picture it looks at details, and takes them for all.
        seen = grad_cam(network, network.preprocess(to_image(before), crop=False).to(before))
        heat = interpolate(seen[None, None], before.shape[1:], mode="bilinear")[0, 0]
        return heat if name == "gradcam" else 1 - heat
    return to_tensor(read_photo(name)).mean(dim=0)


def in_folder(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted. Raises ValueError where there is none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"there is no picture in {folder}; known kinds are {', '.join(SUFFIXES)}")
    return found


def read_photo(name: str) -> Image.Image:
    """The picture called `name`: a path, one of scikit-learn's, or a drawn room. Raises what `read_image` raises."""
    from deepdream.images import SAMPLES, read_image, read_sample

    if name in SAMPLES and not Path(name).exists():
        return read_sample(name)
    if name in ROOMS and not Path(name).exists():
        return _drawn(name)
    return read_image(name)


def _drawn(room: str) -> Image.Image:
    from PIL import Image

    from deepdream.rooms import render_room

    return Image.fromarray(render_room(room, ROOMS[room], size=ROOM_SIDE))


def _square(side: int) -> Image.Image:
    from PIL import Image

    return Image.new("RGB", (side, side), "grey")
