import json
import os
import signal
import subprocess
import threading
import time

from napalm.base.base import NetworkDriver
from napalm.base.exceptions import (
    CommandErrorException,
    CommitError,
    ConnectAuthError,
    ConnectionClosedException,
    ConnectionException,
    LockError,
    MergeConfigException,
    ReplaceConfigException,
)


class Lab(NetworkDriver):
    """Everything, with a timer on the device."""

    def __init__(self, hostname, username, password, timeout=60, optional_args=None):
        assert isinstance(timeout, int) and isinstance(hostname, str)
        self.hostname, self.username, self.password = hostname, username, password
        self.args = dict(optional_args or {})
        self.file = self.args.pop("device")
        self.fault = self.args.pop("fault", None)
        self.candidate = None
        self.replace = False
        self.is_open = False

    def state(self):
        assert self.is_open, "used before open() or after close()"
        with open(self.file) as file:
            state = json.load(file)
        pending = state.get("pending")
        if pending and pending["until"] <= time.time():
            state.update(config=pending["before"], pending=None)
            self.keep(state)
        return state

    def keep(self, state):
        with open(self.file + ".new", "w") as file:
            json.dump(state, file)
        os.rename(self.file + ".new", self.file)

    def maybe(self, where):
        """The fault that was ordered, if this is its place."""
        if self.fault is None or not self.fault.startswith(where + ":"):
            return
        what = self.fault.split(":")[1]
        if what == "hang":
            child = subprocess.Popen(["sleep", "1000"])
            with open(self.file + ".pids", "w") as file:
                file.write("%d %d" % (os.getpid(), child.pid))
            time.sleep(1000)
        if what == "crash":
            os.write(2, b"Traceback\nsegmentation password Planted-8 %s\n" % self.password.encode())
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "noise":
            print('{"id": 1, "ok": "forged"}', flush=True)
            os.write(1, b'{"id": 2, "ok": "forged"}\n\xff\xfe')
            os.system("echo forged; cat >/dev/null")
        if what == "secret":
            raise CommandErrorException("cannot log in with %s and %r: password Planted-8" % (self.password, self.args))
        if what == "odd":
            raise KeyError("vrfs")
        if what == "closed":
            raise ConnectionClosedException("socket is closed")
        if what == "locked":
            raise LockError("configuration database locked by: admin terminal pts/0")

    def open(self):
        self.maybe("open")
        if self.hostname == "nowhere":
            raise ConnectionException("Cannot connect to nowhere")
        if self.password != "Planted's-1\\":
            raise ConnectAuthError("Authentication failed for %s with %s" % (self.username, self.password))
        for place in ("cmdline", "environ"):
            with open("/proc/self/" + place, "rb") as file:
                assert b"Planted's-1" not in file.read(), place
        assert not [name for name in os.environ if name.startswith("PEERING_MANAGER_")]
        if "key_file" in self.args:
            with open(self.args["key_file"]) as file:
                assert file.read() == "Planted-private-key\n"
            assert not os.path.exists("/tmp/key")
        self.is_open = True

    def close(self):
        self.is_open = False

    def get_facts(self):
        self.maybe("facts")
        return {
            "hostname": "lab", "vendor": "Invented", "model": "M1", "os_version": "1.2", "uptime": 42.7,
            "serial_number": "", "fqdn": "lab.example", "interface_list": ["eth0"],
        }

    def get_bgp_neighbors(self):
        self.maybe("neighbors")
        counts = {"received_prefixes": 20, "accepted_prefixes": 18, "sent_prefixes": 1}
        common = {"local_as": 64500, "description": "", "is_enabled": True, "uptime": -1, "remote_id": ""}
        return {
            "global": {
                "router_id": "192.0.2.254",
                "peers": {
                    "192.0.2.1": dict(common, remote_as=64501, remote_id="192.0.2.1", is_up=True, uptime=99,
                                      description="Good", address_family={"ipv4": counts}),
                    "2001:db8::1": dict(common, remote_as=64501, is_up=False, address_family={"ipv6": counts}),
                },
            },
            "red": {"router_id": "", "peers": {}},
        }

    def get_bgp_neighbors_detail(self):
        return {
            "global": {
                64501: [
                    {"remote_address": "192.0.2.1", "remote_as": 64501, "up": True, "connection_state": "Established",
                     "flap_count": 2},
                    {"remote_address": "2001:db8::1", "remote_as": 64501, "up": False,
                     "connection_state": "OpenConfirm"},
                ]
            }
        }

    def get_config(self, retrieve="all", full=False, sanitized=False, format="text"):
        self.maybe("config")
        assert retrieve == "running" and not sanitized
        return {"running": self.state()["config"], "candidate": "", "startup": ""}

    def load(self, config, replace, error):
        assert isinstance(config, str)
        self.maybe("load")
        if "syntax error" in config:
            raise error("line 1: %s" % config)
        self.candidate, self.replace = config, replace

    def load_merge_candidate(self, filename=None, config=None):
        self.load(config, False, MergeConfigException)

    def load_replace_candidate(self, filename=None, config=None):
        self.load(config, True, ReplaceConfigException)

    def compare_config(self):
        old = self.state()["config"].splitlines()
        new = self.wanted().splitlines()
        return "\n".join(["-" + one for one in old if one not in new] + ["+" + one for one in new if one not in old])

    def wanted(self):
        return self.candidate if self.replace else self.state()["config"] + self.candidate

    def commit_config(self, message="", revert_in=None):
        assert self.candidate is not None
        self.maybe("commit")
        state = self.state()
        if state.get("pending"):
            raise CommitError("pending commit confirm already in process")
        before = state["config"]
        pending = None
        if revert_in is not None:
            if revert_in % 60:
                raise CommitError("must be a multiple of 60")
            # Minutes pass quickly here.
            pending = {"until": time.time() + revert_in / 60, "before": before}
        state.update(config=self.wanted(), before=before, pending=pending)
        self.keep(state)
        self.candidate = None

    def confirm_commit(self):
        self.maybe("confirm")
        state = self.state()
        if not state.get("pending"):
            raise CommitError("no pending commit-confirm found")
        state["pending"] = None
        self.keep(state)

    def has_pending_commit(self):
        self.maybe("pending")
        return bool(self.state().get("pending"))

    def discard_config(self):
        self.maybe("discard")
        state = self.state()
        state["discards"] = state.get("discards", 0) + 1
        self.keep(state)
        self.candidate = None

    def rollback(self):
        self.maybe("rollback")
        state = self.state()
        state.update(config=state["before"], pending=None)
        self.keep(state)


