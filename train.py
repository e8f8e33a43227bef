"""Photos become a network: see deepdream/apps/train.py, or --help."""

from deepdream.apps.train import main

if __name__ == "__main__":
    main()
