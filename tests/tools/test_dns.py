"""The cluster's name server: what names mean."""

import pytest

from tools.cluster.dns import Zone

ENDPOINTS = {
    "subsets": [
        {
            "addresses": [{"ip": "10.88.0.2", "hostname": "web-0"}, {"ip": "10.88.0.3"}],
            "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
        }
    ]
}
ZONE = Zone(
    services={
        "a/web": {"metadata": {"namespace": "a", "name": "web"}, "spec": {"clusterIP": "None"}},
        "a/address": {"metadata": {"namespace": "a", "name": "address"}, "spec": {"clusterIP": "10.96.0.7"}},
        "a/empty": {"metadata": {"namespace": "a", "name": "empty"}, "spec": {"clusterIP": "None"}},
        "b/web": {"metadata": {"namespace": "b", "name": "web"}, "spec": {"externalName": "web.a.svc.cluster.local"}},
    },
    endpoints={"a/web": ENDPOINTS},
)


@pytest.mark.parametrize(
    ("name", "records"),
    [
        pytest.param("address.a.svc.cluster.local", [("A", "10.96.0.7")], id="a_service_is_its_address"),
        pytest.param(
            "web.a.svc.cluster.local", [("A", "10.88.0.2"), ("A", "10.88.0.3")], id="a_headless_service_is_its_pods"
        ),
        pytest.param("web-0.web.a.svc.cluster.local", [("A", "10.88.0.2")], id="a_pod_by_its_host_name"),
        pytest.param("10-88-0-3.web.a.svc.cluster.local", [("A", "10.88.0.3")], id="a_pod_without_one_by_its_address"),
        pytest.param(
            "_http._tcp.web.a.svc.cluster.local",
            [("SRV", "8000 web-0.web.a.svc.cluster.local"), ("SRV", "8000 10-88-0-3.web.a.svc.cluster.local")],
            id="a_named_port_is_a_port_of_each_pod",
        ),
        pytest.param("web.b.svc.cluster.local", [("CNAME", "web.a.svc.cluster.local")], id="an_external_name"),
        pytest.param("web-1.web.a.svc.cluster.local", None, id="no_such_pod"),
        pytest.param("empty.a.svc.cluster.local", None, id="a_headless_service_without_pods"),
        pytest.param("web.c.svc.cluster.local", None, id="no_such_namespace"),
        pytest.param("a.svc.cluster.local", None, id="a_namespace_alone"),
        pytest.param("svc.cluster.local", None, id="the_domain_itself"),
        pytest.param("web.a.svc.cluster.local.a.svc.cluster.local", None, id="a_name_with_a_search_domain_added"),
        pytest.param("example.test", None, id="the_outside"),
    ],
)
def test_a_name_means(name: str, records: list[tuple[str, str]] | None) -> None:
    assert ZONE.find(name) == records
