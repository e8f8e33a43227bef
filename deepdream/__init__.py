"""Photos become a network, the network becomes pictures."""

__version__ = "0.1.0"
