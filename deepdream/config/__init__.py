"""The typed schema of everything in conf/, checked before any work starts.

Each dataclass is one group of conf/: it gives the keys their types and ranges, the YAML gives them their values
and explains them. No field has a default, so a value is written in one place only. This module imports neither
torch nor Lightning: a misspelt key is answered before either is loaded.
"""

from deepdream.config.data import AugmentConfig, DataConfig, RoomsConfig
from deepdream.config.dream import DreamAppConfig, DreamConfig
from deepdream.config.evaluate import EvaluateConfig
from deepdream.config.film import FilmConfig
from deepdream.config.schema import closest, one_line, typed
from deepdream.config.train import ModelConfig, TrainConfig, TrainerConfig

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "DreamAppConfig",
    "DreamConfig",
    "EvaluateConfig",
    "FilmConfig",
    "ModelConfig",
    "RoomsConfig",
    "TrainConfig",
    "TrainerConfig",
    "closest",
    "one_line",
    "typed",
]
