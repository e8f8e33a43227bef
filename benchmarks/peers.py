"""How fast dreams are against the peers themselves: `python benchmarks/peers.py [--quick] [--peers DIR]`.

- pytorch-deepdream: its `deep_dream_static_image`, ResNet-50, layer3, 600x400, 4 octaves of 10 steps, against the
  preset gordic.
- lucent: its `render_vis` with its own defaults (128 px, 256 steps), a channel of layer4 of ResNet-18, against the
  preset visualize: of the same image, and of one for which the network sees as many pixels as lucent's (224x224).

Each peer is a checkout in DIR, ../peers by default; one that is missing is left out, with the command that gets it.
lucent also needs `pip install kornia decorator future`. A peer runs in a process of its own with the same random
weights, and takes turns with ours; what is reported is the median of the ratios of neighbours. The models are built,
and the kernels prepared, before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torchvision
from measuring import random_network, seconds
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    "pytorch-deepdream": "https://github.com/gordicaleksa/pytorch-deepdream",
    "lucent": "https://github.com/greentfrapp/lucent",
}
WIDTH, HEIGHT, OCTAVES = 600, 400, 4
CHANNEL = 5
Run = Callable[[], object]


def pytorch_deepdream(weights: Path, steps: int) -> Run:
    """A dream by the checkout in the working directory."""
    torchvision.models.resnet50 = lambda **_: model_of("resnet50", weights)
    from utils import utils

    import deepdream  # the peer's module, because this process has its folder first in sys.path

    utils.fetch_and_prepare_model = cache(utils.fetch_and_prepare_model)
    image = np.random.default_rng(1).random((HEIGHT, WIDTH, 3), dtype=np.float32)
    config = {
        "model_name": "RESNET50",
        "pretrained_weights": "IMAGENET",
        "layers_to_use": ["layer3"],
        "pyramid_size": OCTAVES,
        "pyramid_ratio": 1.8,
        "num_gradient_ascent_iterations": steps,
        "lr": 0.09,
        "spatial_shift_size": 32,
        "smoothing_coefficient": 0.5,
    }
    return lambda: deepdream.deep_dream_static_image(config, image)


def lucent(weights: Path, steps: int) -> Run:
    """A visualisation by the checkout in the working directory."""
    import kornia

    for name in ("get_rotation_matrix2d", "warp_affine"):  # where lucent, written for kornia 0.4, looks for them
        setattr(kornia, name, getattr(kornia.geometry.transform, name))
    from lucent.optvis import render

    model = model_of("resnet18", weights).to("cuda" if torch.cuda.is_available() else "cpu")
    how = {"thresholds": (steps,), "progress": False, "show_image": False}
    return lambda: render.render_vis(model, f"layer4:{CHANNEL}", **how)


PEERS = {"pytorch-deepdream": pytorch_deepdream, "lucent": lucent}


def model_of(name: str, weights: Path) -> nn.Module:
    """The network of torchvision with the weights of that file, in evaluation mode."""
    model = getattr(torchvision.models.resnet, name)()
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def serve(name: str, weights: Path, steps: int) -> None:
    """Run the peer once for each line of standard input, and print the seconds that it took."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        run = PEERS[name](weights, steps)
        for _ in sys.stdin:
            print(seconds(run), file=out, flush=True)


@contextlib.contextmanager
def peer(name: str, folder: Path, weights: Path, steps: int) -> Iterator[Callable[[], float]]:
    """A function that runs the peer of that folder once and gives its seconds."""
    # -P: without the folder of this script first, so that the peer's modules are those of its own folder.
    path = os.pathsep.join([str(folder.resolve()), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parent)])
    with subprocess.Popen(
        [sys.executable, "-P", __file__, "--serve", name, str(weights), str(steps)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def run() -> float:
            print(file=stdin, flush=True)
            answer = stdout.readline()
            if not answer:
                raise SystemExit(f"{name} in {folder} failed: its message is above")
            return float(answer)

        yield run
        stdin.close()


def compare(theirs: Callable[[], float], ours: dict[str, Run], repetitions: int) -> dict[str, float]:
    """How many times as fast as the peer each of ours is: the median over the repetitions."""
    theirs()
    for run in ours.values():
        run()  # the first run of each prepares its kernels
    ratios: dict[str, list[float]] = {name: [] for name in ours}
    for _ in range(repetitions):
        peers_time = theirs()
        for name, run in ours.items():
            own_time = seconds(run)
            ratios[name].append(peers_time / own_time)
            print(f"{name:44} peer {peers_time:6.2f} s, ours {own_time:6.2f} s")
    return {name: round(median(each), 2) for name, each in ratios.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps, two repetitions")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)  # name, weights, steps: the process of a peer
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "peers", help="the folder of the checkouts")
    arguments = parser.parse_args()
    if arguments.serve:
        name, weights, steps = arguments.serve
        serve(name, Path(weights), int(steps))
        return
    found = [name for name in PEERS if (arguments.peers / name).is_dir()]
    for name in PEERS.keys() - set(found):
        print(f"{name} is left out; to get it: git clone {SOURCES[name]} {arguments.peers / name}")
    if not found:
        return
    repetitions, share = (2, 10) if arguments.quick else (5, 1)

    from deepdream.hardware import best_device, let_pages_be_large, let_threads_sleep

    let_threads_sleep()  # as the commands do
    let_pages_be_large()
    from deepdream.dreaming import DreamConfig, Dreamer
    from deepdream.models import Network

    def saved(architecture: str, folder: str) -> tuple[Network, Path]:
        """A network with random weights, and the file of them."""
        net, path = random_network(architecture), Path(folder) / f"{architecture}.pt"
        torch.save(net.model.state_dict(), path)
        return net, path

    results: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        if "pytorch-deepdream" in found:
            steps = 10 // share
            net, weights = saved("resnet50", folder)
            image = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)).to(best_device())
            dreamer = Dreamer(net, DreamConfig.preset("gordic", layers=["layer3"], steps=steps))
            with peer("pytorch-deepdream", arguments.peers / "pytorch-deepdream", weights, steps) as theirs:
                results |= compare(theirs, {"dream_vs_pytorch_deepdream": lambda: dreamer(image)}, repetitions)
        if "lucent" in found:
            steps = 256 // share
            net, weights = saved("resnet18", folder)

            def visualization(width: int) -> Run:
                config = DreamConfig.preset("visualize", layers=[f"layer4:{CHANNEL}"], width=width, steps=steps)
                drawn, grey = Dreamer(net, config), torch.full((1, 3, width, width), 0.5)
                return lambda: drawn(grey)

            runs = {
                "visualization_vs_lucent": visualization(128),
                "visualization_of_lucents_input_vs_lucent": visualization(200),  # 224 with the preset's pad of 12
            }
            with peer("lucent", arguments.peers / "lucent", weights, steps) as theirs:
                results |= compare(theirs, runs, repetitions)
    for name, ratio in results.items():
        print(f"{name:44} {ratio:5.2f}x")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
