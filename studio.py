"""All of it, live in a browser: see deepdream/studio/app.py, or --help."""

from deepdream.studio.app import main

if __name__ == "__main__":
    main()
