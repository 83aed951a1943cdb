"""The pages of ``docs/guide`` as a story: their commands in one shell, what each must print."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "guide"
_FENCE = re.compile(r"^```(sh|output)\b *([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A block of commands. ``when`` is what stands behind "sh": "", "fails", "elsewhere", "strongroom", "if FILE"."""

    place: str
    when: str
    commands: str
    output: str

    def runs(self, client: str) -> bool:
        """Tell whether the block is for this client on this machine."""
        if self.when.startswith("if "):
            return Path(self.when.removeprefix("if ")).exists()
        return self.when in {"", "fails"} or self.when == client


def steps(names: Sequence[str]) -> list[Step]:
    """Return the blocks of pages in order; each takes the output block right below it."""
    return [step for name in names for step in _of_page(name, (FOLDER / name).read_text())]


def _of_page(name: str, text: str) -> Iterator[Step]:
    blocks = list(_FENCE.finditer(text))
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block[1] == "sh":
            expected = after[3] if after and after[1] == "output" and text[block.end() : after.start()] == "\n" else ""
            line = text.count("\n", 0, block.start()) + 1
            yield Step(f"{name}:{line}", block[2], block[3], expected)


def run(story: Sequence[Step], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Run the blocks in one shell; returns what went otherwise than the pages say, each with its place."""
    script = "".join(
        f"{{\n{step.commands}}} >{folder}/out.{number} 2>&1 </dev/null\necho $? >{folder}/status.{number}\n"
        for number, step in enumerate(story)
    )
    (folder / "story.sh").write_text(script)
    done = subprocess.run(
        ["bash", str(folder / "story.sh")], cwd=folder, env=dict(environment), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [text for number, step in enumerate(story) if (text := _difference(step, folder, number))]


def _difference(step: Step, folder: Path, number: int) -> str:
    output, status = (folder / f"out.{number}").read_text(), int((folder / f"status.{number}").read_text())
    fits = (status != 0) == (step.when == "fails") and matches(output, step.output)
    told = f"status {status}, printed:\n{output}\nwhere the page has:\n{step.output}"
    return "" if fits else f"{step.place}\n{step.commands}{told}"


def matches(output: str, pattern: str) -> bool:
    """Tell whether ``output`` is what the pattern says: "…" is anything in its line, alone any number of lines."""
    lines = pattern.rstrip("\n").split("\n") if pattern else []
    parts = [r"(?:.*\n)*" if line == "…" else re.escape(line.rstrip()).replace("…", ".*") + r" *\n" for line in lines]
    text = output if output.endswith("\n") or not output else output + "\n"
    return re.fullmatch("".join(parts), text) is not None
