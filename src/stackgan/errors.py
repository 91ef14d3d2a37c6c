"""The one exception a user can cause, what the scripts make of it, and the one that only room on the disk mends."""

import errno

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, or what this user may have of it


class UserError(Exception):
    """Something the user can mend: a bad setting, path or file.

    The message is one sentence that says what is wrong, where, and what to do; scripts print it alone and exit with code 2.
    """


def is_full(error: BaseException) -> bool:
    """Whether there is no room left to write to."""
    return isinstance(error, OSError) and error.errno in FULL
