"""How good is the network: see deepdream/apps/evaluate.py, or --help."""

from deepdream.apps.evaluate import main

if __name__ == "__main__":
    main()
