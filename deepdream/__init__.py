"""Photos become a network, the network becomes pictures."""

from pathlib import Path

__version__ = "0.1.0"

# Where the package is installed, conf/ lies inside it; in a checkout that nobody has installed, beside it.
_checkout = Path(__file__).parents[1]
if (_checkout / "train.py").is_file() and (_checkout / "conf" / "train.yaml").is_file():
    __path__.append(str(_checkout))
