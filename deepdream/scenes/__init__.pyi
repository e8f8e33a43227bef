from .config import AugmentConfig as AugmentConfig
from .config import DataConfig as DataConfig
from .config import RoomsConfig as RoomsConfig
from .config import UrlConfig as UrlConfig
from .datamodule import SceneDataModule as SceneDataModule
