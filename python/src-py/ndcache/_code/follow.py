"""What is examined of a function, of a class, and of a module that is used as a whole."""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Set as AbstractSet
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any

from . import annotated, captured, chains, origin
from .captured import Way
from .graph import CHANGED, MISSING, Graph, Part, body_digest, boxed, reach_of
from .reach import Chain, Reach

# Entries of a class that Python or the standard library keep for themselves.
_BOOKKEEPING = frozenset(
    "__module__ __dict__ __weakref__ __doc__ __qualname__ __firstlineno__ __static_attributes__ __annotations__ "
    "__annotate__ __annotate_func__ __annotations_cache__ __abstractmethods__ _abc_impl __parameters__ __orig_bases__ "
    "__slotnames__ __dataclass_fields__ __dataclass_params__ __type_params__ __is_protocol".split()
)
# Builtins that reach names by text.
_EVALUATE = frozenset({"globals", "eval", "exec"})
_LOOK_UPS = frozenset({"getattr", "hasattr", "vars", "attrgetter"})
_FINDERS = (importlib.import_module, builtins.__import__, pkgutil.resolve_name)
# A function reaches its own module by these: `sys.modules[__name__]`, `g.__globals__["h"]`.
_OWN_MODULE = frozenset({"__globals__", "f_globals"})
# Methods of pandas' frames that reach names by text, where the text has an "@".
_QUERIES = frozenset({"query", "eval"})
# What reads local names by text.
_READS_LOCALS = _QUERIES | {"locals", "vars", "exec", "format_map", "format"}
_ADDS = frozenset({"append", "appendleft", "extend", "extendleft", "add", "subtract"})
_BY_NAME = frozenset({"import_module", "__import__"})
# Methods that run where a class is made, and those of a metaclass that do.
_MAKES_CLASSES = frozenset({"__init_subclass__", "__set_name__"})
_OF_METACLASS = frozenset({"__new__", "__init__", "__prepare__"})
# Entries of a model that pydantic derives from its fields and methods; there are addresses in them.
_OF_PYDANTIC = "__pydantic_"
# What pydantic makes of the values of a model's fields.
_OF_FIELDS = ("default", "default_factory", "metadata", "alias", "validation_alias", "validate_default", "frozen", "discriminator")
#: What `field()` says beside a default, and what it is if nothing is said.
_FLAGS = ("init", "repr", "hash", "compare", "kw_only")
_USUAL = [True, True, None, True, False]
_OF_MEMBERS = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_"})
_METHODS = (FunctionType, staticmethod, classmethod, property, functools.cached_property)


def function(graph: Graph, value: FunctionType, part: Part, is_root: bool = False, body_counts: bool = True) -> None:
    """Examines a function: its body, what its names stand for, its defaults, and what it wraps.

    The defaults of the root are arguments of its calls.
    """
    code = value.__code__
    names, found = chains.Names(value), reach_of(code)
    graph.guard("func", value, code, value.__defaults__, value.__kwdefaults__)
    if body_counts:
        part.content.append(body_digest(code))
    graph.changes.append((value, found, names))
    # The methods that `dataclass` and `namedtuple` write.
    silent = code.co_filename == "<string>" and code.co_name.startswith("__")
    for chain in found.uses if graph.follow else _own_cells(found):
        part.content.append((_label(chain), chains.edge(graph, names, chain, part.name, silent)))
    if graph.follow:
        modules = _by_text(names, value, found)
        part.content += [graph.module_edge(module) for module in modules]
        only = None if found.names & (_EVALUATE | _OWN_MODULE | _BY_NAME) else _named_in_queries(code)
        part.content += [_data_of(graph, module, part.name, only) for module in modules]
        part.content += [_data_of(graph, module, part.name) for module in _looked_up(names, found)]
    for chain in _read_by_text(names, found) if graph.follow else ():
        part.content.append((_label(chain), chains.edge(graph, names, chain, part.name, silent)))
    for name in _unused_cells(found, value):
        part.content.append((name, chains.edge(graph, names, Chain("free", name), part.name, silent)))
    if is_root:
        graph.direct.add(id(value))
        _guard_keyword_defaults(graph, value)
    else:
        part.content.append(("defaults", defaults(graph, value, part.name, found)))
    if graph.follow:
        part.content.append(("attributes", _attributes(graph, value, part)))


