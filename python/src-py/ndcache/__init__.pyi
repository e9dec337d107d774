from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Concatenate, Generic, Literal, NamedTuple, ParamSpec, Protocol, Self, TypedDict, TypeVar, Unpack, final, overload

__version__: str
MISSING: Any

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_R = TypeVar("_R")
_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., object])
_Path = str | PathLike[str]
_Compress = bool | int | str | tuple[str, int]
_MmapMode = Literal["r", "r+", "w+", "c"] | None
_Mode = Literal["read-write", "refresh", "read-only", "off"]
_Metadata = Mapping[str, Any]
_Validation = Callable[[_Metadata], bool] | None

class CacheWarning(UserWarning): ...
class Unkeyable(TypeError): ...

@final
class Entry:
    @property
    def function(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def arguments(self) -> list[tuple[str, str]]: ...
    @property
    def path(self) -> Path: ...
    @property
    def files(self) -> list[Path]: ...
    @property
    def bytes(self) -> int: ...
    @property
    def created(self) -> float: ...
    @property
    def used(self) -> float: ...
    @property
    def duration(self) -> float: ...

class Explanation:
    is_hit: bool
    reason: str
    text: str
    changes: list[dict[str, str]]

class Reference(Generic[_R]):
    @property
    def memory(self) -> Memory: ...
    @property
    def key(self) -> str: ...
    @property
    def func_id(self) -> str: ...
    @property
    def args_id(self) -> str: ...
    def get(self) -> _R: ...
    def clear(self) -> bool | None: ...

@dataclass(frozen=True)
class CodePart:
    name: str
    kind: str
    digest: str

class _Uncounted:
    name: str
    reader: str
    reason: str
    type_name: str

class Code:
    path: str
    parts: list[CodePart]
    uncounted: list[_Uncounted]

class _CacheItemInfo(NamedTuple):
    path: str
    size: int
    last_access: datetime

class _Store:
    location: str
    mmap_mode: str | None
    def get_items(self) -> list[_CacheItemInfo]: ...

class _Cached(Generic[_P, _R]):
    @property
    def memory(self) -> Memory | None: ...
    @property
    def why(self) -> str: ...
    @property
    def function_path(self) -> str: ...
    @property
    def func_id(self) -> str: ...
    @property
    def ignore(self) -> list[str]: ...
    @property
    def mmap_mode(self) -> str | None: ...
    @property
    def verbose(self) -> int: ...
    @property
    def store_backend(self) -> _Store | None: ...
    @property
    def __name__(self) -> str: ...
    @property
    def __qualname__(self) -> str: ...
    def check_call_in_cache(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def clear(self, warn: bool = True) -> None: ...
    def explain(self, *args: _P.args, **kwargs: _P.kwargs) -> Explanation: ...
    def code(self) -> Code: ...
    def remove(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def path(self, *args: _P.args, **kwargs: _P.kwargs) -> str | None: ...
    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> str | None: ...

class CachedFunction(_Cached[_P, _R]):
    @property
    def func(self) -> Callable[_P, _R]: ...
    @property
    def __wrapped__(self) -> Callable[_P, _R]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    def call(self, *args: _P.args, **kwargs: _P.kwargs) -> tuple[_R, dict[str, Any]]: ...
    def call_and_shelve(self, *args: _P.args, **kwargs: _P.kwargs) -> Reference[_R]: ...
    def refresh(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> CachedFunction[_P, _R]: ...
    @overload
    def __get__(self: CachedFunction[Concatenate[Any, _Q], _T], instance: object, owner: type | None = None) -> CachedFunction[_Q, _T]: ...

class AsyncCachedFunction(_Cached[_P, _R]):
    @property
    def func(self) -> Callable[_P, Coroutine[Any, Any, _R]]: ...
    @property
    def __wrapped__(self) -> Callable[_P, Coroutine[Any, Any, _R]]: ...
    async def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    async def call(self, *args: _P.args, **kwargs: _P.kwargs) -> tuple[_R, dict[str, Any]]: ...
    async def call_and_shelve(self, *args: _P.args, **kwargs: _P.kwargs) -> Reference[_R]: ...
    async def refresh(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> AsyncCachedFunction[_P, _R]: ...
    @overload
    def __get__(self: AsyncCachedFunction[Concatenate[Any, _Q], _T], instance: object, owner: type | None = None) -> AsyncCachedFunction[_Q, _T]: ...

class _Options(TypedDict, total=False):
    version: object
    name: str | None
    depends: Iterable[object]
    ignore_globals: Iterable[str]
    code: Literal["auto", "body", "version"]
    key: Mapping[str, Callable[[Any], object]] | None
    secret: Iterable[str]
    min_duration: float | timedelta | None
    expires: float | timedelta | None
    compress: _Compress | None
    readable: bool | None

class _Decorator(Protocol):
    @overload
    def __call__(self, func: property, /) -> property: ...
    @overload
    def __call__(self, func: staticmethod[_P, _R], /) -> staticmethod[_P, _R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, func: classmethod[_T, _P, _R], /) -> classmethod[_T, _P, _R]: ...
    @overload
    def __call__(self, func: Callable[_P, Coroutine[Any, Any, _R]], /) -> AsyncCachedFunction[_P, _R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, func: Callable[_P, _R], /) -> CachedFunction[_P, _R]: ...

class _Cache(_Decorator, Protocol):
    @overload
    def __call__(self, func: property, /) -> property: ...
    @overload
    def __call__(self, func: staticmethod[_P, _R], /) -> staticmethod[_P, _R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, func: classmethod[_T, _P, _R], /) -> classmethod[_T, _P, _R]: ...
    @overload
    def __call__(
        self,
        func: None = None,
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _Validation = None,
        **options: Unpack[_Options],
    ) -> _Decorator: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        func: Callable[_P, Coroutine[Any, Any, _R]],
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _Validation = None,
        **options: Unpack[_Options],
    ) -> AsyncCachedFunction[_P, _R]: ...
    @overload
    def __call__(
        self,
        func: Callable[_P, _R],
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _Validation = None,
        **options: Unpack[_Options],
    ) -> CachedFunction[_P, _R]: ...

class _Settings(TypedDict, total=False):
    limits: str | int | Mapping[str, Any] | None
    expires: float | timedelta | None
    min_duration: float | timedelta | None
    mode: _Mode | None
    pickle: Literal["own", "any", "never"] | None
    shared: bool
    texts: bool
    wait: float | timedelta | None
    recheck: float | None
    durability: Literal["buffered", "synced", "full"] | None
    readable: bool
    remote: str | Iterable[_Path] | None
    share: str | None
    remote_wait: float | timedelta | None
    salt: str | None
    statistics: bool

class Memory:
    def __new__(
        cls,
        location: _Path | None = None,
        backend: Literal["local"] = "local",
        mmap_mode: _MmapMode = None,
        compress: _Compress = False,
        verbose: int = 1,
        backend_options: Mapping[str, Any] | None = None,
        **options: Unpack[_Settings],
    ) -> Self: ...
    @classmethod
    def from_env(cls, location: _Path | None = None, **options: Any) -> Self: ...
    @property
    def location(self) -> str | None: ...
    @property
    def mmap_mode(self) -> str | None: ...
    @property
    def verbose(self) -> int: ...
    @property
    def mode(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def options(self) -> dict[str, Any]: ...
    @property
    def store_backend(self) -> _Store | None: ...
    @property
    def cache(self) -> _Cache: ...
    def eval(self, func: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    def clear(self, warn: bool = True) -> int: ...
    def reduce_size(
        self, bytes_limit: int | str | None = None, items_limit: int | None = None, age_limit: timedelta | None = None
    ) -> tuple[int, int]: ...
    def flush(self, timeout: float | timedelta = 60) -> dict[str, Any]: ...
    def stats(self) -> dict[str, Any]: ...
    def last_misses(self) -> list[tuple[str, str, str]]: ...
    def verify(self, repair: bool = False) -> dict[str, Any]: ...
    def entries(self, function: str | None = None) -> list[Entry]: ...

@final
class FileContent:
    def __new__(cls, path: _Path) -> Self: ...
    @property
    def path(self) -> Path: ...
    def __fspath__(self) -> str: ...

@final
class FileStamp:
    def __new__(cls, path: _Path) -> Self: ...
    @property
    def path(self) -> Path: ...
    def __fspath__(self) -> str: ...

class expires_after:
    seconds: float
    def __init__(
        self,
        days: float = 0,
        seconds: float = 0,
        microseconds: float = 0,
        milliseconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        weeks: float = 0,
    ) -> None: ...
    def __call__(self, metadata: _Metadata) -> bool: ...

cache: _Cache

def set_memory(memory: Memory | _Path | None) -> None: ...
def hash(value: object, hash_name: str = "md5", coerce_mmap: bool = False) -> str: ...
def digest(value: object) -> str: ...
def read(path: _Path, mmap_mode: Literal["r", "c"] | None = None) -> Any: ...
@overload
def register_hasher(type: type[_T], hasher: None = None) -> Callable[[Callable[[_T], _R]], Callable[[_T], _R]]: ...
@overload
def register_hasher(type: type[_T], hasher: Callable[[_T], _R]) -> Callable[[_T], _R]: ...
def register_store_backend(name: str, backend: Any) -> None: ...
