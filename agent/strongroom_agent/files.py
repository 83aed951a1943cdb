"""Files that other programs read: replaced in one step, durable, written only when something changes."""

import os
import threading


def write(
    path: str, data: bytes, *, mode: int | None = None, user: str = "", group: str = "", folders: bool = True,
    backup: bool = False,
) -> bool:  # fmt: skip
    """Make the file at ``path`` hold ``data`` and tell whether its content changed.

    ``mode`` None keeps what the file has, 0644 for a new one. Readers see the old content or the new, never a part:
    the new file is written beside the old, flushed to disk and renamed. Raises OSError; ValueError for an unknown
    owner.
    """
    old = _content(path)
    mode = _mode_of(path, 0o644) if mode is None else mode
    ids = owner(user, group)
    if old == data and _mode_of(path, -1) == mode and not (user or group):
        return False
    folder = os.path.dirname(path) or "."
    if folders:
        os.makedirs(folder, exist_ok=True)
    if backup and old is not None:
        _replace(path + ".bak", old, _mode_of(path, 0o600), (-1, -1))
    _replace(path, data, mode, ids)
    return old != data


def _replace(path: str, data: bytes, mode: int, ids: tuple[int, int]) -> None:
    part = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{threading.get_native_id()}")
    remove(part)  # what a killed agent of the same number left; another template may write the same file just now
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # nobody reads it before it is complete
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if ids != (-1, -1):
                os.fchown(file.fileno(), *ids)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        remove(part)
        raise


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _mode_of(path: str, default: int) -> int:
    try:
        return os.stat(path).st_mode & 0o7777
    except FileNotFoundError:
        return default


def owner(user: str, group: str) -> tuple[int, int]:
    """Return the ids of a user and group, given by name or number; -1 for an empty one. Raises ValueError."""
    import grp
    import pwd

    try:
        uid = -1 if not user else int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        gid = -1 if not group else int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ValueError(str(error)) from None
    return uid, gid


def read_text(path: str) -> str:
    """Return a file's text without the white space around it."""
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def remove(path: str) -> None:
    """Delete a file if it is there."""
    try:
        os.remove(path)
    except FileNotFoundError:
        return