def _attributes(graph: Graph, value: FunctionType, part: Part) -> Any:
    """Returns the edges to what was attached to a function, what it wraps among them."""
    entries = value.__dict__
    graph.guard("len", entries, len(entries))
    edges = []
    for name, item in sorted(entries.items(), key=lambda entry: entry[0]):
        slot = ("slot", entries, name)
        if not graph.is_skipped(slot):
            graph.guard_slot(slot, item)
            # It may be called elsewhere than here, as a method of a class may.
            graph.is_whole = True
            graph.entry_names.setdefault(id(item), name)
            edges.append((name, graph.capture(item, f"{part.name}.{name}", slot, part.name, silent=True)))
            graph.is_whole = False
    return edges


def _by_text(names: chains.Names, value: FunctionType, found: Reach) -> list[ModuleType]:
    """Returns the modules of the user that code may reach through texts: each counts as a whole."""
    modules = {}
    ends = {(chain.attributes or (chain.name,))[-1] for chain in found.uses if chain.kind != "free"}
    if ends & _EVALUATE or (found.names & _QUERIES and _named_in_queries(value.__code__)):
        modules[value.__globals__.get("__name__")] = None
    if found.names & _OWN_MODULE:
        modules[value.__globals__.get("__name__")] = None
    if ends & _BY_NAME or Chain("global", "sys", ("modules",)) in found.uses or _finds_modules(names, found):
        modules.update(dict.fromkeys(text.partition(":")[0] for text in _texts(value.__code__)))
        held = (chains.value_of(names, chain) for chain in found.uses)
        modules.update(dict.fromkeys(text for text in held if isinstance(text, str) and text.replace(".", "_").isidentifier()))
    named = [name for name in modules if isinstance(name, str) and name and origin.kind_of_name(name) == "user"]
    return [module for name in named if (module := _loaded(name)) is not None]


def _looked_up(names: chains.Names, found: Reach) -> list[ModuleType]:
    """Returns the modules of the user of which code looks up names by text: ``getattr(lib, name)``."""
    if not found.names & _LOOK_UPS:
        return []
    held = {id(item): item for chain in found.uses if isinstance(item := chains.value_of(names, chain), ModuleType)}
    return [module for module in held.values() if origin.kind_of_module(module) == "user"]


def _data_of(graph: Graph, module: ModuleType, reader: str, only: AbstractSet[str] | None = None) -> Any:
    """Returns the edges to the lists, dicts, arrays and objects of a module whose names code puts together, or to some."""
    entries, edges = vars(module), []
    for name, item in sorted(entries.items(), key=lambda entry: entry[0]):
        slot = ("slot", entries, name)
        if name.startswith("__") or graph.is_skipped(slot) or (only is not None and name not in only):
            continue
        if captured.way_of(item) in (Way.EACH_CALL, Way.ARRAY):
            graph.guard_slot(slot, item)
            edges.append((name, graph.capture(item, f"{module.__name__}.{name}", slot, reader, silent=True)))
    return ("data", edges)


def _finds_modules(names: chains.Names, found: Reach) -> bool:
    """Returns whether the code calls what finds modules by text, by whatever name."""
    return any(chains.value_of(names, chain) is finder for chain in found.uses for finder in _FINDERS)


def _named_in_queries(code: types.CodeType) -> set[str]:
    """Returns the names in texts of the code as a frame of pandas reads them: ``"x > @limit"``."""
    named = set()
    for item in code.co_consts:
        if isinstance(item, (str, types.CodeType)):
            named.update(re.findall(r"@\s*(\w+)", item) if isinstance(item, str) else _named_in_queries(item))
    return named


