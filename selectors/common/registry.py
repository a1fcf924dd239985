"""Names for what can be chosen in a configuration: methods, networks, losses, search spaces."""

import inspect
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import SelectionError, did_you_mean
from .places import PlaceError, imported, offered, suggestion


@dataclass(frozen=True)
class Registry(Mapping[str, str]):
    """A table "name -> place" whose places are imported on first use; wherever a name is asked for, a place will do.

    A place is ``module:attribute``. Those of the table begin with a dot and count from ``package``; one from outside
    is ``package.module:Class``, anything that Python can import. Installed packages add names of their own through
    entry points; a name of the table stays what it is.

    Attributes:
        what: what messages call an entry, for example "selection method".
        places: the table.
        package: what its places count from, ``__package__`` of the caller.
        base: class that every entry must derive from; None for functions.
        error: what is raised.
        group: of the entry points by which installed packages add to it; None for none.
    """

    what: str
    places: dict[str, str] = field(hash=False)
    package: str
    base: type | None = None
    error: type[Exception] = SelectionError
    group: str | None = None

    def __getitem__(self, name: str) -> str:
        return self.places[name] if name in self.places else self._added[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.places, **self._added})

    def __len__(self) -> int:
        return len(list(iter(self)))

    @property
    def _added(self) -> Mapping[str, str]:
        return {} if self.group is None else offered(self.group)

    def names(self) -> list[str]:
        """Return the names of the table and of installed packages, sorted; imports nothing."""
        return sorted(self)

    def require(self, name: str) -> None:
        """Raise ``error``, with "did you mean", for what is neither name nor place; imports nothing."""
        if name not in self and ":" not in name:
            own = "" if "." not in name else "; one of your own is named package.module:Class"
            raise self.error(f"no {self.what} is called {name!r}{own or did_you_mean(name, self)}")

    def find(self, name: str) -> Any:
        """Return the class or function of a name, or of a place outside.

        Raises:
            Exception: ``error``, with "did you mean" for an unknown name; also when a place cannot be imported, or
                does not hold what it should.
        """
        self.require(name)
        place = self.get(name, name)
        try:
            found = imported(place, self.package, self._fits)
        except PlaceError as error:
            raise self.error(f"the {self.what} {name!r} cannot be used: {error}") from None
        if not self._fits(found):
            known = "" if place.startswith(".") else suggestion(place, self._fits)
            raise self.error(f"{name!r} is no {self.what}: {self._expected(found)}{known}")
        return found

    def _fits(self, found: object) -> bool:
        if self.base is None:
            return callable(found)
        return inspect.isclass(found) and issubclass(found, self.base) and not inspect.isabstract(found)

    def _expected(self, found: Any) -> str:
        """Return why something does not fit: what was expected, and what was got."""
        if self.base is None:
            return f"expected a function, got {type(found).__name__}"
        if inspect.isclass(found) and issubclass(found, self.base):
            lacking = [key for key, value in inspect.getmembers(found) if getattr(value, "__isabstractmethod__", False)]
            return f"it lacks {', '.join(lacking)}"
        got = "another class" if inspect.isclass(found) else type(found).__name__
        return f"expected a subclass of {self.base.__module__}.{self.base.__qualname__}, got {got}"

    def check_settings(self, name: str, chosen: Iterable[str], known: Iterable[str]) -> None:
        """Raise ``error``, with "did you mean", when one of the chosen settings is not known."""
        settings = set(known)
        for key in chosen:
            if key not in settings:
                raise self.error(f"{self.what} {name!r} has no setting {key!r}{did_you_mean(key, settings)}")


def settings_of(factory: Callable[..., Any], common: Container[str]) -> dict[str, inspect.Parameter]:
    """Return the settings of a class or function, by name, with defaults and annotations.

    A constructor that passes ``**settings`` on has those of its base as well; its own defaults count.

    Args:
        factory: what is registered.
        common: parameters that everything of its kind has, which are left out.
    """
    found: dict[str, inspect.Parameter] = {}
    for parameters in _signatures(factory):
        found = {**parameters, **found}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return {key: p for key, p in found.items() if key not in common and p.kind is not p.VAR_KEYWORD}


def _signatures(factory: Callable[..., Any]) -> Iterator[dict[str, inspect.Parameter]]:
    """Yield the parameters of a function, or of a class's constructors from its own to its last base's."""
    if not inspect.isclass(factory):
        yield dict(inspect.signature(factory).parameters)
        return
    for cls in factory.__mro__:
        if cls is not object and "__init__" in vars(cls):
            parameters = dict(inspect.signature(vars(cls)["__init__"]).parameters)
            yield dict(list(parameters.items())[1:])  # without self
