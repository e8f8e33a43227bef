"""The network: a ResNet of any depth, and the one form in which every network is handed on."""

from deepdream.models.box import BOX
from deepdream.models.heads import default_head_size
from deepdream.models.loading import load_network
from deepdream.models.network import Network
from deepdream.models.pretrained import start_from
from deepdream.models.resnet import DEPTHS, ResNet

__all__ = ["BOX", "DEPTHS", "Network", "ResNet", "default_head_size", "load_network", "start_from"]