def _texts(code: types.CodeType) -> list[str]:
    texts = []
    for constant in code.co_consts:
        if isinstance(constant, str):
            texts.append(constant)
        elif isinstance(constant, types.CodeType):
            texts += _texts(constant)
    return [text for text in texts if text.partition(":")[0].replace(".", "_").isidentifier()]


def _loaded(name: str) -> ModuleType | None:
    try:
        found = importlib.import_module(name)
    except Exception:  # noqa: BLE001 - a text that only looks like a module's name
        return None
    return found if isinstance(found, ModuleType) else None


def _read_by_text(names: chains.Names, found: Reach) -> list[Chain]:
    """Returns what local names stand for that a text may read: ``"x > @limit"``, ``"%(limit)s" % locals()``."""
    if not found.names & _READS_LOCALS:
        return []
    more = [chain for chain in found.bound if chain not in found.uses and chain.kind != "import"]
    return [chain for chain in more if not isinstance(chains.value_of(names, chain), ModuleType)]


def _label(chain: Chain) -> Any:
    return (chain.kind, chain.name, chain.attributes)


def _own_cells(found: Reach) -> list[Chain]:
    return [chain for chain in found.uses if chain.kind == "free"]


def _unused_cells(found: Reach, value: FunctionType) -> list[str]:
    """Returns the cells that no instruction was seen to read: they count, to be safe."""
    seen = {chain.name for chain in (*found.uses, *found.stored) if chain.kind == "free"}
    return [name for name in value.__code__.co_freevars if name not in seen and name != "__class__"]


def note_changes(graph: Graph) -> None:
    """Notes the slots that reached functions store to, and the objects that they change: state, no input.

    A function that came with its class or module, and whose name no reached code has, may not be called from here, but
    from where the program is set up. Of what it sets only what it reads, too, is state: a counter, a value made at the
    first use; and only lists that it adds to. What runs where classes are made fills registries: these count where any
    other code reads them by name.
    """
    called, read = _names_of(graph, everything=True), _names_of(graph, everything=False)

    def is_called(name: str, value: Any) -> bool:
        return name in called or name.startswith("__") or id(value) in graph.direct

    for value, found, names in graph.changes:
        inputs = read if id(value) in graph.makers else frozenset()
        _note(graph, names, found, is_called(graph.entry_names.get(id(value), value.__name__), value), inputs)
    kept = _kept_in_instances(graph)
    for owner, name, value, found, is_of_class in graph.methods:
        inputs = read if id(value) in graph.makers else frozenset()
        _note_class_stores(graph, owner, value, found, is_of_class, is_called(name, value), inputs)
        own = {name for cls, names in kept if not is_of_class and cls in owner.__mro__ for name in names}
        _note_class_changes(graph, owner, value, found, is_called(name, value), inputs | own)


def tell_of_entries(graph: Graph, is_alone: bool) -> None:
    """Has those entries of classes told of that don't count and whose names reached code has.

    ``is_alone``: a class is examined for its own sake, and it isn't known who reads it.
    """
    read = _names_of(graph, everything=True)
    for name, told in graph.entries:
        told.is_warned = is_alone or name in read


def _names_of(graph: Graph, everything: bool) -> set[str]:
    """Returns the names in the code of what was examined, or of all but what runs where classes are made."""
    return set().union(*(found.names for value, found, _ in graph.changes if everything or id(value) not in graph.makers))


def _note(graph: Graph, names: chains.Names, found: Reach, is_called: bool, inputs: AbstractSet[str]) -> None:
    for chain in found.stored:
        place = chains.resolve(names, chain)
        if place is not None and chain.kind != "param" and (is_called or chain in found.uses) and place[1] not in inputs:
            graph.stored.slots[(id(place[0]), place[1])] = place[0]
    for chain, method in found.mutated:
        if (is_called or method in _ADDS) and (chain.attributes or (chain.name,))[-1] not in inputs:
            value = chains.value_of(names, chain)
            if _is_changed(value, method):
                graph.stored.objects[id(value)] = value


