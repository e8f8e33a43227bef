from __future__ import annotations

import pytest

from deepdream.models import Network
from tests.dreaming.networks import resnet18


@pytest.fixture(scope="session")
def resnet() -> Network:
    """resnet18(), made once; a test leaves it as it is."""
    return resnet18()
