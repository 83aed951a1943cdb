"""What every other end-to-end test relies on: the cluster's own promises."""

import json
from typing import Any

import pytest

from tools.cluster.objects import Namespace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

AUDIENCE = "strongroom"


def stateful_set(image: str) -> list[dict[str, Any]]:
    """A pod with a claim, a token with an audience, memory, as the restricted security profile wants it."""
    container = {
        "name": "main",
        "image": image,
        "command": ["python3", "-m", "http.server", "8000", "--directory", "/data"],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "token", "mountPath": "/token"},
            {"name": "memory", "mountPath": "/memory"},
        ],
    }
    token = {"serviceAccountToken": {"audience": AUDIENCE, "path": "token", "expirationSeconds": 600}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    pod = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 100, "runAsGroup": 1000, "fsGroup": 1000},
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [
            {"name": "token", "projected": {"sources": [token]}},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
        ],
    }
    labels = {"app": "web"}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "web"},
            "spec": {
                "serviceName": "web",
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
            },
        },
        *(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": labels, "ports": [{"port": 8000}], **extra},
            }
            for name, extra in (("web", {"clusterIP": "None"}), ("address", {}))
        ),
    ]


PROGRAM = """
import base64, json, os, socket, urllib.request

def resolve(name):
    return sorted({found[4][0] for found in socket.getaddrinfo(name, 8000, socket.AF_INET)})

def reach(host, port):
    try:
        return bool(socket.create_connection((host, port), timeout=3))
    except OSError as error:
        return str(error)

with open("/data/file", "w") as file:
    file.write("kept")
payload = open("/token/token").read().split(".")[1]
print(json.dumps({
    "pod": resolve("web-0.web.NAMESPACE.svc.cluster.local"),
    "headless": resolve("web"),
    "service": resolve("address.NAMESPACE.svc"),
    "address": resolve(socket.gethostname()),
    "back to itself": urllib.request.urlopen("http://address:8000/file").read().decode(),
    "audience": json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"],
    "user": os.getuid(),
    "memory": [line.split()[2] for line in open("/proc/mounts") if line.split()[1] == "/memory"],
    "api": reach("kubernetes.default.svc", 443),
}))
"""


@pytest.fixture
def web(namespace: Namespace, images: dict[str, str]) -> Namespace:
    namespace.apply(*stateful_set(images["agent"]))
    namespace.until_condition("pod/web-0", "Ready")
    return namespace


def test_a_pod_has_storage_names_services_and_a_token_with_an_audience(web: Namespace) -> None:
    seen = json.loads(web.python("web-0", PROGRAM.replace("NAMESPACE", web.name)))
    pod = web.get("pod/web-0")["status"]["podIP"]
    assert seen == {
        "pod": [pod],
        "headless": [pod],
        "service": [web.get("service/address")["spec"]["clusterIP"]],
        "address": [pod],
        "back to itself": "kept",
        "audience": [AUDIENCE],
        "user": 100,
        "memory": ["tmpfs"],
        "api": True,
    }


def test_a_claim_is_bound_and_outlives_its_pod(web: Namespace) -> None:
    web.python("web-0", "open('/data/file', 'w').write('kept')")
    before = web.get("pod/web-0")["metadata"]["uid"]
    web.kubectl("delete", "pod", "web-0")
    web.until("pod/web-0", lambda found: found["metadata"]["uid"] != before)
    web.until_condition("pod/web-0", "Ready")
    assert web.python("web-0", "print(open('/data/file').read())").strip() == "kept"
    assert web.get("pvc/data-web-0")["status"]["phase"] == "Bound"


def test_a_name_that_does_not_exist_is_refused_at_once(web: Namespace) -> None:
    program = "import socket\ntry: socket.getaddrinfo('nobody.web', 80)\nexcept socket.gaierror as e: print(e.errno)"
    assert int(web.python("web-0", program)) < 0


def test_the_local_cluster_lets_nothing_out(web: Namespace) -> None:
    if web.cluster.name != "local":
        pytest.skip("a promise of the local cluster only")
    program = "import socket\ntry: socket.create_connection(('192.0.2.1', 443), 5)\nexcept OSError as e: print(e)"
    assert "refused" in web.python("web-0", program)
