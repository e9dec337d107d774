from typing import Any

import joblib as _joblib  # type: ignore[import-untyped,unused-ignore]

from . import Memory as _Memory, expires_after as expires_after

class Memory(_Memory, _joblib.Memory): ...  # type: ignore[misc]

MemorizedFunc: Any
NotMemorizedFunc: Any
AsyncMemorizedFunc: Any
AsyncNotMemorizedFunc: Any
MemorizedResult: Any
NotMemorizedResult: Any

def install() -> None: ...
