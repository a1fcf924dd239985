"""One kind of table for everything that is chosen by name."""

import pytest

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.registry import Registry, settings_of


class Animal:
    def __init__(self, where, *, legs=4, **more):
        pass


class Bird(Animal):
    def __init__(self, where, *, legs=2, wings=2, **more):
        super().__init__(where, legs=legs, **more)


def hum(where, *, loud=1.0):
    pass


HERE = __name__
OUTSIDE = Registry("animal", {"bird": f"{HERE}:Bird"}, "", Animal)


def test_names_and_places_outside_are_found():
    assert OUTSIDE.names() == ["bird"]
    assert OUTSIDE.find("bird") is Bird
    assert OUTSIDE.find(f"{HERE}:Animal") is Animal


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("brid", "no animal is called 'brid'; did you mean 'bird'"),
        ("nowhere.at_all:Bird", "the animal 'nowhere.at_all:Bird' cannot be imported"),
        (f"{HERE}:Fish", "cannot be imported"),
        ("collections:OrderedDict", r"is no animal: expected a subclass of .*Animal"),
        (f"{HERE}:hum", "is no animal: expected a subclass"),
    ],
)
def test_what_is_not_there_is_told(name, message):
    with pytest.raises(SelectionError, match=message):
        OUTSIDE.find(name)


def test_settings_are_those_of_the_bases_too_and_the_own_defaults_count():
    assert {key: p.default for key, p in settings_of(Bird, ("where",)).items()} == {"legs": 2, "wings": 2}
    assert list(settings_of(hum, ("where",))) == ["loud"]


def test_an_unknown_setting_gets_a_suggestion():
    with pytest.raises(SelectionError, match="animal 'bird' has no setting 'leg'; did you mean 'legs'"):
        OUTSIDE.check_settings("bird", {"leg": 3}, settings_of(Bird, ("where",)))
