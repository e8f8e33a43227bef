"""The cost of explaining and evaluating: `python benchmarks/explain.py [--quick]`.

lime_vs_lime_package          seconds of the lime package over ours: 1,000 samples each, ResNet-18, 224 px
lime_to_same_stability        seconds that ours takes to be as stable as the lime package is with 1,000 samples, over
                              the seconds of that; the bundled model (128 px) on a photo
gradcam_vs_forward_backward   seconds of a Grad-CAM over those of one forward and backward pass
evaluate_vs_forward           seconds of an evaluation of 600 images with every plot, over those of the forward
                              passes and t-SNE alone; ResNet-18, 112 px

The lime package is called as in its own tutorial: its default segmentation and batches of 10, the network in float32.
For the stability it has our superpixels and colours. How stable: the rank correlation of the superpixels' weights with
those of the lime package from 20,000 samples, mean over seeds.
The two of a pair alternate, and the median of the ratios of neighbours is reported, so that other load on the machine
affects both. The networks have random weights, which cost the same.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from lime.lime_image import LimeImageExplainer
from PIL import Image
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating import Predictions, predict, write_evaluation, write_report
from deepdream.explaining import explain, grad_cam
from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.context import attribution_context
from deepdream.explaining.perturbation_methods import lime_weights, superpixels
from deepdream.hardware import best_dtype
from deepdream.images import read_sample
from deepdream.models import Network, ResNet, load_network
from deepdream.scenes.transforms import normalize_uint8

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FULL_STABILITY = 1000, 20_000, [96, 128, 192, 256, 384], 4  # arguments of `stability`
CLASSES = ["bathroom", "bedroom", "dining_room", "entrance_hall", "kitchen", "living_room"]


def network(size: int) -> Network:
    """A ResNet-18 with random weights and fitted batch norms, so that activations have an ordinary size."""
    torch.manual_seed(0)
    model = ResNet(18, len(CLASSES), zero_init_residual=False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train()(torch.randn(4, 3, size, size))
    return Network(model.eval(), CLASSES, MEAN, STD, size, "random")


def photo(size: int) -> Tensor:
    """A smooth image in [0, 1], (3, size, size): in noise, segments would be of one pixel."""
    coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    return nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)[0]


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ratio(above: Callable[[], Any], below: Callable[[], Any], repetitions: int) -> tuple[float, float, float]:
    """The median of seconds over seconds, and of each."""
    pairs = [(seconds(above), seconds(below)) for _ in range(repetitions)]
    return median(a / b for a, b in pairs), median(a for a, _ in pairs), median(b for _, b in pairs)


def lime_runs(samples: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The lime package, and ours."""
    net, image = network(224), photo(224)
    config = ExplainConfig.preset(lime_samples=samples, lime_precision=None)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))

    def classify(images: np.ndarray) -> np.ndarray:
        batch = torch.stack([(torch.from_numpy(p).permute(2, 0, 1).float() / 255 - mean) / std for p in images])
        with torch.no_grad():
            return net.model(batch).softmax(dim=1).numpy()

    pixels = (image.permute(1, 2, 0) * 255).byte().numpy()

    def package() -> None:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            LimeImageExplainer(random_state=0).explain_instance(pixels, classify, top_labels=1, num_samples=samples)

    return package, lambda: explain(net, image, ["lime"], config=config)


@dataclass
class Runs:
    """Seconds and rank correlations of some runs of LIME."""

    seconds: list[float] = field(default_factory=list)
    correlations: list[float] = field(default_factory=list)

    def add(self, truth: np.ndarray, run: Callable[..., np.ndarray], *arguments: Any) -> None:
        start = time.perf_counter()
        weights = run(*arguments)
        self.seconds.append(time.perf_counter() - start)
        self.correlations.append(spearmanr(weights, truth).statistic)

    def __str__(self) -> str:
        return f"{mean(self.seconds):8.3f} s   rank correlation {mean(self.correlations):.3f}"


