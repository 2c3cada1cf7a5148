from napalm.base.base import NetworkDriver
