from .classifier import SceneClassifier as SceneClassifier
from .config import TrainConfig as TrainConfig
from .config import TrainerConfig as TrainerConfig
from .optimizers import scaled_lr as scaled_lr
from .trainer import build_trainer as build_trainer
from .trainer import quiet_lightning as quiet_lightning
