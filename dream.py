"""The network becomes pictures: see deepdream/apps/dream.py, or --help."""

from deepdream.apps.dream import main

if __name__ == "__main__":
    main()
