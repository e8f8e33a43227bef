"""The network: a ResNet of any depth, and the one form in which every network is handed on."""

from deepdream.models.network import Network, load_network
from deepdream.models.resnet import DEPTHS, ResNet

__all__ = ["DEPTHS", "Network", "ResNet", "load_network"]
