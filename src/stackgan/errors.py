"""The one exception a user can cause, and what the scripts make of it."""


class UserError(Exception):
    """Something the user can mend: a bad setting, path or file.

    The message is one sentence that says what is wrong, where, and what to do; scripts print it alone and exit with code 2.
    """