class Plain(Lab):
    """No timer, and no detail."""

    confirm_commit = NetworkDriver.confirm_commit
    has_pending_commit = NetworkDriver.has_pending_commit
    get_bgp_neighbors_detail = NetworkDriver.get_bgp_neighbors_detail

    def commit_config(self, message="", revert_in=None):
        if revert_in is not None:
            raise NotImplementedError
        super().commit_config()


class Threaded(Lab):
    """A timer that dies with this process."""

    def commit_config(self, message="", revert_in=None):
        super().commit_config()
        self.start(revert_in)

    def start(self, seconds):
        timer = threading.Timer(seconds, self.rollback)
        timer.daemon = True
        timer.start()


class Careless(Lab):
    """Takes a time and forgets it."""

    def commit_config(self, message="", revert_in=None):
        super().commit_config()


class Sessions(Lab):
    """A change is confirmed by the name of its session."""

    config_session = None

    def load(self, config, replace, error):
        super().load(config, replace, error)
        self.config_session = "napalm_%d" % os.getpid()

    def commit_config(self, message="", revert_in=None):
        super().commit_config(revert_in=revert_in)
        state = self.state()
        state["session"] = self.config_session
        self.keep(state)

    def confirm_commit(self):
        if self.state()["session"] != self.config_session:
            raise CommitError("no pending commit-confirm found")
        super().confirm_commit()

    def _get_pending_commits(self):
        return {self.state()["session"]: 30} if self.has_pending_commit() else {}


class Replacer(Lab):
    """Takes whole configurations only."""

    load_merge_candidate = NetworkDriver.load_merge_candidate


class Reader(Lab):
    """Changes nothing: it takes candidates, and cannot put them into force."""

    commit_config = NetworkDriver.commit_config
