"""Why a cell failed, from the error that ended it: the contract's causes and a message fit to be shown."""

import errno
import sys
from typing import Literal

from batchlab.errors import BatchlabError, CellTimeout, DataError

Cause = Literal["out_of_memory", "timeout", "code_error", "bad_data", "disk_full"]

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
_DEVICE_WORDS = ("CUDA error", "device-side assert", "cuDNN error", "CUBLAS_STATUS_", "NVML")
MESSAGE_LENGTH = 500


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory of the machine or of the GPU gave out; torch says so with RuntimeErrors of several kinds."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _MEMORY_WORDS)


def is_device_error(error: BaseException) -> bool:
    """Whether the GPU itself failed: every later call in this process would fail too, so the process must end."""
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    accelerator = getattr(sys.modules.get("torch"), "AcceleratorError", ())
    return isinstance(error, accelerator) or any(words in str(error) for words in _DEVICE_WORDS)


def is_disk_full(error: BaseException) -> bool:
    """Whether a volume of this machine is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_database_full(error: BaseException) -> bool:
    """Whether the database's volume is full: a trouble of the lab, not of the cell (SQLSTATE 53100)."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == "53100"


def cause_of(error: BaseException) -> Cause:
    """The contract's cause for `error`."""
    if is_out_of_memory(error):
        return "out_of_memory"
    if is_disk_full(error):
        return "disk_full"
    if isinstance(error, CellTimeout):
        return "timeout"
    return "bad_data" if isinstance(error, DataError) else "code_error"


def message_of(error: BaseException) -> str:
    """One short line: the first of the error's text, with its class unless the text was written for users."""
    text = str(error).strip() or "no message"
    first = text.splitlines()[0]
    return (first if isinstance(error, BatchlabError) else f"{type(error).__name__}: {first}")[:MESSAGE_LENGTH]
