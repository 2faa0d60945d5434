"""`python -m agents NAME …` from a checkout: the same as `textgym train NAME …`."""

import sys

from textgym.cli import run_safely, train

if __name__ == "__main__":
    sys.exit(run_safely(lambda: train(sys.argv[1:], prog="python -m agents")))
