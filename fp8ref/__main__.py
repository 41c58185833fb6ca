"""``python -m fp8ref`` is the command ``fp8ref``."""

from .cli.main import run

if __name__ == "__main__":
    run()
