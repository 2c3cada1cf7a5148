class NapalmException(Exception):
    pass


class ModuleImportError(NapalmException):
    pass


class ConnectionException(NapalmException):
    pass


class ConnectAuthError(ConnectionException):
    pass


class ConnectionClosedException(ConnectionException):
    pass


class MergeConfigException(NapalmException):
    pass


class ReplaceConfigException(NapalmException):
    pass


class CommitError(NapalmException):
    pass


class LockError(NapalmException):
    pass


class CommandErrorException(NapalmException):
    pass
