"""Every call that can wait is in ``waits.txt``, with what ends it; a new one has to say it there.

A line: file, function, call, and behind a bar the limit or the reason why it ends. Several equal calls of a function
are one line. The list holds calls of Ray, threads, locks, processes, sockets and other ranks; loops over own work wait
for nobody.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("waits.txt")

_WHOLE = {
    *("ray.get", "ray.wait", "ray.init", "ray.shutdown", "time.sleep", "fcntl.flock", "asyncio.wait", "asyncio.run"),
    *("trainer.fit", "tuner.fit", "ray.train.report", "ray.train.get_preemption_info"),
    *("requests.get", "requests.post", "socket.create_connection", "urllib.request.urlopen", "as_completed"),
    *("subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output"),
}
_COLLECTIVE = "dist."
_ALWAYS = {"wait", "wait_for", "result", "acquire", "recv", "communicate", "ready", "barrier"}
_WITHOUT_VALUE = {"join", "get", "put", "shutdown"}
"""Also methods of texts and mappings: with an argument that is no time they do not wait."""


_MAYBE = re.compile(
    r"\.(wait|wait_for|result|acquire|recv|communicate|ready|barrier|join|get|put|shutdown)\((\)|timeout|block)"
    r"|\.(wait|wait_for|result|acquire|recv|communicate)\(|ray\.|dist\.|sleep|flock|pool|threads|requests|"
    r"subprocess|asyncio|socket|trainer|tuner"
)
"""What the text of a file has that waits: others need not be parsed."""


def waits(tree: ast.AST, where: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the function (with its classes) and the call of everything that can wait."""
    for node in ast.iter_child_nodes(tree):
        inside = where
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = (*where, node.name)
        if isinstance(node, ast.Call) and (call := _waiting(node)):
            yield ".".join(where) or "-", call
        yield from waits(node, inside)


def _waiting(call: ast.Call) -> str | None:
    """Return the words of a call that can wait, None for others."""
    if not isinstance(call.func, ast.Attribute | ast.Name):
        return None
    words = ast.unparse(call.func)
    if words in _WHOLE or words == "sleep":
        return words
    if words.startswith(_COLLECTIVE) and words[len(_COLLECTIVE) :].startswith(
        ("all_", "barrier", "monitored_", "broadcast", "gather", "scatter", "reduce", "send", "recv", "init_process")
    ):
        return words
    if not isinstance(call.func, ast.Attribute):
        return None
    name = call.func.attr
    only_time = not call.args and all(word.arg in ("timeout", "block", "wait") for word in call.keywords)
    if name in _ALWAYS or (name in _WITHOUT_VALUE and only_time):
        return f".{name}"
    if name == "map" and ("pool" in words or "threads" in words):
        return ".map of a pool"
    return None


def found() -> set[str]:
    """Return the waits of all rooms, in the words of the list."""
    lines = set()
    for house in ("pipeline", "selectors", "tune_spaces"):
        for path in sorted((ROOT / house).rglob("*.py")):
            text = path.read_text()
            for function, call in waits(ast.parse(text)) if _MAYBE.search(text) else ():
                lines.add(f"{path.relative_to(ROOT).as_posix()} {function} {call}")
    return lines


def kept() -> dict[str, str]:
    """Return the list: reasons by wait."""
    lines = [line for line in KEPT.read_text().splitlines() if line and not line.startswith("#")]
    return dict(tuple(part.strip() for part in line.split("|", 1)) for line in lines)  # type: ignore[misc]


def test_every_wait_is_listed_with_what_ends_it():
    new, gone = found() - kept().keys(), kept().keys() - found()
    assert not new, f"say in {KEPT.name} what ends these waits, and give each that has no end a limit:\n" + "\n".join(
        sorted(new)
    )
    assert not gone, f"take these out of {KEPT.name}, the code has them no more:\n" + "\n".join(sorted(gone))


def test_reasons_say_something():
    assert [wait for wait, reason in kept().items() if len(reason.split()) < 3] == []


def test_waits_of_all_kinds_are_found_and_nothing_else():
    code = """
class A:
    def f(self):
        ray.get(x, timeout=3); thread.join(); ", ".join(names); values.get("x"); queue.get(timeout=1); d.get()
        with lock: lock.acquire()
    async def g(self): await asyncio.wait(tasks)
dist.all_reduce(t); dist.is_initialized(); pool.map(work, items); sum(map(work, items)); future.result()
"""
    expected = [
        *[("A.f", call) for call in ("ray.get", ".join", ".get", ".get", ".acquire")],
        ("A.g", "asyncio.wait"),
        *[("-", call) for call in ("dist.all_reduce", ".map of a pool", ".result")],
    ]
    assert list(waits(ast.parse(code))) == expected
