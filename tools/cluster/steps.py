"""Every step of a long job is printed with its time; one that fails says why and where to look."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class StepFailed(Exception):
    """A step did not do what it is for; the message is meant for the person at the terminal."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title, run the body, print the seconds it took. Steps are not nested."""
    started = time.monotonic()
    print(f"  {title} …", end="", flush=True)
    try:
        yield
        print(f" {time.monotonic() - started:.1f} s", end="", flush=True)
    finally:
        print(flush=True)


def say(line: str) -> None:
    """Print one line at once, also into a pipe."""
    print(line, flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program to its end and return its output (nothing if that goes to `log`).

    Raises StepFailed with the command, its exit code and its last lines.
    """
    command = [str(word) for word in argv]
    if log:
        return _run_logged(command, log, env, cwd)
    done = subprocess.run(command, input=stdin, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailed(
            f"{' '.join(command[:6])} ended with {done.returncode}:\n{last_lines(done.stderr or done.stdout)}"
        )
    return done.stdout


def _run_logged(command: list[str], log: Path, env: Mapping[str, str] | None, cwd: Path | None) -> str:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd)
    code = _wait_with_signs_of_life(process, log)
    if code:
        raise StepFailed(f"{' '.join(command[:6])} ended with {code}; {log} ends with:\n{last_lines(log.read_text())}")
    return ""


def _wait_with_signs_of_life(process: "subprocess.Popen[bytes]", log: Path, every: float = 15) -> int:
    started = time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=every)
            except subprocess.TimeoutExpired:
                newest = (log.read_text(errors="replace").strip().splitlines() or [""])[-1].strip()
                print(f"\n    {time.monotonic() - started:4.0f} s  {newest[:100]}", end="", flush=True)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def wait_until(what: str, check: Callable[[], object], timeout: float, log: Path | None = None) -> None:
    """Call `check` until it returns something true.

    Raises StepFailed after `timeout` seconds, with what `check` last complained of and the end of `log`.
    """
    deadline = time.monotonic() + timeout
    complaint: object = ""
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except (OSError, StepFailed, ValueError) as error:
            complaint = error
        time.sleep(0.2)
    tail = f"\n{log} ends with:\n{last_lines(log.read_text(errors='replace'))}" if log and log.exists() else ""
    raise StepFailed(f"{what} did not happen within {timeout:.0f} s. {complaint}{tail}")


def last_lines(text: str, count: int = 12) -> str:
    """Cut out the end of a log, indented."""
    return "\n".join(f"      {line[:300]}" for line in text.strip().splitlines()[-count:])


def main(job: Callable[[], None]) -> None:
    """Run the job of a program; a failed step becomes one clear message and exit code 1."""
    try:
        job()
    except StepFailed as error:
        sys.exit(f"\nFailed: {error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
