"""Train an image network, understand what it has learned, and make art from it."""

__version__ = "0.2.0"
