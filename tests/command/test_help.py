"""Help, completion, and what they cost."""

import argparse
import shlex
import shutil
import subprocess
import sys

import pytest

from d2ace.pipeline.cli import main
from d2ace.pipeline.command.arguments import make_parser
from d2ace.pipeline.command.completion import configuration_keys
from d2ace.pipeline.command.examples import EXAMPLES
from d2ace.pipeline.common.config.config import Config

PARSER = make_parser()
(VERBS,) = (action.choices for action in PARSER._actions if isinstance(action, argparse._SubParsersAction))


def test_every_verb_has_examples():
    assert set(EXAMPLES) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_ends_with_examples_that_the_parser_takes(verb, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    shown = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
    assert shown[::2] == [f"  {command}" for command, _ in EXAMPLES[verb]]
    for command, _ in EXAMPLES[verb]:
        words = shlex.split(command.removeprefix('eval "$(').partition(')"')[0].partition(" > ")[0])
        assert words[:2] == ["d2ace", verb]
        options = PARSER.parse_args(words[1:])
        if getattr(options, "overrides", None):
            Config.make({"data": {"path": "somewhere"}}).with_overrides(options.overrides)
        if verb == "submit" and options.command:
            PARSER.parse_args(options.command)


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom d2ace.pipeline.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'pydantic', 'torch', 'ray', 'pandas', 'shtab') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_keys_of_the_configuration_are_known_to_the_completion():
    keys = configuration_keys(Config)
    assert {"train.epochs", "selector.entries.policy", "train.distillation.weight", "selector.options"} <= set(keys)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["d2ace", "tr"], {"train"}),
        (["d2ace", "comp"], {"compare", "completion"}),
        (["d2ace", "evaluate", "--sp"], {"--split"}),
        (["d2ace", "evaluate", "--split", "te"], {"test"}),
        (["d2ace", "train", "config.yaml", "train.ep"], {"train.epochs=", "nospace"}),
        (["d2ace", "show", "ru"], {"runs"}),
    ],
)
def test_bash_completes(capsys, tmp_path, words, wanted):
    (tmp_path / "runs").mkdir()
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    line = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE={shlex.quote(' '.join(words))}"
    told = 'compopt() { [[ $2 != nospace ]] || echo "$2"; }'
    code = f"{told}\n{script}\n{line}\n_d2ace\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "--norc", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert set(done.stdout.split()) == wanted, done.stderr


def test_zsh_takes_the_script(capsys):
    assert main(["completion", "zsh"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#compdef d2ace") and "train.epochs=" in script
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed: only what the script says was looked at")
    done = subprocess.run(["zsh", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
