"""python -m deepdream.scenes: what is in a data set, and pictures of it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from deepdream.scenes.config import AugmentConfig, DataConfig
from deepdream.schema import choices, preset

GROUPS = {"data": "mit_indoor", "augment": "plain"}


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 after one line that says what was wrong."""
    options = _parser().parse_args(arguments)
    try:
        data, augment = _composed(options.overrides)
        _run(data, augment, options.output if options.show else None)
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deepdream.scenes",
        description="Prepare a data set, count what is in it, and with --show write pictures of it.",
        epilog="examples:\n"
        "  python -m deepdream.scenes data=rooms\n"
        "  python -m deepdream.scenes --show data=rooms augment=strong\n"
        "  python -m deepdream.scenes --show data.root=PATH data.image_size=128 data.resize=146",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--show", action="store_true", help="write contact sheets, class counts and picture sizes")
    parser.add_argument("--output", type=Path, default=Path("outputs/scenes"), help="where to (default: %(default)s)")
    known = ", ".join(f"{group}={'|'.join(choices(group))}" for group in GROUPS)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help=f"as of train.py: {known}, data.root=PATH")
    return parser


def _composed(overrides: list[str]) -> tuple[DataConfig, AugmentConfig]:
    """conf/data and conf/augment as chosen and overridden."""
    chosen: dict[str, str] = dict(GROUPS)
    values: dict[str, str] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or key.partition(".")[0] not in GROUPS:
            raise ValueError(f"{override!r} is not understood; write data=CHOICE, augment=CHOICE or data.KEY=VALUE")
        (chosen if key in GROUPS else values)[key] = value
    given: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"{key}={value}" for key, value in values.items()]))
    data = preset(DataConfig, "data", chosen["data"], given.get("data"))
    return data, preset(AugmentConfig, "augment", chosen["augment"], given.get("augment"))


def _run(config: DataConfig, augment: AugmentConfig, folder: Path | None) -> None:
    from deepdream.scenes.datamodule import SceneDataModule  # seconds to import; help does without

    data = SceneDataModule.from_config(config, augment=augment)
    data.prepare_data()
    data.setup()
    counts = {name: len(data.split(name)) for name in ("train", "val", "test")}
    print(f"{data.root}: {len(data.classes)} classes; " + ", ".join(f"{n:,} {name}" for name, n in counts.items()))
    for verdict, count in Counter(f.verdict.partition(":")[0] for f in data.findings).most_common():
        print(f"  {verdict}: {count:,}")
    if folder is not None:
        from deepdream.scenes.data_plots import write_pictures_of

        for path in write_pictures_of(data, folder):
            print(path)


if __name__ == "__main__":
    sys.exit(main())
