"""Access: who we are at a server, out of a ``login`` block.

Files are named relative to the file that names them; what is kept is relative to the plant file's
folder, because that is all that the rest of the program knows.
"""

from pathlib import PurePosixPath

from mappings.plant.broker_schema import LoginBlock
from mappings.plant.definitions import Certificate, Login, Secret


def credentials(
    login: LoginBlock | None, file: str, plant: str
) -> tuple[Login | None, Certificate | None]:
    """The login or the certificate of a block that stands in ``file``."""
    if login is None:
        return None, None
    if login.user is not None and login.password is not None:
        return Login(user=login.user, password=moved(login.password, file, plant)), None
    assert login.certificate is not None
    assert login.key is not None
    key = moved(login.key, file, plant)
    return None, Certificate(file=path_from(login.certificate, file, plant), key=key)


def moved(secret: Secret, file: str, plant: str) -> Secret:
    """The same secret, named from the plant file's folder."""
    if secret.kind != "file":
        return secret
    return Secret(kind="file", name=path_from(secret.name, file, plant))


def path_from(path: str, file: str, plant: str) -> str:
    """A path as it is named in ``file``, from the folder of the plant file."""
    here, there = PurePosixPath(file).parent.parts, PurePosixPath(plant).parent.parts
    if here == there or PurePosixPath(path).is_absolute():
        return path
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    up = [".."] * (len(there) - shared)
    return str(PurePosixPath(*up, *here[shared:], path))