def defaults(graph: Graph, value: FunctionType, reader: str, found: Reach) -> Any:
    """Returns the edges to the defaults of a function's parameters; one that the function changes is state."""
    changes = [(chain.name, method) for chain, method in found.mutated if chain.kind == "param" and not chain.attributes]
    code = value.__code__
    positional = value.__defaults__ or ()
    first = code.co_argcount - len(positional)
    pairs = list(zip(code.co_varnames[first : code.co_argcount], positional))
    pairs += sorted((value.__kwdefaults__ or {}).items())
    _guard_keyword_defaults(graph, value)
    changed = {name for name, item in pairs if any(name == of and _is_changed(item, method) for of, method in changes)}
    return [
        (name, ("changed",) if name in changed else graph.capture(item, f"{reader}({name}=)", boxed(item), reader, strict=True))
        for name, item in pairs
    ]


def _guard_keyword_defaults(graph: Graph, value: FunctionType) -> None:
    keywords = value.__kwdefaults__
    if keywords:
        graph.guard("len", keywords, len(keywords))
        for name, item in keywords.items():
            graph.guard("slot", keywords, name, item)


def cls(graph: Graph, value: type, part: Part) -> None:
    """Examines a class: its bases, and every entry that isn't bookkeeping."""
    entries = value.__dict__
    graph.guard("bases", value, value.__mro__)
    graph.guard("len", entries, len(entries))
    bases = [graph.code_edge(base, base.__qualname__, boxed(base), part.name) for base in value.__mro__[1:] if base is not object]
    part.content.append((value.__qualname__, bases))
    graph.classes.append(value)
    if type(value) is not type:
        part.content.append(("metaclass", graph.code_edge(type(value), "metaclass", boxed(type(value)), part.name)))
    _add_methods(graph, value)
    for name, item in _entries(value):
        # A slot that reached code stores to may be filled or still empty.
        if not graph.is_skipped(("slot", value, name)):
            part.content.append((name, _entry(graph, entries, value, name, item, part)))
    part.content.append(("annotations", annotated.of_class(value)))
    if written := annotated.of_bases(value):
        part.content.append(("bases", written))
    if settings := _field_settings(graph, value, part):
        part.content.append(("fields", settings))


def _field_settings(graph: Graph, value: type, part: Part) -> list[Any]:
    """Returns the edges to what the user has said of a dataclass's fields beside their types and defaults."""
    fields = value.__dict__.get("__dataclass_fields__") or {}
    said = [(name, tuple(field.metadata.items())) for name, field in fields.items() if getattr(field, "metadata", None)]
    edges = [(name, graph.capture(items, f"{value.__qualname__}.{name}.metadata", boxed(items), part.name)) for name, items in said]
    edges += [(name, flags) for name, field in fields.items() if (flags := [getattr(field, flag, None) for flag in _FLAGS]) != _USUAL]
    return edges + _fields_of_models(graph, value, part)


def _fields_of_models(graph: Graph, value: type, part: Part) -> list[Any]:
    """Returns the edges to the defaults and limits of a pydantic model's fields, which are no entries of the class."""
    edges = []
    for kept in ("__pydantic_fields__", "__private_attributes__"):
        fields = value.__dict__.get(kept)
        for name, field in sorted(fields.items()) if type(fields) is dict else ():
            for key in _OF_FIELDS:
                if (item := captured.attribute(field, key)) is not None:
                    graph.guard("attr", field, key, item)
                    text = f"{value.__qualname__}.{name}.{key}"
                    edges.append((name, key, graph.capture(item, text, ("attr", field, key), part.name, silent=True)))
    return edges


def read_annotations(graph: Graph) -> list[Any]:
    """Returns the annotations and docstrings of all that was examined, as far as reached code reads such."""
    read = _names_of(graph, everything=True)
    functions = [value for value, _, _ in graph.changes] if read & (annotated.READERS | annotated.READ_TEXTS) else []
    texts = [(value.__qualname__, value.__doc__) for value in [*functions, *graph.classes]] if read & annotated.READ_TEXTS else []
    return [(value.__qualname__, annotated.of_function(value)) for value in functions if read & annotated.READERS] + texts


