"""What is in these photos: see deepdream/apps/predict.py, or --help."""

from deepdream.apps.predict import main

if __name__ == "__main__":
    main()
