"""Access: who we are at a server, out of a ``login`` block.

Files are named relative to the file that names them; what is kept is relative to the plant file's
folder, because that is all that the rest of the program knows.
"""

from mappings.plant.broker_schema import LoginBlock
from mappings.plant.definitions import Certificate, Login
from mappings.plant.secrets import moved, path_from


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
