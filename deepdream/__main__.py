"""python -m deepdream SUBCOMMAND: see deepdream/apps/cli.py, or --help."""

import sys

from deepdream.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
