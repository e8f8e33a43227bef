"""Why did the network answer so: see deepdream/apps/explain.py, or --help."""

from deepdream.apps.explain import main

if __name__ == "__main__":
    main()
