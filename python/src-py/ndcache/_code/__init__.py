"""What a cached function's results depend on beside its arguments.

``body`` and ``reach`` look at one code object; ``origin`` and ``captured`` classify code and values; ``graph``, ``chains``
and ``follow`` walk from a function through all that it reaches; ``resolver`` is what the rest of the package uses.
"""

from .. import _core
from .captured import is_immutable
from .origin import path_of
from .resolver import Code, CodePart, Resolver, class_digest, function_digest

__all__ = ["Code", "CodePart", "Resolver", "class_digest", "function_digest", "is_immutable", "path_of"]

_core.set_hooks(class_digest=class_digest, function_digest=function_digest)
