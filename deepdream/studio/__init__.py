"""The studio: dream, understand and follow a training, live in a browser. Above the commands, whose work it shows."""
