#!/usr/bin/env python3
"""The units that `graph` prints for schedulers: read by systemd's own tool, and as the schedulers read their fields.

units_test.py COORD        checks them
units_test.py --self-test  checks that every check can fail
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from self_testing import main_of  # noqa: E402

try:
    import yaml
except ImportError:  # the package python3-yaml
    yaml = None

# What a shell, systemd, YAML or Kubernetes could take for something else.
ODD = "a b'c\"d\\e%n$HOME;$(X)$$f #g\u2028\u00e9"
HOSTS = ["main", "gpu", "store"]
MOVES = ["gpu"]


def plan():
    wait = {"type": "wait", "params": {"time": "0s"}}
    return {
        "name": "people",
        "cluster": {"log": "nats://n1,n2", "moves": MOVES},
        "source": {"type": "lines", "params": {"path": "in.txt"}},
        "stages": [{"name": "Draw", **wait}, {"name": "Find", "host": "gpu", **wait}],
        "sink": {"type": "discard", "host": "store"},
    }


# How systemd reads a line of ExecStart= in which every word but plain ones is quoted (systemd.service(5), "Command
# lines"): first C escapes, then %-specifiers, then variables, which the program itself may not have.
def words_of(line):
    words = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', line):
        raw = re.sub(r"\\(x[0-9a-f]{2}|.)", lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" else m[1], quoted or plain)
        if re.search(r"(?<!%)(%%)*%(?!%)", raw):
            raise ValueError(f"a specifier in {raw}")
        raw = raw.replace("%%", "%")
        if words and re.search(r"(?<!\$)(\$\$)*\$(?!\$)", raw):
            raise ValueError(f"a variable in {raw}")
        words.append(raw.replace("$$", "$") if words else raw)
    return words


def setting(text, name):
    found = re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)
    return found[0] if len(found) == 1 else None


def complaints(text):
    """What systemd-analyze says about a unit; nothing where it is not installed."""
    if shutil.which("systemd-analyze") is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "part.service"
        file.write_text(text)
        done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
        ours = [line for line in done.stderr.splitlines() if "part.service" in line]
        return "\n".join(ours) or (done.stderr if done.returncode != 0 else "")


def fault_of_service(text, command, folder):
    said = complaints(text)
    if said:
        return f"systemd-analyze says: {said}"
    try:
        words = words_of(setting(text, "ExecStart") or "")
    except ValueError as error:
        return str(error)
    if words != command:
        return f"it runs {words}, expected {command}"
    if (setting(text, "WorkingDirectory") or "").replace("%%", "%") != folder:
        return "it runs in another folder"
    if setting(text, "Restart") != "on-failure" or setting(text, "SuccessExitStatus") != "75":
        return "it is not restarted on failure, or after a pause"
    return None


def fault_of_job(job, host, command):
    """Of the fields of batch/v1 Job that it has: their types and where they stand."""
    try:
        template = job["spec"]["template"]["spec"]
        container = template["containers"][0]
        if (job["apiVersion"], job["kind"], job["metadata"]["name"]) != ("batch/v1", "Job", f"people-{host}"):
            return "no Job of its name"
        if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", job["metadata"]["name"]):
            return "a name that Kubernetes refuses"
        if template["restartPolicy"] != "OnFailure" or not 1000 < job["spec"]["backoffLimit"] < 2**31:
            return "it is not restarted on failure"
        if [re.sub(r"\$\$", "$", word) for word in container["command"]] != command:
            return f"it runs {container['command']}, expected {command}"
        if any(re.search(r"(?<!\$)(\$\$)*\$\(", word) for word in container["command"]):
            return "a variable in its command"
        if template.get("nodeSelector") != (None if host in MOVES else {"pystream/host": host}):
            return "it is bound to another node, or not bound"
        volumes = {volume["name"] for volume in template["volumes"]}
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        if volumes != {"plan"} or mounted != {"plan": "/etc/pystream"} or not isinstance(container["image"], str):
            return "no plan in it"
    except (KeyError, TypeError, IndexError) as error:
        return f"no field {error}"
    return None


def fault_of_nomad(document, commands):
    """Of the JSON form of a job, as its HTTP API has it: times are in nanoseconds."""
    try:
        job = document["Job"]
        if (job["ID"], job["Type"]) != ("people", "batch") or len(job["TaskGroups"]) != len(commands):
            return "not a group for each part"
        for group, (host, command) in zip(job["TaskGroups"], commands.items()):
            task = group["Tasks"][0]
            if group["Name"] != host or [task["Config"]["command"], *task["Config"]["args"]] != command:
                return f"{host} runs {task['Config']}, expected {command}"
            if group["RestartPolicy"]["Mode"] != "delay" or group["RestartPolicy"]["Delay"] != 10**9:
                return f"{host} is not restarted"
            if ("Constraints" in group) == (host in MOVES):
                return f"{host} is bound to another node, or not bound"
    except (KeyError, TypeError, IndexError) as error:
        return f"no field {error}"
    return None


def graph(coord, file, unit_format, *options):
    command = [coord, "graph", file.name, "--format", unit_format, f"--input={ODD}", *options]
    done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr}")
    return done.stdout


def check(coord):
    coord = os.path.realpath(coord)
    faults = []
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(os.path.realpath(path)) / ODD
        folder.mkdir()
        file = folder / f"{ODD}.json"
        file.write_text(json.dumps(plan()))
        arguments = {host: ["--host", host, "--run", "1", f"--input={ODD}"] for host in HOSTS}
        here = {host: [coord, "run", str(file), *more] for host, more in arguments.items()}
        for host in HOSTS:
            faults.append(fault_of_service(graph(coord, file, "systemd", "--host", host), here[host], str(folder)))
        if graph(coord, file, "systemd").count("[Service]") != len(HOSTS):
            faults.append("not a unit for each part")
        if yaml is not None:
            jobs = list(yaml.safe_load_all(graph(coord, file, "k8s")))
            if len(jobs) != len(HOSTS):
                faults.append("not a Job for each part")
            for host, job in zip(HOSTS, jobs):
                command = ["pystream-coord", "run", "/etc/pystream/plan.json", *arguments[host]]
                faults.append(fault_of_job(job, host, command))
        faults.append(fault_of_nomad(json.loads(graph(coord, file, "nomad")), here))
    faults = [fault for fault in faults if fault]
    print("\n".join(faults))
    return bool(faults)


SERVICE = """[Service]
WorkingDirectory=/tmp
ExecStart="/bin/true" run "a%%b$$c\\"d"
Restart=on-failure
SuccessExitStatus=75
"""
COMMAND = ["/bin/true", "run", 'a%b$c"d']


def self_test():
    if fault_of_service(SERVICE, COMMAND, "/tmp"):
        return f"a good unit is refused: {fault_of_service(SERVICE, COMMAND, '/tmp')}"
    for old, new in [("%%", "%"), ("$$", "$"), ('\\"', '""'), ("on-failure", "no"), ("=75", "=0"), ("/tmp", "/"), ("run", "ran")]:
        if not fault_of_service(SERVICE.replace(old, new), COMMAND, "/tmp"):
            return f"{new} for {old} in a unit is not noticed"
    if shutil.which("systemd-analyze") and not complaints(SERVICE + "TimeoutStopSec=xx\n"):
        return "what systemd-analyze says is not noticed"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "people-main"},
        "spec": {
            "backoffLimit": 2000,
            "template": {
                "spec": {
                    "restartPolicy": "OnFailure",
                    "nodeSelector": {"pystream/host": "main"},
                    "containers": [
                        {"image": "x", "command": ["a", "$$(b)"], "volumeMounts": [{"name": "plan", "mountPath": "/etc/pystream"}]}
                    ],
                    "volumes": [{"name": "plan"}],
                }
            },
        },
    }
    if fault_of_job(job, "main", ["a", "$(b)"]):
        return f"a good Job is refused: {fault_of_job(job, 'main', ['a', '$(b)'])}"
    text = json.dumps(job)
    for old, new in [("$$(b)", "$(b)"), ("OnFailure", "Never"), ("2000", "6"), ("batch/v1", "v1"), ("/host", "/x"), ("volumes", "x")]:
        if not fault_of_job(json.loads(text.replace(old, new)), "main", ["a", "$(b)"]):
            return f"{new} for {old} in a Job is not noticed"
    task = {"Config": {"command": "a", "args": ["b"]}}
    group = {"Name": "main", "Constraints": [], "RestartPolicy": {"Mode": "delay", "Delay": 10**9}, "Tasks": [task]}
    text = json.dumps({"Job": {"ID": "people", "Type": "batch", "TaskGroups": [group]}})
    if fault_of_nomad(json.loads(text), {"main": ["a", "b"]}):
        return "a good job of Nomad is refused"
    for old, new in [('"b"', '"c"'), ("delay", "fail"), ("batch", "service"), ("Constraints", "X"), ("main", "gpu")]:
        if not fault_of_nomad(json.loads(text.replace(old, new)), {"main": ["a", "b"]}):
            return f"{new} for {old} in a job of Nomad is not noticed"
    return None


if __name__ == "__main__":
    sys.exit(main_of(__doc__, self_test, check, 1, 1))
