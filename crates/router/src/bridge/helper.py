# Runs NAPALM for one router. Requests are lines of JSON on standard input, one answer line each comes back on what was
# standard output at the start. Whatever NAPALM prints goes to standard error, so that it cannot be taken for an answer.
import sys

# With `-c` the current directory comes first; nothing may be imported from there.
sys.path[:] = [place for place in sys.path if place]

import hashlib
import json
import os
import queue
import signal
import threading
import traceback

answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
os.dup2(2, 1)
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
os.close(nothing)

# The programs that drivers start have no business with the settings of the one that started us.
for name in list(os.environ):
    if name.startswith("PEERING_MANAGER_"):
        del os.environ[name]

# Drivers whose devices undo a change in steps of a second. The others count minutes.
TIMER_IN_SECONDS = {"eos"}
# Drivers that hand these arguments to netmiko, which otherwise takes any host key.
NETMIKO = {"ios", "iosxr", "nxos_ssh"}
# How long an unfinished request may go on when nobody waits for its answer any more.
GRACE = 60

# Beginnings of lines in which devices say when a configuration was read or changed, or how long it is.
PASSING = ("!", "#", "Building configuration", "Current configuration", "ntp clock-period")

device = None
driver = ""
# The driver holds a candidate.
loaded = False
# The last change that this process made for good, or confirmed.
kept = None
kept_open = []
to_remove = []


class Refused(Exception):
    """What this helper itself says no to."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def simple(value):
    """The value as JSON can have it."""
    if isinstance(value, dict):
        return {str(key): simple(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [simple(one) for one in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) and type(value) is str else str(value)


def versions():
    try:
        import napalm
    except ImportError as error:
        raise Refused("no_napalm", str(error)) from None
    version = getattr(napalm, "__version__", "")
    if not version:
        from importlib import metadata

        try:
            version = metadata.version("napalm")
        except metadata.PackageNotFoundError:
            version = "unknown"
    return {"python": ".".join(map(str, sys.version_info[:3])), "napalm": str(version)}


def find_driver(name):
    versions()
    import napalm

    try:
        return napalm.get_network_driver(name)
    except Exception as error:
        if "ModuleImportError" in kinds(error) or isinstance(error, ImportError):
            raise Refused("no_driver", str(error)) from None
        raise


def key_file(text):
    """A path under which this process finds the key, and nobody else; it lies on no disk where the system allows it."""
    if hasattr(os, "memfd_create"):
        place = os.memfd_create("key")
        os.write(place, text.encode())
        kept_open.append(place)
        return "/proc/%d/fd/%d" % (os.getpid(), place)
    import tempfile

    place, path = tempfile.mkstemp()
    to_remove.append(path)
    with os.fdopen(place, "w") as file:
        file.write(text)
    return path


def do_versions(request):
    found = versions()
    if request.get("driver"):
        find_driver(request["driver"])
    missing = {}
    for name in request.get("drivers", []):
        try:
            find_driver(name)
        except Exception as error:
            missing[name] = text(error)
    return dict(found, missing=missing)


def do_open(request):
    global device, driver
    found = find_driver(request["driver"])
    # As NAPALM reads the name.
    driver = request["driver"].lower().replace("-", "").rsplit(".", 1)[-1]
    arguments = dict(request["optional_args"])
    if request.get("port"):
        arguments.setdefault("port", request["port"])
    if request.get("key"):
        arguments.setdefault("key_file", key_file(request["key"]))
        arguments.setdefault("use_keys", True)
        if request.get("passphrase"):
            arguments.setdefault("passphrase", request["passphrase"])
            arguments.setdefault("key_passphrase", request["passphrase"])
    # Over HTTPS and telnet there is no host key.
    has_key = driver != "nxos" and arguments.get("transport") != "telnet"
    if request.get("pinned") and has_key and "ssh_strict" not in arguments:
        raise Refused(
            "host_key", "NAPALM compares no fingerprint; leave it out, name a file of known hosts, or take a native driver"
        )
    if driver in NETMIKO and arguments.get("transport") != "telnet":
        if request.get("known_hosts"):
            arguments.setdefault("ssh_strict", True)
            arguments.setdefault("alt_host_keys", True)
            arguments.setdefault("alt_key_file", request["known_hosts"])
    if driver == "nxos":
        arguments.setdefault("ssl_verify", request.get("verify", True))
    made = found(
        hostname=request["hostname"],
        username=request["username"],
        password=request["password"],
        timeout=request["timeout"],
        optional_args=arguments,
    )
    made.open()
    device = made
    return {"timer": has_timer(), "loads": loads()}


def overrides(name):
    """Whether the driver does this itself; the class that all are made of only says that it is not implemented."""
    method = getattr(type(device), name, None)
    if method is None:
        return False
    return getattr(method, "__module__", "") not in ("napalm.base", "napalm.base.base")


def counts_here(name, seen):
    """Whether a method, or one of the driver's that it calls, starts a thread: a timer that dies with this process."""
    method = getattr(type(device), name, None)
    code = getattr(method, "__code__", None)
    if code is None or name in seen:
        return False
    seen.add(name)
    names = set(code.co_names)
    if names & {"Timer", "Thread"}:
        return True
    return any(counts_here(one, seen) for one in names if hasattr(type(device), one))


