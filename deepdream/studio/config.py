"""The configuration of the studio; without torch and gradio, so that a misspelled key is answered at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from deepdream.checks import DEVICES, PRECISIONS, at_least, between, one_of
from deepdream.key_kinds import PATH

LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(kw_only=True)
class StudioConfig:
    """conf/studio.yaml."""

    image: str | None = field(metadata=PATH)
    ckpt: str = field(metadata=PATH)
    host: str
    port: int
    open: bool
    password: str | None
    max_upload: int
    device: str
    precision: str

    def __post_init__(self) -> None:
        between("port", self.port, 0, 65_535)
        at_least("max_upload", self.max_upload, 1)
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
        if self.password == "":
            raise ValueError("password is empty; leave it out, or choose one")

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the pages."""
        return self.host in LOCAL
