"""Settings of the tests of deploy/k8s: they read and render files, and start nothing that stays."""

import sys

sys.dont_write_bytecode = True
