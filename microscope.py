"""Every channel of a network beside its images: see deepdream/apps/microscope.py, or --help."""

from deepdream.apps.microscope import main

if __name__ == "__main__":
    main()