def stability_runs(net: Network, image: Image.Image) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """The weights of the superpixels by the lime package, of (samples, seed), and by ours, of (config, seed)."""
    pixels = net.preprocess(image)
    with attribution_context(net, pixels, None, config=ExplainConfig.preset()) as context:
        segments, target, given = superpixels(context), context.target, context.image[0].permute(1, 2, 0)

    def classify(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net.model(torch.from_numpy(images).permute(0, 3, 1, 2).float()).softmax(dim=1).numpy()

    def package(samples: int, seed: int) -> np.ndarray:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            explanation = LimeImageExplainer(random_state=seed).explain_instance(
                given.double().numpy(),
                classify,
                (target,),
                top_labels=None,
                num_samples=samples,
                segmentation_fn=lambda _: segments.numpy(),
            )
        return np.array([weight for _, weight in sorted(explanation.local_exp[target])])

    def ours(config: ExplainConfig, seed: int) -> np.ndarray:
        with attribution_context(net, pixels, target, config=config, seed=seed) as context:
            return lime_weights(context, segments).numpy()

    return package, ours


def stability(samples: int, reference: int, counts: list[int], seeds: int) -> tuple[float, float, float]:
    """Seconds of ours until it is as stable as the lime package, over the seconds of that, and each; prints a table."""
    net = load_network("box")
    settings = {f"{count} samples": ExplainConfig.preset(lime_samples=count, lime_precision=None) for count in counts}
    settings["by default"] = ExplainConfig.preset()
    theirs, ours = Runs(), {name: Runs() for name in settings}
    run_theirs, run_ours = stability_runs(net, read_sample("china"))
    truth = run_theirs(reference, seeds)
    run_ours(settings["by default"], seeds)  # the first run prepares its kernels
    for seed in range(seeds):
        theirs.add(truth, run_theirs, samples, seed)
        for name, config in settings.items():
            ours[name].add(truth, run_ours, config, seed)
    print(f"{f'lime package, {samples} samples':30} {theirs}")
    for name, runs in ours.items():
        print(f"{f'ours, {name}':30} {runs}")
    correlations, seconds = (
        [mean(getattr(ours[f"{count} samples"], what)) for count in counts] for what in ("correlations", "seconds")
    )
    needed = float(np.interp(mean(theirs.correlations), correlations, seconds))
    return needed / mean(theirs.seconds), needed, mean(theirs.seconds)


def gradcam_runs() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Grad-CAM, and a forward and backward pass to the image."""
    net, image = network(224), photo(224)
    pixels = ((image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1))[None]
    net.model.requires_grad_(False)

    def forward_backward() -> None:
        leaf = pixels.clone().requires_grad_()
        net.model(leaf).amax().backward()

    return lambda: grad_cam(net, image), forward_backward


def evaluate_runs(image_count: int, folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """An evaluation with every plot, and the forward passes and t-SNE alone."""
    net, size = network(112), 112
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (image_count, 3, size, size), dtype=np.uint8))
    labels = torch.arange(image_count) % len(CLASSES)
    batches = [(images[i : i + 64], labels[i : i + 64]) for i in range(0, image_count, 64)]
    path = folder / "photo.jpg"
    Image.fromarray((photo(256).permute(1, 2, 0) * 255).byte().numpy()).save(path)
    metrics = folder / "metrics.csv"
    rows = "".join(f"{i},{i},0.5,0.4,0.4,1.5,1.6,1.6\n" for i in range(30))
    columns = ",".join(f"{split}/{name}" for name in ("accuracy", "loss") for split in ("train", "val", "test"))
    metrics.write_text(f"epoch,step,{columns}\n{rows}")
    device = torch.device("cpu")
    dtype = best_dtype("auto", device)

    def whole() -> None:
        found = predict(net, batches, device=device, dtype=dtype)
        paths = [path] * image_count
        known = Predictions(found.probabilities, found.labels, CLASSES, found.features, found.thumbnails, paths)
        run = Path(tempfile.mkdtemp(dir=folder))
        with SummaryWriter(run / "tensorboard") as writer:
            done = write_evaluation(known, run / "figures", name="a", loggers=[writer], metrics_csv=metrics)
        write_report(run / "report.html", [done])

    def forward() -> None:
        features: list[Tensor] = []
        handle = net.model.avgpool.register_forward_hook(lambda module, inputs, output: features.append(output))
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            for batch, _ in batches:
                net.model(normalize_uint8(batch, MEAN, STD))
        handle.remove()
        values = torch.cat(features).flatten(1).float().numpy()
        TSNE(init="pca", random_state=0).fit_transform(PCA(50, random_state=0).fit_transform(values))

    return whole, forward


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer samples of LIME, 150 images; within 60 s")
    quick = parser.parse_args().quick
    samples, image_count, repetitions = (60, 150, 1) if quick else (1000, 600, 3)

    with tempfile.TemporaryDirectory() as folder:
        lime = lime_runs(samples)
        cam = gradcam_runs()
        evaluation = evaluate_runs(image_count, Path(folder))
        for run in (*cam, *evaluation):
            run()  # the first run of each prepares its kernels and loads its libraries
        found = {
            "lime_vs_lime_package": ratio(*lime, repetitions),
            "lime_to_same_stability": stability(*((100, 300, [16, 32, 64], 1) if quick else FULL_STABILITY)),
            "gradcam_vs_forward_backward": ratio(*cam, 5 if quick else 25),
            "evaluate_vs_forward": ratio(*evaluation, repetitions),
        }
    print(f"ResNet-18, {samples} samples of LIME, {image_count} images evaluated, {torch.get_num_threads()} threads")
    for name, (value, above, below) in found.items():
        print(f"{name:28} {value:5.2f}   {above:8.3f} s over {below:8.3f} s")
    print(json.dumps({name: round(value, 2) for name, (value, _, _) in found.items()}))


if __name__ == "__main__":
    main()
