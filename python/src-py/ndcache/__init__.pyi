from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import timedelta
from os import PathLike
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

__version__: str

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_R = TypeVar("_R")
_T = TypeVar("_T")
_Mode = Literal["r", "r+", "w+", "c"] | None
_Metadata = Mapping[str, Any]

class CacheWarning(UserWarning): ...
class Unkeyable(TypeError): ...

class Explanation:
    is_hit: bool
    reason: str
    changes: list[dict[str, Any]]

class Reference(Generic[_R]):
    def get(self) -> _R: ...
    def clear(self) -> None: ...

class CodePart:
    name: str
    kind: str
    digest: str

class Code:
    path: str
    parts: list[CodePart]

class CachedFunction(Generic[_P, _R]):
    func: Callable[_P, _R]
    memory: Memory | None
    @property
    def why(self) -> str: ...
    @property
    def __name__(self) -> str: ...
    @property
    def __qualname__(self) -> str: ...
    @property
    def __wrapped__(self) -> Callable[_P, _R]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    def call(self, *args: _P.args, **kwargs: _P.kwargs) -> tuple[_R, dict[str, Any]]: ...
    def call_and_shelve(self, *args: _P.args, **kwargs: _P.kwargs) -> Reference[_R]: ...
    def check_call_in_cache(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def clear(self, warn: bool = True) -> None: ...
    def explain(self, *args: _P.args, **kwargs: _P.kwargs) -> Explanation: ...
    def code(self) -> Code: ...
    def remove(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def refresh(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    def path(self, *args: _P.args, **kwargs: _P.kwargs) -> str | None: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> CachedFunction[_P, _R]: ...
    @overload
    def __get__(self: CachedFunction[Concatenate[Any, _Q], _T], instance: object, owner: type | None = None) -> CachedFunction[_Q, _T]: ...

class AsyncCachedFunction(Generic[_P, _R]):
    func: Callable[_P, Coroutine[Any, Any, _R]]
    memory: Memory | None
    @property
    def why(self) -> str: ...
    async def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    async def call(self, *args: _P.args, **kwargs: _P.kwargs) -> tuple[_R, dict[str, Any]]: ...
    async def call_and_shelve(self, *args: _P.args, **kwargs: _P.kwargs) -> Reference[_R]: ...
    async def refresh(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    def check_call_in_cache(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def clear(self, warn: bool = True) -> None: ...
    def explain(self, *args: _P.args, **kwargs: _P.kwargs) -> Explanation: ...
    def code(self) -> Code: ...
    def remove(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def path(self, *args: _P.args, **kwargs: _P.kwargs) -> str | None: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> AsyncCachedFunction[_P, _R]: ...
    @overload
    def __get__(self: AsyncCachedFunction[Concatenate[Any, _Q], _T], instance: object, owner: type | None = None) -> AsyncCachedFunction[_Q, _T]: ...

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
        mmap_mode: _Mode | Literal[False] = False,
        cache_validation_callback: Callable[[_Metadata], bool] | None = None,
        *,
        version: object = None,
        name: str | None = None,
        depends: Iterable[object] = (),
        ignore_globals: Iterable[str] = (),
        code: Literal["auto", "body", "version"] = "auto",
        key: Mapping[str, Callable[[Any], object]] | None = None,
        secret: Iterable[str] = (),
        texts: bool | None = None,
        min_duration: float | None = None,
        expires: float | timedelta | None = None,
    ) -> _Decorator: ...
    @overload
    def __call__(
        self,
        func: Callable[_P, Coroutine[Any, Any, _R]],
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _Mode | Literal[False] = False,
        cache_validation_callback: Callable[[_Metadata], bool] | None = None,
        **options: Any,
    ) -> AsyncCachedFunction[_P, _R]: ...
    @overload
    def __call__(
        self,
        func: Callable[_P, _R],
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _Mode | Literal[False] = False,
        cache_validation_callback: Callable[[_Metadata], bool] | None = None,
        **options: Any,
    ) -> CachedFunction[_P, _R]: ...

class Memory:
    def __init__(
        self,
        location: str | PathLike[str] | None = None,
        backend: Literal["local"] = "local",
        mmap_mode: _Mode = None,
        compress: bool | int | tuple[str, int] = False,
        verbose: int = 1,
        backend_options: Mapping[str, Any] | None = None,
        *,
        limits: str | int | Mapping[str, Any] | None = None,
        expires: float | timedelta | None = None,
        min_duration: float | None = None,
        mode: str | None = None,
        pickle: Literal["own", "any", "never"] | None = None,
        shared: bool = False,
        texts: bool = True,
        wait: float | timedelta | None = None,
        recheck: float | timedelta | None = None,
        durability: str | None = None,
        readable: bool = False,
        remote: Any = None,
    ) -> None: ...
    @classmethod
    def from_env(cls, location: str | PathLike[str] | None = None, **options: Any) -> Memory: ...
    location: str | None
    @property
    def cache(self) -> _Cache: ...
    def eval(self, func: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    def clear(self, warn: bool = True) -> None: ...
    def reduce_size(
        self, bytes_limit: int | str | None = None, items_limit: int | None = None, age_limit: timedelta | None = None
    ) -> None: ...
    def stats(self) -> dict[str, Any]: ...
    def verify(self) -> Any: ...
    def entries(self, function: str | None = None) -> list[Any]: ...

class FileContent:
    def __init__(self, path: str | PathLike[str]) -> None: ...

class FileStamp:
    def __init__(self, path: str | PathLike[str]) -> None: ...

cache: _Cache

def set_memory(memory: Memory | str | PathLike[str] | None) -> None: ...
def expires_after(
    days: float = 0,
    seconds: float = 0,
    microseconds: float = 0,
    milliseconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    weeks: float = 0,
) -> Callable[[_Metadata], bool]: ...
def hash(obj: object) -> str: ...
def digest(obj: object) -> str: ...
def read(path: str | PathLike[str], mmap_mode: Literal["r", "c"] | None = None) -> Any: ...
def register_hasher(type: type[_T], hasher: Callable[[_T], object] | None = None) -> Any: ...
def register_store_backend(name: str, backend: Any) -> None: ...
