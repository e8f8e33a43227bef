from deepdream.apps.dream import main

if __name__ == "__main__":
    main()