def _entries(value: type) -> list[tuple[str, Any]]:
    """Returns what counts of a class by name: a class that cloudpickle brought has other places for its entries.

    The members of an enum come first, in their order.
    """
    entries = [(name, item) for name, item in list(value.__dict__.items()) if name not in _BOOKKEEPING]
    members: list[tuple[str, Any]] = []
    if issubclass(value, Enum):
        members = [(name, item) for name, item in entries if isinstance(item, value)]
        entries = [(name, item) for name, item in entries if not isinstance(item, value) and not _is_of_enums(name, item)]
    others = [(name, item) for name, item in entries if not _is_seeded(name, item) and not name.startswith(_OF_PYDANTIC)]
    return members + sorted(others, key=lambda entry: entry[0])


def _is_of_enums(name: str, item: Any) -> bool:
    """Returns whether `EnumType` keeps an entry for itself; what it has made of the user's texts are the members."""
    is_sunder = name[:1] == name[-1:] == "_" and name[:2] != "__"
    return (is_sunder and not isinstance(item, _METHODS)) or name.startswith("_generate_")


def _is_seeded(name: str, item: Any) -> bool:
    """Returns whether it is a ``__hash__`` by attrs, which holds a number that follows from this process's hash seed."""
    return name == "__hash__" and isinstance(item, FunctionType) and item.__code__.co_filename.startswith("<attrs generated")


def _entry(graph: Graph, entries: Any, owner: type, name: str, item: Any, part: Part) -> Any:
    slot = ("slot", entries, name)
    graph.guard_slot(slot, item)
    graph.entry_names[id(getattr(item, "__func__", item))] = name
    text, is_dunder = f"{owner.__qualname__}.{name}", name.startswith("__") and name.endswith("__")
    if isinstance(item, Enum) and isinstance(item, owner):
        return ("member", _member(graph, item, text, part))
    is_librarys = hasattr(type(item), "__get__") and origin.kind_of_class(type(item)) != "user"
    if (is_dunder or is_librarys) and captured.way_of(item) is Way.UNKNOWN:
        return graph.framework_edge(item, text, part.name, is_dunder)
    before = len(graph.uncounted)
    edge = graph.capture(item, text, slot, part.name, silent=True)
    graph.entries += [(name, told) for told in graph.uncounted[before:] if told.reason != CHANGED]
    return edge


def _member(graph: Graph, item: Enum, text: str, part: Part) -> list[Any]:
    """Returns the edges to the value of a member of an enum, to what it is beside that, and to its attributes."""
    kind = next((kind for kind in (int, str, bytes, float) if isinstance(item, kind)), None)
    held = [item._value_] if kind is None else [item._value_, kind.__getnewargs__(item)]
    edges = [graph.capture(value, text, boxed(value), part.name, silent=True) for value in held]
    entries, kept = vars(item), _OF_MEMBERS | _set_by_methods(type(item))
    for name, value in sorted(entries.items()):
        slot = ("slot", entries, name)
        if name not in kept and not graph.is_skipped(slot):
            graph.guard_slot(slot, value)
            edges.append((name, graph.capture(value, f"{text}.{name}", slot, part.name, silent=True)))
    return edges


def _set_by_methods(owner: type) -> set[str]:
    """Returns the attributes that methods of a class set in their object, beside the one that makes it: counters."""
    methods = [item for name, item in list(vars(owner).items()) if isinstance(item, FunctionType) and name != "__init__"]
    return set().union(*(_stored_in_first(method.__code__) for method in methods))


def _stored_in_first(code: types.CodeType) -> set[str]:
    """Returns the attributes that code sets in its first parameter."""
    first = code.co_varnames[:1]
    found = reach_of(code).stored
    return {chain.attributes[0] for chain in found if chain.kind == "param" and chain.name in first and len(chain.attributes) == 1}


