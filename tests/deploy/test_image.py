"""The Dockerfile: pinned, without root, and made from nothing but what ``make wheel`` writes."""

import re

from pins import ROOT, pinned, python_tag, wheel_recipe

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
STEPS = [line for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def steps(word: str) -> list[str]:
    return [line.removeprefix(word).strip() for line in STEPS if line.startswith(f"{word} ")]


def test_it_starts_from_the_pinned_ray_and_python():
    images = set(re.findall(r"rayproject/ray:(\S+)", DOCKERFILE))
    assert images == {f"{pinned('ray')}-{python_tag()}-{kind}" for kind in ("cpu", "gpu")}
    assert steps("ARG")[0] == f"BASE=rayproject/ray:{pinned('ray')}-{python_tag()}-cpu"
    assert steps("FROM") == ["${BASE}"]


def test_it_copies_only_what_make_wheel_writes():
    [copied] = [step.split() for step in steps("COPY")]
    *files, _ = [word for word in copied if not word.startswith("--")]
    assert files == ["d2ace-*.whl", "constraints.txt"]
    assert "--wheel-dir dist" in wheel_recipe() and "cp constraints.txt dist/" in wheel_recipe()
    builds = re.findall(r"docker build(?:.*\\\n)*.*", DOCKERFILE)
    assert len(builds) == 2
    assert all(build.split()[-1] == "dist" for build in builds)


def test_it_installs_within_the_constraints():
    [run] = steps("RUN")
    wheel = r'"\$\(echo /tmp/d2ace/d2ace-\*\.whl\)\[vision\]"'  # pretrained networks, too
    assert re.search(rf"pip install --no-cache-dir -c /tmp/d2ace/constraints.txt {wheel}", run)


def test_it_does_not_end_as_root():
    assert steps("USER")[-1] == "ray"
    assert "sudo" not in DOCKERFILE


def test_no_variable_of_the_build_is_a_secret():
    names = [step.partition("=")[0] for step in steps("ARG") + steps("ENV")]
    assert names == ["BASE", "PIP_EXTRA_INDEX_URL"]
