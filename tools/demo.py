"""`make demo`: from nothing to a rotated secret in a pod, on a real Kubernetes. Every chapter says what it does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.cluster.objects import Namespace, Object, condition
from tools.cluster.steps import StepFailed, main, say, step, wait_until
from tools.cluster.target import PROJECT, provide
from tools.images import build
from tools.install import Server, install

QUICKSTART = "quickstart"  # the namespace and folder of the example


@dataclass
class Story:
    """The chapters told so far, with their seconds."""

    chapters: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Print the title, run the body, remember the time."""
        say(f"\n{len(self.chapters) + 1}. {title}")
        started = time.monotonic()
        yield
        self.chapters.append((title, time.monotonic() - started))

    def summary(self) -> str:
        """Tell every chapter with its seconds."""
        total = sum(seconds for _, seconds in self.chapters)
        return "\n".join(f"{seconds:7.1f} s  {title}" for title, seconds in [*self.chapters, ("in all", total)])


def demo() -> None:
    """Run the chapters in order."""
    story = Story()
    with story.chapter("A Kubernetes cluster"):
        cluster = provide()
        say(f"  {cluster.name}; kubectl and helm reach it with KUBECONFIG={cluster.kubeconfig}")
    with story.chapter("Images from the Dockerfile"):
        images = build(cluster)
    with story.chapter("helm install charts/strongroom"):
        install(cluster, images)
    quickstart = Namespace(QUICKSTART, cluster)
    with story.chapter("kubectl apply -f examples/quickstart"):
        say(indented(cluster.kubectl("apply", "-f", str(PROJECT / "examples" / QUICKSTART))))
    with story.chapter("The server starts, is initialised and unsealed; the policies arrive in it"):
        wait_for_server(quickstart)
    with story.chapter("A secret is written with the command line"):
        write(quickstart, "first")
    with story.chapter("The application sees it"):
        pod = wait_for_application(quickstart)
        say(indented(see(quickstart, pod, "first", 60)))
    with story.chapter("The secret changes, and the file with it"):
        write(quickstart, "second")
        say(indented(see(quickstart, pod, "second", 90)))
    with story.chapter("A Job reads the secret and ends"):
        say(indented(run_job(quickstart)))
    say(f"\nDone.\n{story.summary()}\n")
    if cluster.name == "local":
        say("The cluster stays: `make cluster-down` ends it.")


def wait_for_server(quickstart: Namespace) -> None:
    """Wait for the cluster's and the policies' conditions, in the order in which they come true."""
    for kind in ("Initialized", "Unsealed", "Available"):
        with step(kind):
            found = quickstart.until_condition("vaultcluster/vault", kind, 180)
    say(f"  {condition(found, 'Available', 'message') or 'available'}")
    for policy in ("app", "editor"):
        with step(f"SecretPolicy {policy}"):
            quickstart.until_condition(f"secretpolicy/{policy}", "Ready", 60)


def write(quickstart: Namespace, password: str) -> None:
    """Write the secret as the service account `editor`, whose SecretPolicy allows it."""
    with (
        Server.reach(quickstart, "vault", "editor") as server,
        step(f"strongroom kv put secret/app password={password}"),
    ):
        server.cli("kv", "put", "secret/app", f"password={password}")


def wait_for_application(quickstart: Namespace) -> str:
    """Wait until the Deployment's newest pod runs; return its name."""
    with step("the pod is ready"):
        quickstart.until("deployment/app", _is_rolled_out, 180)
    pods = quickstart.find("pods", "app=app")
    newest: Object = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))["metadata"]
    return str(newest["name"])


def see(quickstart: Namespace, pod: str, expected: str, timeout: float) -> str:
    """Read the file in the application's container until it holds the expected text."""
    file = "/vault/secrets/app"
    seen = ""

    def look() -> bool:
        nonlocal seen
        seen = quickstart.kubectl("exec", pod, "--container", "app", "--", "cat", file)
        return expected in seen

    with step(f"{file} in the container holds {expected!r}"):
        try:
            wait_until(f"A file {file} with {expected!r} in pod {pod}", look, timeout)
        except StepFailed as error:
            raise StepFailed(f"{error}\n{quickstart.trouble(f'pod/{pod}', quickstart.get(f'pod/{pod}'))}") from error
    return seen


def run_job(quickstart: Namespace) -> str:
    """Run the example's Job to its end; return what it printed."""
    quickstart.kubectl("delete", "job", "report", "--ignore-not-found")
    with step("Job report is complete"):
        quickstart.kubectl("apply", "-f", str(PROJECT / "examples" / "job.yaml"))
        quickstart.until_condition("job/report", "Complete", 120)
    return quickstart.kubectl("logs", "job/report", "--container", "report")


def indented(text: str) -> str:
    """Set a program's output apart."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def _is_rolled_out(deployment: Object) -> bool:
    status = deployment["status"]
    done = (status.get("updatedReplicas"), status.get("readyReplicas"), status.get("replicas"))
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and done == (1, 1, 1)


if __name__ == "__main__":
    main(demo)
