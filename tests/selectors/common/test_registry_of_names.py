"""One kind of table for everything that is chosen by name."""

import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from d2ace.selectors.common import places
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.registry import Registry, settings_of

ROOT = Path(__file__).resolve().parents[3]


class Animal:
    def __init__(self, where, *, legs=4, **more):
        pass


class Bird(Animal):
    def __init__(self, where, *, legs=2, wings=2, **more):
        super().__init__(where, legs=legs, **more)


class Unborn(Animal, ABC):
    @abstractmethod
    def live(self): ...


def hum(where, *, loud=1.0):
    pass


HERE = __name__
OUTSIDE = Registry("animal", {"bird": f"{HERE}:Bird"}, "", Animal, group="zoo.animals")
SOUNDS = Registry("sound", {}, "")


@pytest.fixture(autouse=True)
def _nothing_is_remembered():
    places.offered.cache_clear()
    yield
    places.offered.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that Python imports from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(folder, package, points):
    """Lay down what installing a package with entry points leaves behind."""
    information = folder / f"{package}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {place}" for name, place in points.items()]
    (information / "entry_points.txt").write_text("\n".join(["[zoo.animals]", *lines]) + "\n")


def test_names_and_places_outside_are_found():
    assert OUTSIDE.names() == ["bird"]
    assert OUTSIDE.find("bird") is Bird
    assert OUTSIDE.find(f"{HERE}:Animal") is Animal
    assert SOUNDS.find(f"{HERE}:hum") is hum


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("brid", "no animal is called 'brid'; did you mean 'bird'"),
        ("zoo.Bird", "no animal is called 'zoo.Bird'; one of your own is named package.module:Class"),
        ("nowhere.at_all:Bird", "there is no module nowhere; install it, or name its folder in PYTHONPATH"),
        ("d2ace.selectors.uniformm:Bird", "there is no module .*uniformm; did you mean 'd2ace.selectors.uniform'"),
        (f"{HERE}x:Bird", f"there is no module {HERE}x; did you mean '{HERE}'"),
        ("zoo/animals.py:Bird", "give a module, not a file"),
        (f"{HERE}:Brid", f"module {HERE} has no 'Brid'; did you mean 'Bird'"),
        (f"{HERE}:", "expected package.module:Class"),
        ("collections:OrderedDict", r"is no animal: expected a subclass of .*Animal, got another class$"),
        (f"{HERE}:hum", "is no animal: expected a subclass .*, got function$"),
        ("small_zoo:WHERE", "got str; did you mean 'small_zoo:Bee'"),
        (f"{HERE}:Unborn", "is no animal: it lacks live"),
    ],
)
def test_what_is_not_there_is_told(folder, name, message):
    (folder / "small_zoo.py").write_text(f"import {HERE}\nWHERE = 'here'\nclass Bee({HERE}.Bird): ...\n")
    with pytest.raises(SelectionError, match=message):
        OUTSIDE.find(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nobody_has_this", "module broken needs module nobody_has_this, which is not installed"),
        ("1 / 0", "module broken cannot be imported: ZeroDivisionError: division by zero"),
        ("def", "module broken cannot be imported: SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(folder, monkeypatch, text, message):
    (folder / "broken.py").write_text(text)
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    with pytest.raises(SelectionError, match=message):
        OUTSIDE.find("broken:Bird")


def test_something_that_cannot_be_called_is_no_function():
    with pytest.raises(SelectionError, match="is no sound: expected a function, got str"):
        SOUNDS.find(f"{HERE}:HERE")


def test_installed_packages_add_names_that_are_not_imported_before_they_are_used(folder):
    install(folder, "aviary", {"parrot": "no_such_module:Parrot", "gull": f"{HERE}:Bird", "bird": f"{HERE}:Animal"})
    assert OUTSIDE.names() == ["bird", "gull", "parrot"] and len(OUTSIDE) == 3
    assert OUTSIDE.find("gull") is OUTSIDE.find("bird") is Bird  # a name of the table stays what it is
    OUTSIDE.require("parrot")
    with pytest.raises(SelectionError, match="the animal 'parrot' cannot be used: there is no module no_such_module"):
        OUTSIDE.find("parrot")
    with pytest.raises(SelectionError, match="did you mean 'gull'"):
        OUTSIDE.find("gul")


def test_a_name_that_two_packages_offer_is_refused(folder):
    install(folder, "aviary", {"gull": f"{HERE}:Bird"})
    install(folder, "shore", {"gull": f"{HERE}:Animal"})
    with pytest.raises(SelectionError, match=f"several packages offer it: {HERE}:Animal, {HERE}:Bird; give the one"):
        OUTSIDE.find("gull")


def test_all_that_is_chosen_by_name_can_come_from_packages():
    code = (
        "from d2ace.selectors import api; from d2ace.selectors.entries import api as entries\n"
        "from d2ace.tune_spaces import api as spaces; from d2ace.pipeline.models.known import NETWORKS, LOSSES\n"
        "import sys; print(*(r.group for r in (api.REGISTRY, entries.REGISTRY, spaces.REGISTRY, NETWORKS, LOSSES)))\n"
        "print([name for name in ('torch', 'ray', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    kinds = ("selectors", "entry_policies", "search_spaces", "networks", "losses")
    assert done.stdout.split("\n")[:2] == [" ".join(f"d2ace.{kind}" for kind in kinds), "[]"]


def test_settings_are_those_of_the_bases_too_and_the_own_defaults_count():
    assert {key: p.default for key, p in settings_of(Bird, ("where",)).items()} == {"legs": 2, "wings": 2}
    assert list(settings_of(hum, ("where",))) == ["loud"]


def test_an_unknown_setting_gets_a_suggestion():
    with pytest.raises(SelectionError, match="animal 'bird' has no setting 'leg'; did you mean 'legs'"):
        OUTSIDE.check_settings("bird", {"leg": 3}, settings_of(Bird, ("where",)))
