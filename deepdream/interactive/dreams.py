"""dream and visualize: what `python dream.py` does, as a call; and Dream, its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from PIL import Image

from deepdream.apps.dreamed import channel_grid, dream_image
from deepdream.apps.earlier_dreams import refuse_output_among_inputs
from deepdream.images import to_image, to_pixels, to_tensor
from deepdream.interactive.given import GivenImages
from deepdream.interactive.networks import opened
from deepdream.interactive.settings import DreamSettings, as_arguments, as_list, configuration
from deepdream.interactive.shown import Shown
from deepdream.provenance import write_image

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import StepReport
    from deepdream.interactive.given import Photo
    from deepdream.models import Network


class Dream(Shown):
    """A dream: `image` (PIL), `before` (the image that it was made from), `command`, `recipe`, `save(path)`.

    tensor: the dream as computed, float in [0, 1], (3, H, W), or (4, H, W) with alpha.
    seconds: of the computation alone.
    """

    _app = "dream"

    def __init__(
        self,
        tensor: Tensor,
        before: Image.Image,
        recipe: dict[str, Any],
        arguments: list[str],
        given: GivenImages,
        seconds: float,
    ) -> None:
        super().__init__(Image.fromarray(to_pixels(tensor)), recipe, arguments)
        self.tensor, self.before, self.seconds, self._given = tensor, before, seconds, given

    def save(self, path: str | Path) -> Path:
        """Write the dream; `python dream.py from=PATH` makes it again, bit for bit. Returns the path.

        The suffix chooses the format, as for output= of dream.py: .png, .jpg, .webp or .tif. An image that was given
        without a file is written beside it, under a name that begins like its own, because the recipe names files.

        Raises ValueError for a path that is one of the files it was made from, and what `write_image` raises.
        """
        path = Path(path)
        refuse_output_among_inputs([Path(name) for name in self._given.names.values()], [path])
        recipe = self.recipe | {"config": self.recipe["config"] | self._given.kept_beside(path)}
        return write_image(self.tensor, path, bits=recipe["config"]["dream"]["bits"] or 8, provenance=recipe)


def dream(
    image: Photo | None = None,
    preset: str | None = None,
    *,
    network: Network | str | Path | None = None,
    guide: Photo | None = None,
    mask: Photo | None = None,
    on_step: Callable[[StepReport], object] | None = None,
    **settings: Unpack[DreamSettings],
) -> Dream:
    """The dream of an image: what chosen layers of a network respond to in it, amplified.

        dream("photo.jpg", width=640, layers=["layer4"]).save("dream.png")

    image: a path, noise, china, flower, bathroom, bedroom or kitchen; or a PIL image, an array (H, W, 3) of uint8 or
        uint16, a float tensor (3, H, W) in [0, 1]. None is what `python dream.py` takes without image=.
    preset: a file of conf/dream: vivid (the default), gordic, inceptionism, class, visualize, channel_grid ...
    network: a `Network`, or what `load_network` takes; None is the bundled model.
    guide, mask: as image; mask also "gradcam" and "not-gradcam".
    on_step: called with a `deepdream.dreaming.StepReport` after each gradient step.
    settings: the keys of conf/dream (width, layers, steps ...), and seed, device, precision, compile, max_pixels,
        channels of conf/dream.yaml. layers may be a single name.

    Raises UnknownName, a ValueError, for another keyword, and what `deepdream.dreaming.Dreamer` raises.
    """
    values: dict[str, Any] = dict(settings)
    as_list(values, "layers")
    given = GivenImages(image=image, guide=guide, mask=mask)
    opened_network, ckpt = opened(network)
    config = configuration("dream", values, {**given.names, "ckpt": ckpt}, preset=preset)
    if config.image is not None and Path(config.image).is_dir():
        raise ValueError(f"image is {config.image}, a folder; `python -m deepdream dream image=FOLDER` dreams it")
    arguments = [] if ckpt is None else [f"ckpt={ckpt}"]
    arguments += [] if preset is None else [f"dream={preset}"]
    for key, name in given.names.items():
        arguments.append(f"{key}={name if given.has_file(key) else key.upper()}")
    arguments += as_arguments("dream", values)
    if config.mode == "channels":
        grid = channel_grid(config, opened_network)
        return Dream(to_tensor(grid.image), grid.image, grid.provenance, arguments, given, 0.0)
    config = replace(config, dream=replace(config.dream, bits=config.dream.bits or 8))
    made = dream_image(config, opened_network, on_step)
    return Dream(made.after, to_image(made.before), made.provenance, arguments, given, made.seconds)


def visualize(
    unit: str | Sequence[str],
    /,
    preset: str = "visualize",
    *,
    network: Network | str | Path | None = None,
    on_step: Callable[[StepReport], object] | None = None,
    **settings: Unpack[DreamSettings],
) -> Dream:
    """An image that excites a channel most, from grey: a feature visualisation.

        visualize("layer4:12")

    unit: "layer4:12", a channel; "layer4:12@3,4", one of its units; several are added up.
    preset: a file of conf/dream. Other arguments, and what is raised, as of `dream`.
    """
    settings["layers"] = [unit] if isinstance(unit, str) else list(unit)
    return dream(None, preset, network=network, on_step=on_step, **settings)
