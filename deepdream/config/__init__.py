"""The typed schema of everything in conf/, checked before any work starts.

Each dataclass is one group of conf/: it gives the keys their types and ranges, the YAML gives them their values
and explains them. No field has a default, so a value is written in one place only. This module imports neither
torch nor Lightning: a misspelt key is answered before either is loaded.
"""

from deepdream.config.data import TTA, AugmentConfig, DataConfig, RoomsConfig, UrlConfig
from deepdream.config.dream import DreamAppConfig, DreamConfig
from deepdream.config.evaluate import EvaluateConfig
from deepdream.config.explain import CHEAP_CHECKS, CHECKS, METHODS, ExplainAppConfig, ExplainConfig, check_method
from deepdream.config.film import FPS_RANGE, FilmConfig
from deepdream.config.model import ModelConfig, check_variant
from deepdream.config.schema import as_data, choices, closest, one_line, read_choice, typed
from deepdream.config.train import TrainConfig, TrainerConfig

__all__ = [
    "CHEAP_CHECKS",
    "CHECKS",
    "FPS_RANGE",
    "METHODS",
    "TTA",
    "AugmentConfig",
    "DataConfig",
    "DreamAppConfig",
    "DreamConfig",
    "EvaluateConfig",
    "ExplainAppConfig",
    "ExplainConfig",
    "FilmConfig",
    "ModelConfig",
    "RoomsConfig",
    "TrainConfig",
    "TrainerConfig",
    "UrlConfig",
    "as_data",
    "check_method",
    "check_variant",
    "choices",
    "closest",
    "one_line",
    "read_choice",
    "typed",
]
