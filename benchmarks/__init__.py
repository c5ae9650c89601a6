"""The figures that the project claims, each with the command that makes it."""

import os

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)  # every library takes the kernels that it has for this processor