def has_timer():
    needed = ("confirm_commit", "has_pending_commit")
    if not all(overrides(name) for name in needed) or counts_here("commit_config", set()):
        return False
    code = getattr(getattr(type(device), "commit_config", None), "__code__", None)
    if code is None or "revert_in" not in code.co_varnames:
        return False
    return True


def loads():
    """The kinds of candidates that the driver takes, compares and commits."""
    if not all(overrides(name) for name in ("compare_config", "commit_config", "discard_config")):
        return []
    return [how for how in ("merge", "replace") if overrides("load_%s_candidate" % how)]


def waits():
    """Whether a change waits for its confirmation; no where the driver cannot tell."""
    return overrides("has_pending_commit") and bool(device.has_pending_commit())


def session():
    return str(getattr(device, "config_session", None) or "")


def pending_name():
    """What the device calls the change that waits: a session, a commit, or when it was begun and by whom; else nothing."""
    listed = getattr(device, "_get_pending_commits", dict)() or {}
    if "configured" in listed:
        return " ".join(str(listed.get(key, "")) for key in ("configured", "user")).strip()
    return str(next(iter(listed), "")) or session()


def digest():
    """A short name for what runs; nothing where the driver does not show it."""
    try:
        text = device.get_config(retrieve="running")["running"]
    except (NotImplementedError, AttributeError):
        return ""
    lines = [line.rstrip() for line in str(text).splitlines()]
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith(PASSING)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def parts(change):
    """A change is `name/after/before`: the device's name of it, and what ran after it and before it. Each may be empty."""
    name, after, before = (str(change or "").rsplit("/", 2) + ["", ""])[:3]
    return name, after, before


def is_this(change):
    """Whether the change that waits is this one, as far as there is anything to tell it by."""
    name, after, _ = parts(change)
    listed = pending_name()
    if name and listed:
        return name == listed
    return not after or digest() == after


def do_discard(request):
    global loaded
    loaded = False
    device.discard_config()


def discard_quietly():
    try:
        do_discard(None)
    except Exception:
        traceback.print_exc()


def put_aside():
    """A driver may confirm with a commit, which would put a candidate into force."""
    if loaded:
        discard_quietly()


def do_load(request):
    global loaded
    if waits():
        raise Refused("busy", "a change that waits for its confirmation")
    put_aside()
    load = device.load_replace_candidate if request["replace"] else device.load_merge_candidate
    try:
        loaded = True
        load(config=request["config"])
        return {"diff": str(device.compare_config() or ""), "session": session()}
    except Exception:
        discard_quietly()
        raise


def commit(**arguments):
    global loaded
    try:
        device.commit_config(**arguments)
        loaded = False
    except Exception:
        discard_quietly()
        raise


