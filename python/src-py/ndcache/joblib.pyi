import joblib as _joblib

from . import Memory as _Memory

class Memory(_Memory, _joblib.Memory): ...  # type: ignore[misc]
