"""The configuration of explanations, and the registries of attribution methods and of their checks. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from deepdream.checks import DEVICES, PRECISIONS, above, at_least, fraction, one_of, paths
from deepdream.registry import Registry
from deepdream.schema import preset

_GRADIENTS, _PERTURBATIONS = "deepdream.explaining.gradient_methods", "deepdream.explaining.perturbation_methods"
_CHECKS = "deepdream.explaining.faithfulness"


@dataclass(frozen=True)
class Method:
    """An attribution method.

    function: "module:attribute" of a function AttributionContext -> attribution (H, W).
    title: its name in plots.
    is_grainy: its values vary from pixel to pixel; its heatmap is scaled by a quantile, not by the largest value.
    """

    function: str
    title: str
    is_grainy: bool = False


METHODS = {
    "gradcam": Method(f"{_GRADIENTS}:gradcam", "Grad-CAM"),
    "gradcam_plus_plus": Method(f"{_GRADIENTS}:gradcam_plus_plus", "Grad-CAM++"),
    "guided_gradcam": Method(f"{_GRADIENTS}:guided_gradcam", "guided Grad-CAM", is_grainy=True),
    "saliency": Method(f"{_GRADIENTS}:saliency", "saliency", is_grainy=True),
    "smoothgrad": Method(f"{_GRADIENTS}:smoothgrad", "SmoothGrad", is_grainy=True),
    "integrated_gradients": Method(f"{_GRADIENTS}:integrated_gradients", "integrated gradients", is_grainy=True),
    "occlusion": Method(f"{_PERTURBATIONS}:occlusion", "occlusion"),
    "lime": Method(f"{_PERTURBATIONS}:lime", "LIME"),
    "kernel_shap": Method(f"{_PERTURBATIONS}:kernel_shap", "KernelSHAP"),
}
METHOD_FUNCTIONS = Registry("method", {name: method.function for name, method in METHODS.items()})


@dataclass(frozen=True)
class Check:
    """A check of an attribution.

    function: "module:attribute" of a function (AttributionContext, attribution) -> float; with repeats_method of one
        (AttributionContext, method function) -> float.
    label: its name in plots.
    best: the values that are better.
    repeats_method: it computes the attribution again several times, so it costs many times more than the others.
    """

    function: str
    label: str
    best: Literal["high", "low", "near zero"]
    repeats_method: bool = False

    @property
    def arrow(self) -> str:
        """The direction of the better values."""
        return "↑" if self.best == "high" else "↓"

    @property
    def title(self) -> str:
        """The label with the direction of the better values."""
        return f"{self.label} {self.arrow}"


CHECKS = {
    "deletion_auc": Check(f"{_CHECKS}:deletion_auc", "deletion", "low"),
    "insertion_auc": Check(f"{_CHECKS}:insertion_auc", "insertion", "high"),
    "infidelity": Check(f"{_CHECKS}:normalized_infidelity", "infidelity", "low"),
    "sensitivity": Check(f"{_CHECKS}:max_sensitivity", "sensitivity", "low", repeats_method=True),
    "randomised_correlation": Check(
        f"{_CHECKS}:randomised_correlation", "randomised", "near zero", repeats_method=True
    ),
}
CHECK_FUNCTIONS = Registry("check", {name: check.function for name, check in CHECKS.items()})
CHEAP_CHECKS = tuple(name for name, check in CHECKS.items() if not check.repeats_method)


@dataclass
class ExplainConfig:
    """conf/explain: how attributions are computed and checked. Make one with `ExplainConfig.preset`."""

    layer: str | None
    smoothgrad_samples: int
    smoothgrad_noise: float
    integrated_gradients_steps: int
    completeness: float
    occlusion_window: float
    occlusion_stride: float
    superpixels: int
    lime_samples: int
    kernel_shap_samples: int
    confidence_samples: int
    confidence_share: float
    curve_steps: int
    infidelity_samples: int
    sensitivity_samples: int
    sensitivity_radius: float
    repeat_share: float
    batch_size: int

    def __post_init__(self) -> None:
        for key in ("smoothgrad_samples", "curve_steps", "infidelity_samples", "sensitivity_samples", "batch_size"):
            at_least(f"explain.{key}", getattr(self, key), 1)
        at_least("explain.confidence_samples", self.confidence_samples, 1)
        at_least("explain.integrated_gradients_steps", self.integrated_gradients_steps, 2)
        at_least("explain.superpixels", self.superpixels, 4)
        for key in ("lime_samples", "kernel_shap_samples"):
            at_least(f"explain.{key}", getattr(self, key), 10)
        for key in ("smoothgrad_noise", "completeness", "sensitivity_radius"):
            above(f"explain.{key}", getattr(self, key), 0)
        for key in ("occlusion_window", "occlusion_stride", "confidence_share", "repeat_share"):
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
class ExplainAppConfig:
    """conf/explain.yaml."""

    ckpt: str | None
    image: Any  # str or list[str]
    methods: list[str]
    target: str | None
    score: bool
    crop: bool
    seed: int
    device: str
    precision: str
    explain: ExplainConfig
    logger: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        paths("image", self.image)
        if not self.methods:
            raise ValueError("methods is empty; name at least one, for example methods=[gradcam]")
        for method in self.methods:
            METHOD_FUNCTIONS.check(method)
        at_least("seed", self.seed, 0)
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
