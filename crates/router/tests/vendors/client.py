# Clients that others wrote, told what to do: NAPALM's drivers and ncclient. A call per line of standard input, JSON; what it
# gave per line of standard output. A caught exception is an answer too: its classes, what it says, and what ncclient read
# from an rpc-error.
#
#     {"name": "a", "napalm": "junos", "host": …, "port": …, "user": …, "password": …, "options": {…}}
#     {"name": "b", "ncclient": "default", "host": …, "port": …, "user": …, "password": …}
#     {"name": "a", "call": "load_merge_candidate", "with": {"config": "…"}}
import json
import os
import sys
import warnings

answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
warnings.simplefilter("ignore")

import napalm
from ncclient import manager
from ncclient.xml_ import to_ele

clients = {}


def simple(value):
    """What JSON can hold; answers of ncclient as their XML."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): simple(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set)) or type(value).__name__.startswith("dict_"):
        return [simple(one) for one in value]
    return getattr(value, "xml", None) or str(value)


def do(request):
    name = request["name"]
    if "napalm" in request:
        driver = napalm.get_network_driver(request["napalm"])
        options = dict(request["options"], port=request["port"])
        clients[name] = driver(request["host"], request["user"], request["password"], timeout=15, optional_args=options)
        return None
    if "ncclient" in request:
        clients[name] = manager.connect(
            host=request["host"],
            port=request["port"],
            username=request["user"],
            password=request["password"],
            hostkey_verify=False,
            look_for_keys=False,
            allow_agent=False,
            timeout=15,
            device_params={"name": request["ncclient"]},
        )
        return {"session": clients[name].session_id, "capabilities": list(clients[name].server_capabilities)}
    arguments = {key: tuple(one) if isinstance(one, list) else one for key, one in request.get("with", {}).items()}
    if request["call"] == "rpc":
        return simple(clients[name].rpc(to_ele(arguments["xml"])))
    return simple(getattr(clients[name], request["call"])(**arguments))


for line in sys.stdin:
    try:
        answer = {"ok": do(json.loads(line))}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind not in (Exception, BaseException, object)]
        answer = {"error": kinds, "says": str(error), "tag": getattr(error, "tag", None), "info": getattr(error, "info", None)}
    print(json.dumps(answer), file=answers, flush=True)