def _add_methods(graph: Graph, owner: type) -> None:
    """Remembers the methods of a class, of which some may set entries of the class; and which run where classes are made."""
    for name, item in list(owner.__dict__.items()):
        method = inspect.unwrap(item.__func__) if isinstance(item, (classmethod, staticmethod)) else item
        if not isinstance(method, FunctionType) or not method.__code__.co_argcount:
            continue
        if name in _MAKES_CLASSES or (issubclass(owner, type) and name in _OF_METACLASS):
            graph.makers[id(method)] = method
        graph.methods.append((owner, name, method, reach_of(method.__code__), isinstance(item, classmethod) or name in _MAKES_CLASSES))


def _kept_in_instances(graph: Graph) -> list[tuple[type, set[str]]]:
    """Returns for each class the names that its methods store to in ``self``: it is a copy that they change by these."""
    methods = [(owner, method) for owner, _, method, _, is_of_class in graph.methods if not is_of_class]
    return [(owner, _stored_in_first(method.__code__)) for owner, method in methods]


def _note_class_stores(graph: Graph, owner: type, method: FunctionType, found: Reach, is_of_class: bool, is_called: bool, inputs: AbstractSet[str]) -> None:
    """Notes the entries of a class that a method of it stores to through ``cls``."""
    first = method.__code__.co_varnames[0]
    for chain in found.stored:
        name = _stored_in_class(chain, first, is_of_class)
        if name and name not in inputs and (is_called or chain in found.read):
            heirs = {cls for cls, *_ in graph.methods if owner in cls.__mro__}
            graph.stored.slots.update({(id(cls), name): cls for cls in (owner, *heirs)})


def _note_class_changes(graph: Graph, owner: type, method: FunctionType, found: Reach, is_called: bool, inputs: AbstractSet[str]) -> None:
    """Notes the entries of a class that a method of it changes through ``cls`` or ``self``."""
    first = method.__code__.co_varnames[0]
    for chain, kind in found.mutated:
        name = _changed_in_class(chain, first, inputs)
        changed = owner.__dict__.get(name, MISSING) if name and (is_called or kind in _ADDS) else MISSING
        if _is_changed(changed, kind):
            graph.stored.objects[id(changed)] = changed


def _changed_in_class(chain: Chain, first: str, inputs: AbstractSet[str]) -> str | None:
    """Returns the name of what is changed by ``self.known``, ``cls.known`` or ``type(self).known``."""
    if chain.kind != "param" or chain.name != first:
        return None
    if len(chain.attributes) == 1 and chain.attributes[0] not in inputs:
        return chain.attributes[0]
    return chain.attributes[1] if len(chain.attributes) == 2 and chain.attributes[0] == "__class__" else None


def _is_changed(value: Any, method: str | None) -> bool:
    if value is MISSING or captured.is_code(value) or captured.is_immutable(value):
        return False
    return captured.is_changed_by(value, method)


def _stored_in_class(chain: Chain, first: str, is_of_class: bool) -> str | None:
    if chain.kind != "param" or chain.name != first:
        return None
    if is_of_class and len(chain.attributes) == 1:
        return chain.attributes[0]
    if len(chain.attributes) == 2 and chain.attributes[0] == "__class__":
        return chain.attributes[1]
    return None


def module(graph: Graph, value: ModuleType, part: Part) -> None:
    """Examines a module that is used as a whole: its functions, classes and constants, what it imported of the user's, too."""
    entries = vars(value)
    graph.guard("len", entries, len(entries))
    for name, item in sorted(entries.items(), key=lambda entry: entry[0]):
        if name.startswith("__") or (isinstance(item, ModuleType) and origin.kind_of_module(item) != "user"):
            continue
        slot = ("slot", entries, name)
        if not graph.is_skipped(slot) and (captured.is_code(item) or captured.is_immutable(item)):
            graph.guard_slot(slot, item)
            part.content.append((name, graph.capture(item, f"{value.__name__}.{name}", slot, part.name, silent=True)))
