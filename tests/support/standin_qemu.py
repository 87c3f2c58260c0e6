#!/usr/bin/env -S python3 -IS
"""The program to give to ``-q``: ``standin_machine`` says what it does.

It is this short because a program is compiled at every start, and a module once.
"""

import sys

sys.path.insert(0, __file__.rpartition("/")[0] or ".")

from support.standin_machine import main

if __name__ == "__main__":
    main()
