"""Names to factories: the registries from which methods are composed."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from vtrans.errors import refusal, unknown

Part = TypeVar("Part")
Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry(Generic[Part]):
    """One registered part: its name, factory, one-line description, reference and preset options."""

    kind: str
    name: str
    factory: Callable[..., Part]
    description: str
    reference: str
    preset: Mapping[str, Any] = field(default_factory=dict)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Every option that has a default, with the entry's own presets applied."""
        signature = inspect.signature(self.factory)
        options = {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if parameter.default is not parameter.empty
        }
        return MappingProxyType({**options, **self.preset})

    def check(self, options: Iterable[str]) -> None:
        """Refuses options that the factory does not take.

        Raises:
            ValueError: The factory takes no option of that name.
        """
        parameters = inspect.signature(self.factory).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return
        taken = [name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        for option in options:
            if option not in taken:
                known = [name for name in taken if name in self.defaults]
                raise ValueError(unknown(f"option of {self.kind} {self.name!r}:", option, known))

    def create(self, **options: Any) -> Part:
        """Builds the part; an option that the factory does not take is refused by name."""
        self.check(options)
        return self.factory(**{**self.preset, **options})


class Registry(Generic[Part]):
    """A mapping of names to factories of one kind of part.

    Args:
        kind: What the entries are, in the singular; used in messages.
        plural: The plural, if it is not the singular with an s.
        where: The name under which users import it, for the advice to add a part; ``vtrans.`` and the plural, if it is
            not given.

    Raises:
        ValueError: On a duplicate or malformed name, or a preset that the factory does not take; a failed registration
            changes nothing.
        TypeError: On a factory that cannot be called or whose arguments cannot be read.
        KeyError: Never; an unknown name raises ``ValueError`` with the list and the nearest match.

    Example:
        >>> shapes = Registry("shape")
        >>> @shapes.register("square", description="Four equal sides.")
        ... class Square:
        ...     def __init__(self, side: float = 1.0):
        ...         self.side = side
        >>> shapes.create("square", side=2.0).side
        2.0
        >>> dict(shapes["square"].defaults)
        {'side': 1.0}
    """

    def __init__(self, kind: str, plural: str = "", *, where: str = "") -> None:
        self.kind = kind
        self.plural = plural or f"{kind}s"
        self.where = where or f"vtrans.{self.plural}"
        self._entries: dict[str, Entry[Part]] = {}

    def add(
        self,
        name: str,
        factory: Callable[..., Part],
        *,
        description: str = "",
        reference: str = "",
        **preset: Any,
    ) -> Entry[Part]:
        """Adds a factory under a name.

        Args:
            name: Lower-case words joined by underscores.
            factory: A class or function that makes the part from keyword arguments.
            description: One line; by default the first line of the factory's docstring.
            reference: Paper or source.
            preset: Options that this name fixes to other defaults than the factory's.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(refusal(f"{self.kind} name", allowed="an identifier such as 'my_part'", got=repr(name)))
        if not callable(factory):
            raise TypeError(refusal(f"factory of {self.kind} {name!r}", allowed="a class or function", got=factory))
        if name in self._entries:
            raise ValueError(
                f"The {self.kind} {name!r} is registered already, by {_origin(self._entries[name].factory)}. "
                f"Choose another name, or remove it first with .remove({name!r})."
            )
        try:
            inspect.signature(factory)
        except (TypeError, ValueError) as error:
            raise TypeError(
                refusal(
                    f"factory of {self.kind} {name!r}",
                    allowed="a class or function whose arguments can be read",
                    got=repr(factory),
                    fix="Wrap it in a function that names its arguments",
                )
            ) from error
        line = description or (inspect.getdoc(factory) or "").partition("\n")[0]
        entry = Entry(self.kind, name, factory, line, reference, MappingProxyType(preset))
        entry.check(preset)
        self._entries[name] = entry
        return entry

    def register(
        self, name: str, *, description: str = "", reference: str = "", **preset: Any
    ) -> Callable[[Factory], Factory]:
        """The decorator form of :meth:`add`; returns the class or function unchanged."""

        def decorate(factory: Factory) -> Factory:
            self.add(name, factory, description=description, reference=reference, **preset)
            return factory

        return decorate

    def remove(self, name: str) -> None:
        """Removes an entry, so that its name can be used again."""
        del self._entries[self[name].name]

    def create(self, name: str, /, **options: Any) -> Part:
        """Builds the part of that name with the given options."""
        return self[name].create(**options)

    def resolve(self, argument: str, value: object) -> Part:
        """The part that a name, a ``(name, options)`` pair or the part itself (anything callable) stands for."""
        if isinstance(value, str):
            return self.create(value)
        if isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[1], Mapping):
            return self.create(value[0], **check_options(argument, value[1]))
        if isinstance(value, type):
            raise TypeError(
                refusal(argument, allowed=f"a {self.kind}", got=f"the class {value.__name__}", fix="Pass an instance")
            )
        if callable(value):
            return cast(Part, value)
        raise TypeError(
            refusal(argument, allowed=f"the name of a {self.kind}, or a (name, options) pair", got=repr(value))
        )

    def name_of(self, factory: object) -> str | None:
        """The first name under which this factory is registered, one without presets before others; else None."""
        entries = [entry for entry in self._entries.values() if entry.factory is factory]
        return min(entries, key=lambda entry: len(entry.preset) > 0).name if entries else None

    def __getitem__(self, name: str) -> Entry[Part]:
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise ValueError(unknown(self.kind, name, self._entries, fix=self._how_to_add())) from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        width = max((len(name) for name in self), default=0)
        lines = [f"{entry.name:<{width}}  {entry.description}" for entry in self._entries.values()]
        return "\n".join([f"{self.kind} registry, {len(self)} entries", *lines])

    def _how_to_add(self) -> str:
        return f"Add your own with @{self.where}.register(...)."


def check_options(argument: str, options: Mapping[Any, Any]) -> dict[str, Any]:
    """The options, after a check that each is named by a string."""
    for name in options:
        if not isinstance(name, str):
            raise TypeError(refusal(f"options of {argument}", allowed="names (strings)", got=repr(name)))
    return dict(options)


def _origin(factory: object) -> str:
    return f"{getattr(factory, '__module__', '?')}.{getattr(factory, '__qualname__', factory)}"


generators: Registry[Any] = Registry("generator")
discriminators: Registry[Any] = Registry("discriminator")
predictors: Registry[Any] = Registry("predictor")
networks: Registry[Any] = Registry("network")
"""Networks of any other role: encoders, decoders, flow networks."""
losses: Registry[Any] = Registry("loss", "losses")
recipes: Registry[Any] = Registry("recipe")
distances: Registry[Any] = Registry("distance")
criteria: Registry[Any] = Registry("criterion", "criteria")
