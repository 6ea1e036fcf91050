"""``python -m usersessionmon`` is the same program as ``user-session-monitor``."""

import sys

from usersessionmon.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
