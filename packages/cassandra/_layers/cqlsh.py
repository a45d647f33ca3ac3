"""cqlsh for actions: what it prints is the answer, so it keeps its doubts about the
server's version to itself. It speaks to 4.1 and 5.0 alike."""

import sys

from cqlshlib import cqlshmain

cqlshmain.Shell.check_build_versions = lambda shell: None
cqlshmain.main(sys.argv[1:], "")
