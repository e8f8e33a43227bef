"""The configuration of explanations, and the registries of attribution methods and of their checks. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from deepdream.checks import DEVICES, PRECISIONS, above, at_least, fraction, one_of, paths
from deepdream.key_kinds import NAME, PATH, PATHS
from deepdream.models.config import WeightsConfig
from deepdream.registry import OpenRegistry
from deepdream.schema import preset


@dataclass(frozen=True)
class Method:
    """An attribution method: a function AttributionContext -> attribution (H, W).

    title: its name in plots. question: what it answers. cost: in passes (forward and backward) or images (forward).
    is_grainy: its values vary from pixel to pixel; its heatmap is scaled by a quantile, not by the largest value.
    """

    title: str
    question: str
    cost: str
    is_grainy: bool = False

    def __str__(self) -> str:
        return f"{self.question}; {self.cost}"


METHODS = OpenRegistry("METHODS", "method", "deepdream.explaining", Method)


@dataclass(frozen=True)
class Check:
    """A check of an attribution: a function (AttributionContext, attribution) -> float.

    label: its name in plots. best: the values that are better.
    repeats_method: it is a function (AttributionContext, method function) -> float, which computes the attribution
        again several times, so it costs many times more than the others.
    in_panel: it is computed for every panel, not only with score=true.
    """

    label: str
    best: Literal["high", "low", "near zero"]
    repeats_method: bool = False
    in_panel: bool = True

    @property
    def arrow(self) -> str:
        """The direction of the better values."""
        return "↑" if self.best == "high" else "↓"

    @property
    def title(self) -> str:
        """The label with the direction of the better values."""
        return f"{self.label} {self.arrow}"


CHECKS = OpenRegistry("CHECKS", "check", "deepdream.explaining", Check)


def cheap_checks() -> list[str]:
    """The checks of every panel: those that take little time."""
    details = {name: CHECKS.details(name) for name in CHECKS}
    return [name for name, check in details.items() if check.in_panel and not check.repeats_method]


@dataclass
class ExplainConfig:
    """conf/explain: how attributions are computed and checked. Make one with `ExplainConfig.preset`."""

    layer: str | None
    smoothgrad_samples: int
    smoothgrad_noise: float
    gradient_shap_samples: int
    integrated_gradients_steps: int
    completeness: float
    lrp_gamma: float
    score_cam_share: float
    occlusion_window: float
    occlusion_stride: float
    superpixels: int
    lime_samples: int
    lime_precision: float | None
    kernel_shap_samples: int
    confidence_samples: int
    confidence_share: float
    curve_steps: int
    infidelity_samples: int
    sensitivity_samples: int
    smooth_samples: int
    sensitivity_radius: float
    repeat_share: float
    batch_size: int

    def __post_init__(self) -> None:
        for key in ("smoothgrad_samples", "gradient_shap_samples", "curve_steps", "infidelity_samples", "batch_size"):
            at_least(f"explain.{key}", getattr(self, key), 1)
        for key in ("sensitivity_samples", "smooth_samples", "confidence_samples"):
            at_least(f"explain.{key}", getattr(self, key), 1)
        at_least("explain.lrp_gamma", self.lrp_gamma, 0)
        at_least("explain.integrated_gradients_steps", self.integrated_gradients_steps, 2)
        at_least("explain.superpixels", self.superpixels, 4)
        for key in ("lime_samples", "kernel_shap_samples"):
            at_least(f"explain.{key}", getattr(self, key), 10)
        if self.lime_precision is not None:
            above("explain.lime_precision", self.lime_precision, 0)
        for key in ("smoothgrad_noise", "completeness", "sensitivity_radius"):
            above(f"explain.{key}", getattr(self, key), 0)
        for key in ("score_cam_share", "occlusion_window", "occlusion_stride", "confidence_share", "repeat_share"):
            fraction(f"explain.{key}", getattr(self, key))
            above(f"explain.{key}", getattr(self, key), 0)

    @classmethod
    def preset(cls, name: str = "default", **overrides: Any) -> Self:
        """The settings of conf/explain/<name>.yaml, with keys overridden.

        >>> ExplainConfig.preset(lime_samples=200).superpixels
        50

        Raises ValueError for an unknown preset or key, and for a value out of its range.
        """
        return preset(cls, "explain", name, overrides)


@dataclass
class GroundTruthConfig:
    """conf/ground_truth: how methods are graded by the true effects of objects. Make one with `.preset`."""

    enabled: bool
    images: int
    methods: list[str] | None
    others: list[str]
    sample_share: float
    repeated_images: int
    shortcut: str | None
    target: str | None
    resamples: int
    confidence_images: int

    def __post_init__(self) -> None:
        at_least("ground_truth.confidence_images", self.confidence_images, 0)
        at_least("ground_truth.images", self.images, 2)
        at_least("ground_truth.repeated_images", self.repeated_images, 0)
        at_least("ground_truth.resamples", self.resamples, 1)
        fraction("ground_truth.sample_share", self.sample_share)
        above("ground_truth.sample_share", self.sample_share, 0)
        for method in self.methods or ():
            METHODS.check(method)
        if self.methods == [] and not self.others:
            raise ValueError("ground_truth.methods is empty; name at least one, or null for all")

    @classmethod
    def preset(cls, name: str = "default", **overrides: Any) -> Self:
        """The settings of conf/ground_truth/<name>.yaml, with keys overridden.

        Raises ValueError for an unknown preset or key, and for a value out of its range.
        """
        return preset(cls, "ground_truth", name, overrides)


@dataclass
class ExplainAppConfig(WeightsConfig):
    """conf/explain.yaml."""

    ckpt: str | None = field(metadata=PATH)
    image: Any = field(metadata=PATHS)  # str or list[str]
    masks: str | None = field(metadata=PATH)
    methods: list[str]
    target: str | None = field(metadata=NAME)
    against: str | None = field(metadata=NAME)
    score: bool
    crop: bool
    seed: int
    device: str
    precision: str
    explain: ExplainConfig
    ground_truth: GroundTruthConfig
    logger: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        paths("image", self.image)
        if not self.methods:
            raise ValueError("methods is empty; name at least one, for example methods=[gradcam]")
        for method in self.methods:
            METHODS.check(method)
        at_least("seed", self.seed, 0)
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
