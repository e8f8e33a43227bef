from .classifier import SceneClassifier as SceneClassifier
from .config import TrainConfig as TrainConfig
from .config import TrainerConfig as TrainerConfig
from .optimizers import learning_rate as learning_rate
from .trainer import build_trainer as build_trainer
from .trainer import quiet_lightning as quiet_lightning
