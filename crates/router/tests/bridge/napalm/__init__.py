"""A stand-in for NAPALM, strict about how it is used. A device is a JSON file, which the argument `device` names."""

from napalm.base.exceptions import ModuleImportError

__version__ = "5.9.9"


def get_network_driver(name):
    from napalm import drivers

    plain = name.lower().replace("-", "")
    found = getattr(drivers, plain.capitalize(), None)
    if found is None:
        raise ModuleImportError('Cannot import "%s". Is the library installed?' % plain)
    return found
