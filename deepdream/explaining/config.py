"""Why a network answers so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from deepdream.checks import DEVICES, PRECISIONS, above, at_least, fraction, one_of
from deepdream.schema import did_you_mean, preset

METHODS = (
    "gradcam",
    "gradcam_plus_plus",
    "guided_gradcam",
    "saliency",
    "smoothgrad",
    "integrated_gradients",
    "occlusion",
    "lime",
    "kernel_shap",
)

# How a map is checked. The first three cost forward passes, the last two make the map again several times.
CHECKS = ("deletion_auc", "insertion_auc", "infidelity", "sensitivity", "randomised_correlation")
CHEAP_CHECKS = CHECKS[:3]


@dataclass
class ExplainConfig:
    """conf/explain: how the maps are made and checked. Make one with `ExplainConfig.preset`."""

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
    precision: str

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
        one_of("explain.precision", self.precision, PRECISIONS)

    @classmethod
    def preset(cls, name: str = "default", **overrides: Any) -> Self:
        """The settings of conf/explain/<name>.yaml, with keys overridden.

        >>> ExplainConfig.preset(lime_samples=200).superpixels
        50

        Raises ValueError for a preset or key that does not exist, and for a value out of its range.
        """
        return preset(cls, "explain", name, overrides)


@dataclass
class ExplainAppConfig:
    """conf/explain.yaml."""

    ckpt: str | None
    image: str
    methods: list[str]
    target: str | None
    score: bool
    crop: bool
    seed: int
    device: str
    explain: ExplainConfig

    def __post_init__(self) -> None:
        if not self.methods:
            raise ValueError("methods is empty; name at least one, for example methods=[gradcam]")
        for method in self.methods:
            check_method(method)
        at_least("seed", self.seed, 0)
        one_of("device", self.device, DEVICES)


def check_method(name: str) -> None:
    """Raise ValueError, with the close names, where there is no method called `name`."""
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}{did_you_mean(name, METHODS)}")
