#!/usr/bin/python3 -IXutf8
"""The command of the packages: the program is in a folder of its own."""

import sys

sys.path.insert(0, "/usr/lib/user-session-monitor")

from usersessionmon.cli.main import main

sys.exit(main())
