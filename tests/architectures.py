"""Architectures of others, with random weights: small ones of every layout, and the full-size ones that people use."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache, partial

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlockConfig

from deepdream.models import Network

CLASSES = ["bar", "bedroom", "kitchen", "library"]


def small_vit() -> nn.Module:
    """Tokens: one class token and 4x4 patches of 8 pixels; images of 32 pixels only."""
    return torchvision.models.VisionTransformer(32, 8, 3, 2, 16, 32, num_classes=len(CLASSES))


def small_timm_vit() -> nn.Module:
    """Tokens: one class token, three register tokens and 4x4 patches of 8 pixels; images of 32 pixels only."""
    timm = pytest.importorskip("timm")
    return timm.models.VisionTransformer(  # type: ignore[no-any-return]
        img_size=32, patch_size=8, embed_dim=16, depth=3, num_heads=2, reg_tokens=3, num_classes=len(CLASSES)
    )


def small_dynamic_vit() -> nn.Module:
    """The same for images of any size: timm interpolates the position embeddings."""
    timm = pytest.importorskip("timm")
    return timm.models.VisionTransformer(  # type: ignore[no-any-return]
        img_size=32,
        patch_size=8,
        embed_dim=16,
        depth=3,
        num_heads=2,
        reg_tokens=3,
        num_classes=len(CLASSES),
        dynamic_img_size=True,
    )


def small_swin() -> nn.Module:
    """NHWC, of strides 4 and 8."""
    return torchvision.models.SwinTransformer([4, 4], 12, [2, 2], [2, 2], [4, 4], num_classes=len(CLASSES))


def small_convnext() -> nn.Module:
    """NCHW, with NHWC inside its blocks; of strides 4 and 8."""
    stages = [CNBlockConfig(12, 24, 2), CNBlockConfig(24, None, 2)]
    return torchvision.models.ConvNeXt(stages, num_classes=len(CLASSES))


SMALL: dict[str, Callable[[], nn.Module]] = {
    made.__name__: made for made in (small_vit, small_timm_vit, small_dynamic_vit, small_swin, small_convnext)
}


def _timm(name: str, **options: object) -> nn.Module:
    timm = pytest.importorskip("timm")
    return timm.create_model(name, pretrained=False, **options)  # type: ignore[no-any-return]


# name -> what makes the model, the side of its images, and known modules with their channels and strides
FULL_SIZE: dict[str, tuple[Callable[[], nn.Module], int, dict[str, tuple[int, int]]]] = {
    "convnext_tiny": (
        torchvision.models.convnext_tiny,
        224,
        {"features.1": (96, 4), "features.3": (192, 8), "features.5.0.block.3": (1536, 16), "features.7": (768, 32)},
    ),
    "vit_b_16": (
        torchvision.models.vit_b_16,
        224,
        {"conv_proj": (768, 16), "encoder.layers.encoder_layer_3.mlp.0": (3072, 16), "encoder": (768, 16)},
    ),
    "swin_t": (
        torchvision.models.swin_t,
        224,
        {"features.1": (96, 4), "features.3": (192, 8), "features.5": (384, 16), "features.7": (768, 32)},
    ),
    "googlenet": (
        partial(torchvision.models.googlenet, init_weights=False, aux_logits=False),
        224,
        {"inception3b": (480, 8), "inception4c": (512, 16), "inception5b": (1024, 32)},
    ),
    "googlenet_aux": (
        partial(torchvision.models.googlenet, init_weights=False, transform_input=True),
        224,
        {"inception3b": (480, 8), "inception4c": (512, 16), "inception5b": (1024, 32)},
    ),
    "inception_v3": (
        partial(torchvision.models.inception_v3, init_weights=False, transform_input=True),
        299,
        {"Mixed_5d": (288, 8), "Mixed_6e": (768, 16), "Mixed_7c": (2048, 32)},
    ),
    "vgg16": (
        torchvision.models.vgg16,
        224,
        {"features.15": (256, 4), "features.22": (512, 8), "features.29": (512, 16), "features.30": (512, 32)},
    ),
    "densenet121": (
        torchvision.models.densenet121,
        224,
        {"features.denseblock2": (512, 8), "features.denseblock3": (1024, 16), "features.norm5": (1024, 32)},
    ),
    "mobilenet_v3_small": (
        torchvision.models.mobilenet_v3_small,
        224,
        {"features.1": (16, 4), "features.8": (48, 16), "features.12": (576, 32)},
    ),
    "efficientnet_b0": (
        torchvision.models.efficientnet_b0,
        224,
        {"features.2": (24, 4), "features.5": (112, 16), "features.8": (1280, 32)},
    ),
    "timm/vit_small_patch16": (
        partial(_timm, "vit_small_patch16_224", reg_tokens=4),
        224,
        {"patch_embed.proj": (384, 16), "blocks.5": (384, 16), "blocks.5.mlp.fc1": (1536, 16)},
    ),
}


def network(model: Callable[[], nn.Module], image_size: int = 32) -> Network:
    """The model with seeded weights, none of them zero, so that its logits depend on the image."""
    return copy.deepcopy(_network(model, image_size))


@lru_cache(maxsize=4)  # the tests of one network follow each other
def _network(model: Callable[[], nn.Module], image_size: int) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = model().eval()
        for module in made.modules():
            if isinstance(module, nn.Linear) and not module.weight.any():  # the head of a fresh ViT
                nn.init.normal_(module.weight, std=0.1)
        norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.train().momentum = None  # the running statistics are then those of noise: no map fades away
        if norms:
            with torch.no_grad():
                made(torch.randn(2, 3, image_size, image_size))
            made.eval()
    return Network(made, CLASSES, (0.48, 0.45, 0.4), (0.23, 0.22, 0.21), image_size, "test")


def hooks(model: nn.Module) -> int:
    """How many forward and backward hooks the model carries."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)
