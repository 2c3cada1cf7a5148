"""Settings of the peering portal of Example Networks."""
import os
from os import environ

# Which names the portal answers to.
ALLOWED_HOSTS = ["peering.example.net", "localhost"]

SECRET_KEY = (
    "j2v9-not-a-real-key-"
    'but-as-long-as-one-has-to-be-0123456789'
)

_db_host = "db1.example.net"
DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "peering_manager",
    "USER": "peering",
    "PASSWORD": "p@ss/w0rd",
    "HOST": _db_host,
    "PORT": "",
    "CONN_MAX_AGE": 300,
}

REDIS = {
    "tasks": {"HOST": "localhost", "PORT": 6379, "PASSWORD": "redis-password", "DATABASE": 0, "SSL": False},
    "caching": {"HOST": "localhost", "PORT": 6379, "PASSWORD": "redis-password", "DATABASE": 1, "SSL": False},
}

BASE_PATH = ""
DEBUG = False
LOGGING = {"version": 1, "handlers": {"console": {"class": "logging.StreamHandler"}}}
TIME_ZONE = environ.get("TIME_ZONE", "Europe/Amsterdam")

LOGIN_REQUIRED = True
LOGIN_TIMEOUT = 60 * 60 * 24
CHANGELOG_RETENTION = 90 * 2
JOBRESULT_RETENTION = 30
RQ_DEFAULT_TIMEOUT = 3600
RELEASE_CHECK_URL = "https://api.github.com/repos/peering-manager/peering-manager/releases"

EMAIL = {
    "SERVER": "smtp.example.net",
    "PORT": 587,
    "USERNAME": "peering",
    "PASSWORD": os.environ["SMTP_PASSWORD"],
    "USE_TLS": True,
    "FROM_ADDRESS": "peering@example.net",
    "CC_CONTACTS": [("noc@example.net", "NOC"), "archive@example.net"],
}

PEERINGDB_API_KEY = _read_secret("peeringdb_api_key", environ.get("PEERINGDB_API_KEY", ""))
HTTP_PROXIES = {"http": "http://proxy.example.net:3128", "https": "http://proxy.example.net:3128"}

NAPALM_USERNAME = "automation"
NAPALM_PASSWORD = "router-password"
NAPALM_ARGS = {"keepalive": 10, "ssh_config_file": None}

BGPQ3_PATH = "/usr/bin/bgpq4"
BGPQ3_SOURCES = "RPKI,RIPE,RADB"
BGPQ3_ARGS = {
    "ipv6": ["-A", "-r", "16", "-R", "48"],
    "ipv4": ["-A", "-r", "8", "-R", "24"],
}

NETBOX_TAGS = {"peering"}
MY_ASN = 64500
SITE_NAME = "Example Networks"
# PAGINATE_COUNT = 50

if environ.get("DEVELOPMENT"):
    METRICS_ENABLED = True
