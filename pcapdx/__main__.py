"""``python -m pcapdx``."""

from pcapdx.cli import main

if __name__ == "__main__":
    main()
