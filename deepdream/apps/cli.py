"""deepdream SUBCOMMAND, or python -m deepdream SUBCOMMAND: every command of the project under one name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from deepdream import __version__
from deepdream.console import print_error
from deepdream.schema import among, did_you_mean

# name -> module, whose `main` reads the arguments from sys.argv, and what it does. Imported when it is called.
SUBCOMMANDS = {
    "train": ("deepdream.apps.train", "train a network on photos"),
    "dream": ("deepdream.apps.dream", "amplify what a network detects in an image"),
    "explain": (
        "deepdream.apps.explain",
        "attribute a prediction to the pixels of an image",
    ),
    "evaluate": ("deepdream.apps.evaluate", "measure checkpoints on the test images, and compare them"),
    "microscope": ("deepdream.apps.microscope", "show every channel of a network beside the images that excite it"),
    "studio": ("deepdream.studio.app", "dream, explain and follow a training in a browser"),
    "predict": ("deepdream.apps.predict", "write the most probable classes of photos as a table"),
    "data": ("deepdream.apps.data", "prepare a data set, count its images and plot samples of it"),
    "download": ("deepdream.apps.download", "download a public data set"),
    "compare": ("deepdream.apps.compare", "compare the runs of sweeps in a table and a plot"),
    "export": ("deepdream.apps.export", "write a network as a folder to share: safetensors, a card, ONNX"),
    "pack": ("deepdream.apps.pack", "write a checkpoint with 8-bit weights, at a tenth of its size"),
}


def main(arguments: Sequence[str] | None = None) -> int | None:
    """Run the subcommand that the first argument names; its exit status, or 1 after one line for an unknown one."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name == "--version":
        print(f"deepdream {__version__}")
        return 0
    if name not in SUBCOMMANDS:
        hint = did_you_mean(name, SUBCOMMANDS) or among(list(SUBCOMMANDS))
        print_error(f"unknown subcommand `{name}`{hint}")
        return 1
    module = import_module(SUBCOMMANDS[name][0])
    # Lightning and multiprocessing start a further process with the module that is __main__, and with sys.argv.
    sys.modules["__main__"] = module
    sys.argv[1:] = rest
    status: int | None = module.main()
    return status


def _help() -> str:
    width = max(map(len, SUBCOMMANDS))
    lines = (f"  {name:{width}}  {what}" for name, (_, what) in SUBCOMMANDS.items())
    return "\n".join(
        [
            "usage: deepdream SUBCOMMAND [arguments]     (or python -m deepdream SUBCOMMAND)",
            "",
            *lines,
            "",
            "`deepdream SUBCOMMAND --help` lists its arguments.",
        ]
    )
