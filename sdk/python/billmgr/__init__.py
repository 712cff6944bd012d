"""What handlers, gates and modules written for the ancestor import: the names are known from such programs, the code is
our own. Installed as lib/python/billmgr.

    sys.path.insert(0, "/usr/local/mgr5/lib/python")
    from billmgr import db, logger, misc
    from billmgr.exception import XmlException

Standard library only, CPython 3.8 or later. No value ever stands in an argument list.
"""

import os
import sys

#: The installation: this file stands in lib/python/billmgr of it.
HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))

#: The program that imports us.
BINARY_NAME = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