def do_commit(request):
    global kept
    seconds = request.get("seconds")
    try:
        if waits():
            raise Refused("busy", "a change that waits for its confirmation")
        if seconds is not None:
            if not has_timer():
                raise Refused("no_timer", "")
            step = 1 if driver in TIMER_IN_SECONDS else 60
            seconds = -(-seconds // step) * step
            if seconds >= 86400:
                raise Refused("no_timer", "")
        before = digest()
    except Exception:
        discard_quietly()
        raise
    if seconds is None:
        commit()
        kept = "/".join(("", digest(), before))
        return {"id": kept, "seconds": 0}
    commit(revert_in=seconds)
    if not device.has_pending_commit():
        try:
            device.rollback()
        except Exception as error:
            raise Refused("timer_lost", "undoing it failed: %s" % error) from None
        raise Refused("timer_lost", "it was undone")
    return {"id": "/".join((pending_name(), digest(), before)), "seconds": seconds}


def take_up(change):
    """Lets the driver go on with a change that another process began."""
    name, _, _ = parts(change)
    if name and hasattr(device, "config_session"):
        device.config_session = name


def do_confirm(request):
    global kept
    change = request.get("change")
    put_aside()
    if not waits():
        _, after, before = parts(change)
        runs = digest()
        if kept == change or (after and after == runs):
            # It was confirmed before.
            return None
        if before and before != runs:
            raise Refused(
                "failed",
                "it waits for no confirmation, and what runs is neither what was committed nor what was there before; "
                "somebody changed it since: compare them",
            )
        raise Refused("rolled_back", "")
    if not is_this(change):
        raise Refused("failed", "another change waits for its confirmation, or something was changed since the commit")
    take_up(change)
    device.confirm_commit()
    if waits():
        raise Refused("failed", "the device still waits for the confirmation")
    kept = change
    return None


def do_cancel(request):
    """Undoes a change as long as it waits, and says whether it did."""
    change = request.get("change")
    put_aside()
    if not waits() or not is_this(change):
        return False
    take_up(change)
    device.rollback()
    if waits():
        raise Refused("failed", "the device still waits for the confirmation")
    return True


def do_rollback(request):
    change = request.get("change")
    if do_cancel(request):
        return None
    _, after, before = parts(change)
    runs = digest()
    if runs and runs == before:
        return None
    # Whatever was done last is what a driver undoes: that must be this change.
    if waits() or not (after == runs if after else kept == change):
        raise Refused(
            "failed",
            "what runs is neither what was committed nor what was there before; somebody changed it since, and nothing is "
            "undone: compare them",
        )
    device.rollback()
    if after and digest() == after:
        raise Refused("failed", "NAPALM's driver undid nothing; what was committed still runs")
    return None


def do_pending(request):
    return {"id": "/".join((pending_name(), digest(), ""))} if waits() else None


def do_close(request):
    global device
    if device is not None:
        closing, device = device, None
        closing.close()
    return None


GETTERS = {
    "facts": lambda: device.get_facts(),
    "neighbors": lambda: device.get_bgp_neighbors(),
    "detail": lambda: device.get_bgp_neighbors_detail(),
    "config": lambda: device.get_config(retrieve="running")["running"],
}
OTHERS = {
    "versions": do_versions,
    "open": do_open,
    "load": do_load,
    "commit": do_commit,
    "discard": do_discard,
    "confirm": do_confirm,
    "cancel": do_cancel,
    "rollback": do_rollback,
    "pending": do_pending,
    "close": do_close,
}


def kinds(error):
    """The names of the exception's classes, and of those of what caused it."""
    names, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        names += [one.__name__ for one in type(error).__mro__]
        error = error.__cause__ or error.__context__
    return names


def text(error):
    said = str(error) or type(error).__name__
    cause = error.__cause__ or error.__context__
    if cause is not None and str(cause) and str(cause) not in said:
        said += "\n" + str(cause)
    return said[:4000]


def answer(request):
    what = request["do"]
    if what in GETTERS:
        return simple(GETTERS[what]())
    return simple(OTHERS[what](request))


def read(waiting):
    """Reads requests while another one is worked on, to see when nobody is there any more."""
    for line in requests:
        waiting.put(line)
    waiting.put(None)
    # What is under way may end, but not hang for ever.
    end = threading.Timer(GRACE, lambda: os.killpg(0, signal.SIGKILL))
    end.daemon = True
    end.start()


def main():
    waiting = queue.Queue()
    threading.Thread(target=read, args=(waiting,), daemon=True).start()
    while True:
        line = waiting.get()
        if line is None:
            break
        request = json.loads(line)
        reply = {"id": request["id"]}
        try:
            reply["ok"] = answer(request)
        except Refused as error:
            reply["error"] = {"kinds": [error.kind], "message": str(error)[:4000]}
        except (Exception, SystemExit) as error:
            reply["error"] = {"kinds": kinds(error), "message": text(error)}
        try:
            answers.write(json.dumps(reply) + "\n")
            answers.flush()
        except BrokenPipeError:
            break
    try:
        do_close(None)
    except Exception:
        pass
    for path in to_remove:
        os.unlink(path)
    # Threads that a driver left behind must not keep the process.
    os._exit(0)


main()
