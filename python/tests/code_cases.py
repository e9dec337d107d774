"""Edits of a program, and whether a cached function `f` of its module `prog` must be computed again.

Each case is (name, files before, changes, expected); a change is (file, old text, new text).
"""

from __future__ import annotations

LIB = """
K = 3
def sq(x):
    return x * x
def cube(x):
    return x ** 3
"""


def helper(name: str, program: str, more: dict[str, str] | None = None, change: tuple[str, str, str] = ("lib.py", "x * x", "x * x + 1")):
    """A case in which ``lib.sq`` is edited, on which ``f`` depends."""
    return name, {"lib.py": LIB, "prog.py": program, **(more or {})}, [change], "changed"


SEEN = [
    helper("global", "from lib import sq\ndef f(x): return sq(x)"),
    helper("module attribute", "import lib\ndef f(x): return lib.sq(x)"),
    helper("alias of module", "import lib as l\nm = l\ndef f(x): return m.sq(x)"),
    helper("local alias of module", "import lib\ndef f(x):\n    for i in range(2):\n        m = lib\n    return m.sq(x)"),
    helper("local alias used before it is bound", "import lib\ndef f(x):\n    for i in range(2):\n        if i: y = m.sq(x)\n        m = lib\n    return y"),
    helper("getattr of module", "import lib\ndef f(x): return getattr(lib, 'sq')(x)"),
    helper("vars of module", "import lib\ndef f(x): return vars(lib)['sq'](x)"),
    helper("globals()", "from lib import sq\ndef f(x): return globals()['sq'](x)"),
    helper("eval", "from lib import sq\ndef f(x): return eval('sq(x)')"),
    helper("import_module", "import importlib\ndef f(x): return importlib.import_module('lib').sq(x)"),
    helper("__import__", "def f(x): return __import__('lib').sq(x)"),
    helper("sys.modules", "import sys, lib\ndef f(x): return sys.modules['lib'].sq(x)"),
    helper("module as argument", "import lib\ndef g(m, x): return m.sq(x)\ndef f(x): return g(lib, x)"),
    helper("import in body", "def f(x):\n    import lib\n    return lib.sq(x)"),
    helper("import as in body", "def f(x):\n    import lib as q\n    return q.sq(x)"),
    helper("from import in body", "def f(x):\n    from lib import sq as s\n    return s(x)"),
    helper("import in nested function", "def f(x):\n    def g():\n        from lib import sq\n        return sq(x)\n    return g()"),
    helper("import used in nested function", "def f(x):\n    import lib\n    return [lib.sq(y) for y in (lambda: [x, lib.K])()]"),
    helper("import in helper", "def g(x):\n    import lib\n    return lib.sq(x)\ndef f(x): return g(x)"),
    helper("try import in body", "def f(x):\n    try:\n        import fastlib as m\n    except ImportError:\n        import lib as m\n    return m.sq(x)"),
    helper("import as global in body", "def f(x):\n    global lib\n    import lib\n    return lib.sq(x)"),
    helper("lambda", "from lib import sq\ng = lambda x: sq(x)\ndef f(x): return g(x)"),
    helper("comprehension", "from lib import sq\ndef f(x): return [sq(y) for y in [x]][0]"),
    helper("generator", "from lib import sq\ndef f(x): return sum(sq(y) for y in [x] if sq(y))"),
    helper("map", "from lib import sq\ndef f(x): return list(map(sq, [x]))[0]"),
    helper("nested default", "from lib import sq\ndef f(x):\n    def g(y, h=sq): return h(y)\n    return g(x)"),
    helper("default of helper", "from lib import sq\ndef g(x, h=sq): return h(x)\ndef f(x): return g(x)"),
    helper("keyword default of helper", "from lib import sq\ndef g(x, *, h=sq): return h(x)\ndef f(x): return g(x)"),
    helper("closure", "from lib import sq\ndef make(g):\n    def inner(x): return g(x)\n    return inner\nf = make(sq)"),
    helper("closure in closure", "from lib import sq\ndef make(g):\n    def inner(x): return g(x)\n    return inner\nf = make(make(make(sq)))"),
    helper("module in closure", "def make():\n    import lib\n    def inner(x): return lib.sq(x)\n    return inner\nf = make()"),
    helper("dict in closure", "from lib import sq\ndef make(**ops):\n    def inner(x): return ops['sq'](x)\n    return inner\nf = make(sq=sq)"),
    helper("decorated without wraps", "from lib import sq\ndef deco(g):\n    def w(*a): return g(*a)\n    return w\n@deco\ndef h(x): return sq(x)\ndef f(x): return h(x)"),
    helper("decorated with wraps", "import functools\nfrom lib import sq\ndef deco(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a)\n    return w\n@deco\ndef h(x): return sq(x)\ndef f(x): return h(x)"),
    helper("class as decorator", "from lib import sq\nclass deco:\n    def __init__(self, g): self.g = g\n    def __call__(self, x): return self.g(x)\n@deco\ndef h(x): return sq(x)\ndef f(x): return h(x)"),
    helper("decorated twice by a registry", "from lib import sq\nR = {}\ndef reg(g):\n    R[g.__name__] = g\n    return g\n@reg\ndef h(x): return sq(x)\ndef f(x): return R['h'](x)"),
    helper("lru_cache", "import functools\nfrom lib import sq\n@functools.lru_cache\ndef h(x): return sq(x)\ndef f(x): return h(x)"),
    helper("contextmanager", "import contextlib\nfrom lib import sq\n@contextlib.contextmanager\ndef h(x): yield sq(x)\ndef f(x):\n    with h(x) as y: return y"),
    helper("singledispatch", "import functools\nfrom lib import sq\n@functools.singledispatch\ndef h(x): return 0\n@h.register\ndef _(x: int): return sq(x)\ndef f(x): return h(x)"),
    helper("singledispatchmethod", "import functools\nfrom lib import sq\nclass C:\n    @functools.singledispatchmethod\n    def h(self, x): return 0\n    @h.register\n    def _(self, x: int): return sq(x)\ndef f(x): return C().h(x)"),
    helper("partial", "import functools\nfrom lib import sq\ng = functools.partial(sq)\ndef f(x): return g(x)"),
    helper("argument of partial", "import functools\nfrom lib import sq\ng = functools.partial(map, sq)\ndef f(x): return list(g([x]))"),
    helper("keyword of partial", "import functools\nfrom lib import sq\ng = functools.partial(sorted, key=sq)\ndef f(x): return g([x])"),
    helper("partialmethod", "import functools\nfrom lib import sq\nclass C:\n    def a(self, k, x): return sq(x)\n    b = functools.partialmethod(a, 1)\ndef f(x): return C().b(x)"),
    helper("partial itself", "import functools\nfrom lib import sq\nf = functools.partial(sq)"),
    helper("dict", "from lib import sq, cube\nOPS = {'a': sq, 'b': cube}\ndef f(x): return OPS['a'](x)"),
    helper("dict of dicts", "from lib import sq, cube\nOPS = {'a': {'c': sq}, 'b': cube}\ndef f(x): return OPS['a']['c'](x)"),
    helper("list", "from lib import sq\nOPS = [sq]\ndef f(x): return OPS[0](x)"),
    helper("tuple", "from lib import sq\nOPS = (sq, 1)\ndef f(x): return OPS[0](x)"),
    helper("set", "from lib import sq\nOPS = {sq}\ndef f(x): return [g(x) for g in OPS][0]"),
    helper("list of partials", "from lib import sq\nimport functools\nOPS = [functools.partial(sq)]\ndef f(x): return OPS[0](x)"),
    helper("frozenset of tuples", "from lib import sq\nOPS = frozenset([('a', sq)])\ndef f(x): return dict(OPS)['a'](x)"),
    helper("namespace", "from types import SimpleNamespace as N\nfrom lib import sq\nOPS = N(g=sq)\ndef f(x): return OPS.g(x)"),
    helper("namespace through a parameter", "from types import SimpleNamespace as N\nfrom lib import sq\nOPS = N(g=sq)\ndef run(o, x): return o.g(x)\ndef f(x): return run(OPS, x)"),
    helper("attribute of function", "from lib import sq\ndef h(x): return h.impl(x)\nh.impl = sq\ndef f(x): return h(x)"),
    helper("bound method", "from lib import sq\nclass C:\n    def m(self, x): return sq(x)\ng = C().m\ndef f(x): return g(x)"),
    helper("method", "from lib import sq\nclass C:\n    def m(self, x): return sq(x)\ndef f(x): return C().m(x)"),
    helper("method of a global instance", "from lib import sq\nclass C:\n    def m(self, x): return sq(x)\nc = C()\ndef f(x): return c.m(x)"),
    helper("method of an instance that changes", "from lib import sq\nclass C:\n    n = 0\n    def m(self, x): return sq(x)\nc = C()\ndef f(x):\n    c.n += 1\n    return c.m(x)"),
    helper("method of an instance with a lock", "import threading\nfrom lib import sq\nclass C:\n    def __init__(self): self.l = open('/dev/null')\n    def m(self, x): return sq(x)\nc = C()\ndef f(x): return c.m(x)"),
    helper("inherited method", "from lib import sq\nclass B:\n    def m(self, x): return sq(x)\nclass C(B): pass\ndef f(x): return C().m(x)"),
    helper("super", "from lib import sq\nclass B:\n    def m(self, x): return sq(x)\nclass C(B):\n    def m(self, x): return super().m(x)\ndef f(x): return C().m(x)"),
    helper("static method", "from lib import sq\nclass C:\n    @staticmethod\n    def m(x): return sq(x)\ndef f(x): return C.m(x)"),
    helper("class method", "from lib import sq\nclass C:\n    @classmethod\n    def m(cls, x): return sq(x)\ndef f(x): return C.m(x)"),
    helper("property", "from lib import sq\nclass C:\n    @property\n    def m(self): return sq(2)\ndef f(x): return C().m"),
    helper("property setter", "from lib import sq\nclass C:\n    @property\n    def m(self): return self.v\n    @m.setter\n    def m(self, v): self.v = sq(v)\ndef f(x):\n    c = C(); c.m = x\n    return c.m"),
    helper("cached property", "import functools\nfrom lib import sq\nclass C:\n    @functools.cached_property\n    def m(self): return sq(2)\ndef f(x): return C().m"),
    helper("descriptor", "from lib import sq\nclass D:\n    def __get__(self, i, o): return sq(2)\nclass C:\n    m = D()\ndef f(x): return C().m"),
    helper("metaclass", "from lib import sq\nclass M(type):\n    def __call__(cls, x): return sq(x)\nclass C(metaclass=M): pass\ndef f(x): return C(x)"),
    helper("nested class", "from lib import sq\nclass A:\n    class B:\n        def m(self, x): return sq(x)\ndef f(x): return A.B().m(x)"),
    helper("function in a class' dict", "from lib import sq\nclass A:\n    ops = {'sq': sq}\ndef f(x): return A.ops['sq'](x)"),
    helper("function in a class' list", "from lib import sq\nclass A:\n    ops = [sq]\ndef f(x): return A.ops[0](x)"),
    helper("local class", "from lib import sq\ndef f(x):\n    class A:\n        g = sq\n    return A.__dict__['g'](x)"),
    helper("local subclass", "from lib import sq\nclass B:\n    def m(self, x): return sq(x)\ndef f(x):\n    class A(B): pass\n    return A().m(x)"),
    helper("default factory", "import dataclasses\nfrom lib import sq\ndef two(): return sq(2)\n@dataclasses.dataclass\nclass C:\n    a: int = dataclasses.field(default_factory=two)\ndef f(x): return C().a"),
    helper("method of dataclass", "import dataclasses\nfrom lib import sq\n@dataclasses.dataclass(frozen=True)\nclass C:\n    a: int\n    def m(self): return sq(self.a)\ndef f(x): return C(x).m()"),
    helper("method of enum", "import enum\nfrom lib import sq\nclass C(enum.Enum):\n    A = 1\n    def m(self, x): return sq(x)\ndef f(x): return C.A.m(x)"),
    helper("method of named tuple", "import typing\nfrom lib import sq\nclass C(typing.NamedTuple):\n    a: int\n    def m(self): return sq(self.a)\ndef f(x): return C(x).m()"),
    helper("method through a member of an enum", "import enum\nfrom lib import sq\nclass C(enum.Enum):\n    A = 1\n    def m(self, x): return sq(x)\nMODE = C.A\ndef f(x): return MODE.m(x)"),
    helper("str subclass as global", "from lib import sq\nclass S(str):\n    def m(self, x): return sq(x)\ns = S('a')\ndef f(x): return s.m(x)"),
    helper("match class", "from lib import sq\nclass P:\n    __match_args__ = ('v',)\n    def __init__(self, v): self.v = sq(v)\ndef f(x):\n    match P(x):\n        case P(v): return v"),
    helper("async helper", "import asyncio\nfrom lib import sq\nasync def g(x): return sq(x)\ndef f(x): return asyncio.run(g(x))"),
    helper("recursion", "from lib import sq\ndef g(x, n=2): return sq(x) if not n else f(x, n - 1)\ndef f(x, n=2): return g(x, n)"),
    helper("star import", "from lib import *\ndef f(x): return sq(x)"),
    helper("through a package", "import pkg.sub\ndef f(x): return pkg.sub.deep.g(x)", {"pkg/__init__.py": "", "pkg/sub/__init__.py": "from . import deep", "pkg/sub/deep.py": "from lib import sq\ndef g(x): return sq(x)"}),
    helper("relative import in body", "from pkg import f", {"pkg/__init__.py": "from .a import f", "pkg/a.py": "def f(x):\n    from .b import g\n    return g(x)", "pkg/b.py": "from lib import sq\ndef g(x): return sq(x)"}),
    helper("relative module import in body", "from pkg import f", {"pkg/__init__.py": "from .a import f", "pkg/a.py": "def f(x):\n    from . import b\n    return b.g(x)", "pkg/b.py": "from lib import sq\ndef g(x): return sq(x)"}),
    helper("relative import of a parent", "from pkg.sub import f", {"pkg/__init__.py": "", "pkg/b.py": "from lib import sq\ndef g(x): return sq(x)", "pkg/sub/__init__.py": "from .a import f", "pkg/sub/a.py": "def f(x):\n    from ..b import g\n    return g(x)"}),
    helper("dotted import in body", "def f(x):\n    import pkg.b\n    return pkg.b.g(x)", {"pkg/__init__.py": "", "pkg/b.py": "from lib import sq\ndef g(x): return sq(x)"}),
    helper("dotted import as in body", "def f(x):\n    import pkg.b as q\n    return q.g(x)", {"pkg/__init__.py": "", "pkg/b.py": "from lib import sq\ndef g(x): return sq(x)"}),
    helper("lazy module", "import pkg\ndef f(x): return pkg.g(x)", {"pkg/__init__.py": "import importlib\ndef __getattr__(n): return getattr(importlib.import_module('pkg.b'), n)", "pkg/b.py": "from lib import sq\ndef g(x): return sq(x)"}),
    helper("callable instance itself", "from lib import sq\nclass C:\n    def __call__(self, x): return sq(x)\nf = C()"),
    helper("bound method itself", "from lib import sq\nclass C:\n    def m(self, x): return sq(x)\nf = C().m"),
    helper("wrapped attribute", "from lib import sq\nclass W:\n    def __init__(self, g): self.__wrapped__ = g\n    def __call__(self, x): return self.__wrapped__(x)\ng = W(sq)\ndef f(x): return g(x)"),
    helper("user class with slots", "from lib import sq\nclass W:\n    __slots__ = ('g',)\n    def __init__(self, g): self.g = g\nw = W(sq)\ndef f(x): return w.g(x)"),
    helper("helper that a finally calls", "from lib import sq\ndef f(x):\n    try:\n        return x\n    finally:\n        y = sq(x)\n        print(y)"),
    helper("helper after raise", "from lib import sq\ndef f(x):\n    try:\n        raise ValueError\n    except ValueError:\n        return sq(x)"),
    helper("walrus and ternary", "import lib\ndef f(x): return (m := lib).sq(x) if x else (lib if x else lib).sq(x)"),
    helper("conditional module", "import lib\nimport math\ndef f(x):\n    m = lib if x else math\n    return m.sq(x)"),
    helper("reduce", "import functools\nfrom lib import sq\ndef f(x): return functools.reduce(lambda a, b: sq(b), [x, x])"),
    helper("operator.methodcaller through class", "from lib import sq\nclass C:\n    def m(self, x): return sq(x)\ndef f(x): return getattr(C(), 'm')(x)"),
    helper("init_subclass", "from lib import sq\nclass B:\n    def __init_subclass__(cls): cls.v = sq(2)\ndef f(x):\n    class C(B): pass\n    return C.v"),
    helper("np.frompyfunc", "import numpy as np\nfrom lib import sq\ng = np.frompyfunc(sq, 1, 1)\ndef f(x): return g(x)"),
    helper("np.frompyfunc of a lambda in a dict", "import numpy as np\nfrom lib import sq\nG = {'g': np.frompyfunc(lambda x: sq(x), 1, 1)}\ndef f(x): return G['g'](x)"),
    helper("own module by sys.modules and getattr", "import sys\nfrom lib import sq\ndef h_a(x): return sq(x)\ndef f(x): return getattr(sys.modules[__name__], 'h_' + 'ab'[0])(x)"),
    helper("own module by sys.modules", "import sys\nfrom lib import sq\ndef h(x): return sq(x)\ndef f(x): return sys.modules[__name__].h(x)"),
    helper("import_module by another name", "from importlib import import_module as im\ndef f(x): return im('lib').sq(x)"),
    helper("resolve_name", "import pkgutil\nfrom pkgutil import resolve_name\ndef f(x): return resolve_name('lib:sq')(x)"),
    helper("module by the text of a global", "import sys, lib\nNAME = 'lib'\ndef f(x): return sys.modules[NAME].sq(x)"),
    helper("globals of another function", "from lib import sq\ndef h(x): return sq(x)\ndef g(x): return x\ndef f(x): return g.__globals__['h'](x)"),
    helper("method of make_dataclass", "import dataclasses\nfrom lib import sq\nC = dataclasses.make_dataclass('C', [('a', int)], namespace={'m': lambda self: sq(self.a)})\ndef f(x): return C(x).m()"),
    helper("exec'd helper", "src = 'def g(x): return sq(x)'\nfrom lib import sq\nexec(src)\ndef f(x): return g(x)"),
]

_P = "prog.py"


def value(name: str, program: str, old: str, new: str, expected: str = "changed", files: dict[str, str] | None = None):
    """A case in which the program itself is edited."""
    return name, {_P: program, **(files or {})}, [(_P, old, new)], expected


SETTER = """class S:
    k, n, d = 0, 0, {}
    @classmethod
    def set(cls, k): cls.k = k
    @classmethod
    def add(cls, name, k): cls.d[name] = k
    @classmethod
    def count(cls):
        cls.n += 1
"""
SUBCLASSES = """class B:
    R = {}
    def __init_subclass__(cls): B.R[cls.__name__] = cls
"""
METACLASS = """class M(type):
    R = {}
    def __new__(mcs, name, bases, entries):
        cls = super().__new__(mcs, name, bases, entries)
        mcs.R[name] = cls
        return cls
"""

VALUES = [
    value("beside modules that are loaded when needed", "import numpy as np, concurrent.futures as c, scipy\ndef f(x): return np.fft.rfft(x), np.random.default_rng(0), np.ma.array(x), c.ProcessPoolExecutor, scipy.signal.lfilter, x + 1", "x + 1", "x + 2"),
    value("int", "N = 1\ndef f(x): return N", "N = 1", "N = 2"),
    value("int to bool", "N = 1\ndef f(x): return N", "N = 1", "N = True"),
    value("int to float", "N = 1\ndef f(x): return N", "N = 1", "N = 1.0"),
    value("sign of zero", "N = 0.0\ndef f(x): return N", "N = 0.0", "N = -0.0"),
    value("str to bytes", "N = 'a'\ndef f(x): return N", "N = 'a'", "N = b'a'"),
    value("tuple", "N = (1, (2, 3))\ndef f(x): return N", "3", "3.0"),
    value("frozenset", "N = frozenset({1})\ndef f(x): return N", "{1}", "{2}"),
    value("list", "N = [1, {'a': 2}]\ndef f(x): return N", "2", "3"),
    value("order of a dict", "N = {'a': 1, 'b': 2}\ndef f(x): return list(N)", "'a': 1, 'b': 2", "'b': 2, 'a': 1"),
    value("constant of a body", "def f(x): return x + 1", "+ 1", "+ 1.0"),
    value("constant of a body to bool", "def f(x): return (x, 1)", "1)", "True)"),
    value("constant in a tuple", "def f(x): return x in (1, 2)", "(1, 2)", "(1, 2.0)"),
    value("constant in a set", "def f(x): return x in {1, 2}", "{1, 2}", "{1, 3}"),
    value("constant of a nested function", "def f(x): return (lambda: 0.0)()", "0.0", "-0.0"),
    value("exception table", "def f(x):\n    try:\n        y = x\n    except KeyError:\n        y = 0\n    return y", "        y = x\n    except", "        pass\n    except"),
    value("operator", "def f(x): return x + 1", "+ 1", "- 1"),
    value("comparison", "def f(x): return x < 1", "< 1", "<= 1"),
    value("attribute", "def f(x): return x.real", ".real", ".imag"),
    value("keyword", "def f(x): return dict(a=x)", "a=x", "b=x"),
    value("method's name", "def f(x): return x.lower()", "lower", "upper"),
    value("ufunc", "import operator\ng = operator.add\ndef f(x): return g(x, x)", "operator.add", "operator.sub"),
    value("identity of np.frompyfunc", "import numpy as np\ndef h(x, y): return x + y\ng = np.frompyfunc(h, 2, 1, identity=0)\ndef f(x): return g.reduce(x)", "identity=0", "identity=1"),
    value("imported name", "from math import sin as g\ndef f(x): return g(x)", "sin", "cos"),
    value("imported module", "import math as m\ndef f(x): return m.sin(x)", "math", "cmath"),
    value("builtin shadowed", "def f(x): return len(x)", "def f", "def len(x): return 0\ndef f"),
    value("method of a builtin", "g = 'a,b'.split\ndef f(x): return g(x)", "'a,b'", "'a;b'"),
    value("class constant", "class C:\n    a = 1\ndef f(x): return C.a", "a = 1", "a = 2"),
    value("class constant of an instance", "class C:\n    a = 1\n    def set(self): self.a = 3\ndef f(x): return C().a", "a = 1", "a = 2"),
    value("class list", "class C:\n    a = [1]\ndef f(x): return C.a", "[1]", "[2]"),
    value("base class", "class A:\n    v = 1\nclass B:\n    v = 2\nclass C(A): pass\ndef f(x): return C.v", "C(A)", "C(B)"),
    value("order of bases", "class A:\n    v = 1\nclass B:\n    v = 2\nclass C(A, B): pass\ndef f(x): return C.v", "A, B", "B, A"),
    value("new method", "class A:\n    def m(self): return 1\nclass C(A):\n    def n(self): return 2\ndef f(x): return C().m()", "    def n", "    def m(self): return 3\n    def n"),
    value("enum value", "import enum\nclass C(enum.Enum):\n    A = 1\ndef f(x): return C.A.value", "A = 1", "A = 2"),
    value("enum member", "import enum\nclass C(enum.Enum):\n    A = 1\n    B = 2\nM = C.A\ndef f(x): return M.value", "M = C.A", "M = C.B"),
    value("value of a captured enum member", "import enum\nclass C(enum.Enum):\n    A = 1\nM = C.A\ndef f(x): return M.value", "A = 1", "A = 2"),
    value("dataclass default", "import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = 1\ndef f(x): return C().a", "= 1", "= 2"),
    value("dataclass instance", "import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int\nc = C(1)\ndef f(x): return c.a", "C(1)", "C(2)"),
    value("dataclass instance passed on", "import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int\nc = C(1)\ndef g(c): return c.a\ndef f(x): return g(c)", "C(1)", "C(2)"),
    value("named tuple default", "import typing\nclass C(typing.NamedTuple):\n    a: int = 1\ndef f(x): return C().a", "= 1", "= 2"),
    value("instance", "class C:\n    def __init__(self, a): self.a = a\n    def m(self): return self.a\nc = C(1)\ndef f(x): return c.m()", "C(1)", "C(2)"),
    value("instance with slots", "class C:\n    __slots__ = 'a'\n    def __init__(self, a): self.a = a\n    def m(self): return self.a\nc = C(1)\ndef f(x): return c.m()", "C(1)", "C(2)"),
    value("callable instance itself", "class C:\n    def __init__(self, a): self.a = a\n    def __call__(self, x): return self.a\nf = C(1)", "C(1)", "C(2)"),
    value("bound method itself", "class C:\n    def __init__(self, a): self.a = a\n    def m(self, x): return self.a\nf = C(1).m", "C(1)", "C(2)"),
    value("partial itself", "import functools\ndef g(a, x): return a\nf = functools.partial(g, 1)", "(g, 1)", "(g, 2)"),
    value("keyword of partial itself", "import functools\ndef g(x, a=0): return a\nf = functools.partial(g, a=1)", "a=1)", "a=2)"),
    value("mutable argument of partial", "import functools\ndef g(a, x): return a\nf = functools.partial(g, [1])", "[1]", "[2]"),
    value("bound method's instance", "class C:\n    def __init__(self, a): self.a = a\n    def m(self): return self.a\ng = C(1).m\ndef f(x): return g()", "C(1)", "C(2)"),
    value("closure", "def make(k):\n    def inner(x): return k\n    return inner\nf = make(1)", "make(1)", "make(2)"),
    value("closure over an instance", "class C:\n    def __init__(self, a): self.a = a\ndef make(k):\n    def inner(x): return k.a\n    return inner\nf = make(C(1))", "C(1)", "C(2)"),
    value("closure over an odd object", "import decimal\ndef make(k):\n    def inner(x): return k.prec\n    return inner\nf = make(decimal.Context(prec=3))", "prec=3", "prec=4"),
    value("closure over many", "def make(k):\n    def inner(x): return k[0]\n    return inner\nf = make([1] + [0] * 3000)", "[1]", "[2]"),
    value("default of helper", "def g(x, n=1): return n\ndef f(x): return g(x)", "n=1", "n=2"),
    value("keyword default of helper", "def g(x, *, n=1): return n\ndef f(x): return g(x)", "n=1", "n=2"),
    value("list as default of helper", "def g(x, n=[1]): return n\ndef f(x): return g(x)", "[1]", "[2]"),
    value("attribute of function", "def g(x): return g.k\ng.k = 1\ndef f(x): return g(x)", "k = 1", "k = 2"),
    value("settings of a decorator", "def by(k):\n    def deco(g):\n        def w(x): return g(x) * k\n        return w\n    return deco\n@by(2)\ndef h(x): return x\ndef f(x): return h(x)", "by(2)", "by(3)"),
    value("namespace", "import types\nN = types.SimpleNamespace(a=1)\ndef f(x): return N.a", "a=1", "a=2"),
    value("argparse", "import argparse\nN = argparse.Namespace(a=1)\ndef f(x): return N.a", "a=1", "a=2"),
    value("regular expression", "import re\nR = re.compile('a')\ndef f(x): return R.sub('', x)", "'a'", "'b'"),
    value("flags of a regular expression", "import re\nR = re.compile('a', re.I)\ndef f(x): return R.sub('', x)", "re.I", "re.S"),
    value("path", "import pathlib\nP = pathlib.Path('a')\ndef f(x): return P.name", "'a'", "'b'"),
    value("deque", "import collections\nD = collections.deque([1], 3)\ndef f(x): return D.maxlen", ", 3", ", 4"),
    value("default factory", "import collections\nD = collections.defaultdict(int)\ndef f(x): return D[1]", "(int)", "(str)"),
    value("two equal code objects", "g = lambda: 0.0\ndef f(x): return g()", "0.0", "-0.0"),
    value("class attribute that a class method set", f"{SETTER}S.set(1)\ndef f(x): return S.k", "S.set(1)", "S.set(2)"),
    value("class attribute that a method set", "class S:\n    k = 0\n    def set(self, k): self.__class__.k = k\nS().set(1)\ndef f(x): return S.k", ".set(1)", ".set(2)"),
    value("class dict that a class method filled", f"{SETTER}S.add('k', 1)\ndef f(x): return S.d['k']", "'k', 1", "'k', 2"),
    value("class attribute by an argument's class", f"{SETTER}S.set(1)\ndef g(s): return s.k\ndef f(x): return g(S())", "S.set(1)", "S.set(2)"),
    value("registry by __init_subclass__", f"{SUBCLASSES}class P(B):\n    def m(self): return 1\ndef f(x): return B.R['P']().m()", "return 1", "return 2"),
    value("list by __init_subclass__", "class B:\n    R = []\n    def __init_subclass__(cls):\n        super().__init_subclass__()\n        cls.R.append(cls)\nclass P(B):\n    def m(self): return 1\ndef f(x): return [c().m() for c in B.R]", "return 1", "return 2"),
    value("new in a registry by __init_subclass__", f"{SUBCLASSES}class P(B): pass\ndef f(x): return len(B.R)", "class P(B): pass", "class P(B): pass\nclass Q(B): pass"),
    value("registry of a module by __init_subclass__", "R = {}\nclass B:\n    def __init_subclass__(cls): R[cls.__name__] = cls\nclass P(B):\n    def m(self): return 1\ndef f(x): return R['P']().m(), B", "return 1", "return 2"),
    value("registry by a metaclass", f"{METACLASS}class B(metaclass=M): pass\nclass P(B):\n    def m(self): return 1\ndef f(x): return M.R['P']().m()", "return 1", "return 2"),
    value("registry by a class method", "class B:\n    R = {}\n    @classmethod\n    def register(cls, g):\n        cls.R[g.__name__] = g\n        return g\n@B.register\ndef h(x): return 1\ndef f(x): return B.R['h'](x)", "return 1", "return 2"),
    value("a registry that nothing reads", f"{SUBCLASSES}def f(x): return B()", "def f", "class P(B): pass\ndef f", "same"),
    value("a registry of a metaclass that nothing reads", f"{METACLASS}class B(metaclass=M): pass\ndef f(x): return B()", "def f", "class P(B): pass\ndef f", "same"),
    value("a counter of a class that is called", f"{SETTER}S.n = 1\ndef f(x): return S.count()", "S.n = 1", "S.n = 2", "same"),
    value("a counter of a class that isn't called by name", f"{SETTER}S.n = 1\ndef f(x): return S.k", "S.n = 1", "S.n = 2", "same"),
    value("pd.Timestamp", "import pandas as pd\nT = pd.Timestamp('2020-01-01')\ndef f(x): return x > T", "2020-01-01", "2021-01-01"),
    value("pd.Timedelta in a tuple", "import pandas as pd\nT = (pd.Timedelta('1d'), pd.NaT)\ndef f(x): return x > T[0]", "1d", "2d"),
    value("pd.Categorical", "import pandas as pd\nT = pd.Categorical(['a', 'b'])\ndef f(x): return T[0]", "'a', 'b'", "'b', 'a'"),
    value("itemgetter", "import operator\ng = operator.itemgetter(0)\ndef f(x): return g(x)", "(0)", "(1)"),
    value("attrgetter", "import operator\ng = operator.attrgetter('real')\ndef f(x): return g(x)", "real", "imag"),
    value("array.array", "import array\nA = array.array('d', [1.0])\ndef f(x): return A[0]", "1.0", "2.0"),
    value("global in the text of a query", "T = 1\ndef f(df): return df.query('x > @T')", "T = 1", "T = 2"),
    value("global in the text of a frame's eval", "T = 1\ndef f(df): return df.eval('x * @T')", "T = 1", "T = 2"),
    value("local copy in the text of a query", "T = 1\ndef f(df):\n    limit = T\n    return df.query('x > @limit')", "T = 1", "T = 2"),
    value("local copy of an entry in locals()", "T = {'a': 1}\ndef f(x):\n    cut = T['a']\n    return '%(cut)s' % locals()", "'a': 1", "'a': 2"),
    value("default of make_dataclass", "import dataclasses\nC = dataclasses.make_dataclass('C', [('k', int, 1)])\ndef f(x): return C().k", "int, 1", "int, 2"),
    value("private setting of an installed wrapper", "class W:\n    __module__ = 'numpy.fake'\n    def __init__(self, func, k): self.func, self._k = func, k\n    def __call__(self, x): return self.func(x) * self._k\ndef g(x): return x\nw = W(g, 1)\ndef f(x): return w(x)", "W(g, 1)", "W(g, 2)"),
    value("types of np.vectorize", "import numpy as np\ndef g(x): return x\nv = np.vectorize(g, otypes=[float])\ndef f(x): return v(x)", "[float]", "[int]"),
    value("a frozen class of attrs", "import attr\n@attr.frozen\nclass A:\n    a: int = 1\ndef f(x): return A().a", "int = 1", "int = 2"),
    value("module's constant through the module", "import prog2\ndef f(x): return prog2.K", "prog2.K", "prog2.K + 0", "changed", {"prog2.py": "K = 1"}),
    ("module constant", {_P: "import prog2\ndef f(x): return prog2.K", "prog2.py": "K = 1"}, [("prog2.py", "K = 1", "K = 2")], "changed"),
    ("module constant by getattr", {_P: "import prog2\ndef f(x): return getattr(prog2, 'K')", "prog2.py": "K = 1"}, [("prog2.py", "K = 1", "K = 2")], "changed"),
    ("module list", {_P: "import prog2\ndef f(x): return prog2.K[0]", "prog2.py": "K = [1]"}, [("prog2.py", "[1]", "[2]")], "changed"),
]

BASE = '''import lib
N = [1, 2]
CALLS = 0
def deco(g):
    def w(x):
        return g(x)
    return w
@deco
def h(x):
    return lib.sq(x)
class C:
    """Doc."""
    def m(self, x):
        """Doc."""
        return h(x) if x else None
def f(x, k=None):
    """Doc."""
    global CALLS
    CALLS += 1
    y = C().m(x); return (y, N[0], k)
'''


def same(name: str, *changes: tuple[str, str, str]):
    """A case in which nothing that matters is edited."""
    return name, {"lib.py": LIB, _P: BASE}, list(changes), "same"


UNSEEN = [
    same("nothing"),
    same("comment", (_P, "    global CALLS", "    # a comment\n    global CALLS")),
    same("comment in helper", ("lib.py", "    return x * x", "    # a comment\n\n    return x * x  # and another")),
    same("docstring", (_P, '    """Doc."""\n    global', '    """Other\n    text."""\n    global')),
    same("no docstring", (_P, '    """Doc."""\n    global', "    global")),
    same("docstring of method", (_P, '        """Doc."""\n        return', '        """X."""\n        return')),
    same("no docstring of method", (_P, '        """Doc."""\n        return', "        return")),
    same("docstring of class", (_P, '    """Doc."""\n    def m', '    """Y."""\n    def m')),
    same("formatting", (_P, "y = C().m(x); return (y, N[0], k)", "y = (\n        C()\n        .m(\n            x\n        )\n    )\n    return (\n        y, N[0],\n        k)")),
    same("lines above", (_P, "import lib", "import lib\n\n\nX = 3\n")),
    same("another function", (_P, "def f(", "def unrelated(x): return 1\ndef f(")),
    same("unused helper", ("lib.py", "x ** 3", "x ** 4")),
    same("unused constant", ("lib.py", "K = 3", "K = 4")),
    same("a counter", (_P, "CALLS = 0", "CALLS = 7")),
    same("annotation of f", (_P, "def f(x, k=None)", "def f(x: int, k=None) -> tuple")),
]

#: What counts by value though it is an installed library's, alone, in classes or in containers, and what beside it doesn't.
_SPLINE = "from scipy.interpolate import CubicSpline\n"
_RNG = "import numpy as np\nr = np.random.default_rng()\n"
OBJECTS = [
    value("spline in a class", _SPLINE + "class C:\n    s = CubicSpline([0, 1, 2], [0, 1, 2])\n    def m(self, x): return self.s(x)\ndef f(x): return C().m(x)", "[0, 1, 2])", "[0, 1, 3])"),
    value("spline in a class, set later", _SPLINE + "class C: pass\nC.s = CubicSpline([0, 1, 2], [0, 1, 2])\ndef f(x): return C.s(x)", "[0, 1, 2])", "[0, 1, 3])"),
    value("static spline in a class", _SPLINE + "class C:\n    s = staticmethod(CubicSpline([0, 1, 2], [0, 1, 2]))\ndef f(x): return C.s(x)", "[0, 1, 2])", "[0, 1, 3])"),
    value("dict of splines in a class", _SPLINE + "class C:\n    s = {'a': CubicSpline([0, 1, 2], [0, 1, 2])}\ndef f(x): return C.s['a'](x)", "[0, 1, 2])", "[0, 1, 3])"),
    value("member of an enum", _SPLINE + "import enum\nclass E(enum.Enum):\n    a = CubicSpline([0, 1, 2], [0, 1, 2])\ndef f(x): return E.a.value(x)", "[0, 1, 2])", "[0, 1, 3])"),
    value("estimator in a class", "from sklearn.linear_model import Ridge\nclass C:\n    m = Ridge(1.0)\n    def p(self, x): return self.m.alpha\ndef f(x): return C().p(x)", "1.0", "2.0"),
    value("fitted estimator", "import numpy as np\nfrom sklearn.linear_model import Ridge\nm = Ridge().fit(np.eye(3), [0, 1, 2])\ndef f(x): return m.predict(x)", "[0, 1, 2]", "[0, 1, 3]"),
    value("pipeline over a function", "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\ndef g(x): return x * 1\np = make_pipeline(FunctionTransformer(g))\ndef f(x): return p.transform(x)", "x * 1", "x * 2"),
    value("parameter of an estimator that is fitted", "from sklearn.preprocessing import MinMaxScaler\nm = MinMaxScaler(clip=False)\ndef f(x): return m.fit_transform(x)", "=False", "=True"),
    value("what an estimator had found that is fitted", "import numpy as np\nfrom sklearn.linear_model import Ridge\nm = Ridge().fit(np.eye(3), [0, 1, 2])\ndef f(x): return m.fit(x, x).coef_", "[0, 1, 2]", "[0, 1, 3]", "same"),
    value("spline in a list", _SPLINE + "L = [1, CubicSpline([0, 1, 2], [0, 1, 2])]\ndef f(x): return L[1](x)", "[0, 1, 2])", "[0, 1, 3])"),
    value("number beside a spline", _SPLINE + "D = {'k': 1, 's': CubicSpline([0, 1, 2], [0, 1, 2])}\ndef f(x): return D['k']", "'k': 1", "'k': 2"),
    value("number beside a generator", _RNG + "D = {'k': 1, 'r': r}\ndef f(x): return D['k']", "'k': 1", "'k': 2"),
    value("number deep beside a generator", _RNG + "D = [{'a': [r, {'k': 1}]}, r]\ndef f(x): return D[0]['a'][1]['k']", "'k': 1", "'k': 2"),
    value("number in a cycle beside a generator", _RNG + "D = {'k': 1, 'r': r}\nD['me'] = D\ndef f(x): return D['k']", "'k': 1", "'k': 2"),
    value("number beside a generator in a class", _RNG + "class C:\n    D = {'k': 1, 'r': r}\ndef f(x): return C.D['k']", "'k': 1", "'k': 2"),
    value("number beside a lock", "import threading\nD = {'k': 1, 'l': threading.Lock()}\ndef f(x): return D['k']", "'k': 1", "'k': 2"),
    value("number in a namespace beside a generator", _RNG + "from types import SimpleNamespace as N\nD = N(k=1, r=r)\ndef g(d): return d.k\ndef f(x): return g(D)", "k=1", "k=2"),
    value("number in an object beside a file", "class C:\n    def __init__(self, k): self.k, self.l = k, open('/dev/null')\nc = C(1)\ndef g(c): return c.k\ndef f(x): return g(c)", "C(1)", "C(2)"),
    value("number in a dataclass beside a generator", _RNG + "import dataclasses\n@dataclasses.dataclass\nclass C:\n    k: int\n    r: object\nc = C(1, r)\ndef g(c): return c.k\ndef f(x): return g(c)", "C(1", "C(2"),
    value("function beside a generator", _RNG + "def h(x): return x + 1\nD = [h, r]\ndef f(x): return D[0](x)", "x + 1", "x + 2"),
    value("method of an object beside a generator", _RNG + "class C:\n    def __init__(self): self.r = r\n    def m(self): return 1\nD = [C(), r]\ndef f(x): return D[0].m()", "return 1", "return 2"),
    value("one of 9,000 values", "L = list(range(9000)) + [1]\ndef f(x): return L[x]", "[1]", "[2]"),
    value("array beside a number", "import numpy as np\nD = {'k': 1, 'a': np.zeros(5000)}\ndef f(x): return D['k']", "'k': 1", "'k': 2"),
    value("frozen distribution", "from scipy import stats\nd = stats.norm(0, 2)\ndef f(x): return d.pdf(x)", "(0, 2)", "(0, 3)"),
    value("method of a frozen distribution", "from scipy import stats\nd = stats.norm(0, 2).pdf\ndef f(x): return d(x)", "(0, 2)", "(0, 3)"),
    value("distribution of one's own", "from scipy import stats\nclass R(stats.rv_continuous):\n    def _pdf(self, x): return 1 + 0 * x\nd = R(a=0, b=1)\ndef f(x): return d.pdf(x)", "1 + 0", "2 + 0"),
    value("distribution of several variables", "from scipy import stats\nd = stats.multivariate_normal([0, 1])\ndef f(x): return d.pdf(x)", "[0, 1]", "[0, 2]"),
    value("toolz.compose", "import toolz\ndef g(x): return x + 1\np = toolz.compose(abs, g)\ndef f(x): return p(x)", "x + 1", "x + 2"),
    value("toolz.juxt", "import toolz\ndef g(x): return x + 1\np = toolz.juxt(abs, g)\ndef f(x): return p(x)", "x + 1", "x + 2"),
    value("argument of toolz.curry", "import toolz\ndef g(k, x): return x + k\np = toolz.curry(g, 1)\ndef f(x): return p(x)", "g, 1", "g, 2"),
    value("argument of operator.methodcaller", "import operator\np = operator.methodcaller('__add__', 1)\ndef f(x): return p(x)", "', 1)", "', 2)"),
    value("address", "import ipaddress\na = ipaddress.ip_address('10.0.0.1')\ndef f(x): return str(a)", "0.1", "0.2"),
    value("literal type", "import typing\nT = typing.Literal['a', 'b']\ndef f(x): return typing.get_args(T)", "'b'", "'c'"),
    value("optional type", "import typing\nT = typing.Optional[int]\ndef f(x): return typing.get_args(T)", "[int]", "[str]"),
    value("union of types", "T = int | str\ndef f(x): return isinstance(x, T)", "int |", "float |"),
    value("what a setter beside a function sets", "K = 1\ndef g(): return K\ndef put(k):\n    global K\n    K = k\ng.put = put\ndef f(x): return g()", "K = 1", "K = 2"),
    value("method put on a table's class", "import pandas as pd\ndef g(t): return h(t)\ndef h(t): return 1\npd.DataFrame.g = g\ndef f(x): return x.g()", "return 1", "return 2"),
    value("property put on a table's class", "import pandas as pd\npd.Series.g = property(lambda t: 1)\ndef f(x): return x.g", "t: 1", "t: 2"),
    value("accessor of a table", "import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('g')\nclass G:\n    def __init__(self, t): self.t = t\n    def m(self): return 1\ndef f(x): return x.g.m()", "return 1", "return 2"),
    value("method put on a spline's class", _SPLINE + "def g(s): return 1\nCubicSpline.g = g\ndef f(x): return x.g()", "return 1", "return 2"),
    value("method put on a class of tables that isn't called", "import pandas as pd\ndef g(t): return 1\npd.DataFrame.g = g\ndef f(x): return x.sum()", "return 1", "return 2", "same"),
    value("format of a struct", "import struct\nS = struct.Struct('<i')\ndef f(x): return S.size", "<i", "<q"),
    value("format of a struct in a class", "import struct\nclass C:\n    S = [struct.Struct('<i')]\ndef f(x): return C.S[0].size", "<i", "<q"),
    value("precision of a decimal context", "import decimal\nC = decimal.Context(prec=5)\ndef f(x): return C.divide(1, 3)", "prec=5", "prec=6"),
    value("environment", "import os\nos.environ['NDCACHE_ODD'] = 'a'\nfrom os import environ\ndef f(x): return environ", "'a'", "'b'", "same"),
    value("what a weak reference leads to", "import weakref\nclass C: pass\nc = C()\nc.k = 1\nr = weakref.ref(c)\ndef f(x): return r().k", "c.k = 1", "c.k = 2"),
    value("metadata of a field", "import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = dataclasses.field(default=1, metadata={'k': 1})\ndef f(x): return dataclasses.fields(C)[0].metadata['k']", "'k': 1", "'k': 2"),
    value("annotation that a decorator reads", "import functools, inspect\ndef by(g):\n    @functools.wraps(g)\n    def w(x): return g(x * inspect.signature(g).parameters['x'].annotation)\n    return w\n@by\ndef h(x: 1): return x\ndef f(x): return h(x)", "x: 1", "x: 2"),
    value("annotation under an installed decorator", "import toolz\n@toolz.curry\ndef h(x: int): return x\ndef f(x): return h(x)", "x: int", "x: str"),
    value("annotation that nobody reads", "import functools\n@functools.lru_cache\ndef h(x: int): return x\ndef f(x): return h(x)", "x: int", "x: str", "same"),
    value("generator in a class", "import numpy as np\nclass C:\n    r = np.random.default_rng(1)\n    def m(self): return self.r.normal()\ndef f(x): return C().m()", "rng(1)", "rng(2)", "same"),
]

#: A local name stands for a copy by the time the copy is changed: what it was made of counts.
COPIES = [
    value("default that a list is made of", "def g(x, w=[1]):\n    w = list(w)\n    w.append(x)\n    return w\ndef f(x): return g(x)", "[1]", "[2]"),
    value("tuple as default that a list is made of", "def g(x, w=(1,)):\n    w = list(w)\n    w.append(x)\n    return w\ndef f(x): return g(x)", "(1,)", "(2,)"),
    value("number as default that an array is made of", "import numpy as np\ndef g(x, n=3):\n    n = np.zeros(n)\n    n[0] = x\n    return n\ndef f(x): return g(x)", "n=3", "n=4"),
    value("view of bytes", "V = memoryview(b'abc')\ndef f(x): return bytes(V)", "abc", "abd"),
    value("list that another is made of", "W = [1]\ndef f(x):\n    w = W\n    w = list(w)\n    w.append(x)\n    return w", "[1]", "[2]"),
    value("array that another is made of", "import numpy as np\nW = np.array([1.0, 2.0])\ndef f(x):\n    w = W\n    w = w / w.sum()\n    w[0] = x\n    return w", "1.0", "3.0"),
    value("dict for want of another", "D = {'k': 1}\ndef f(x, o=None):\n    o = o or D\n    o = dict(o)\n    o['z'] = x\n    return o", "'k': 1", "'k': 2"),
    value("entry that another dict is made of", "T = [{'k': 1}]\ndef f(x):\n    r = T[0]\n    r = {**r}\n    r['z'] = x\n    return r", "'k': 1", "'k': 2"),
    value("attribute of an object that is copied", "import copy\nclass S:\n    def __init__(self, k): self.k = k\nS = S(1)\ndef f(x):\n    c = S\n    c = copy.copy(c)\n    k = c.k\n    c.k = x\n    return k", "S(1)", "S(2)"),
    value("list that a comprehension adds to a copy of", "W = [1]\ndef f(x):\n    w = W\n    w = list(w)\n    [w.append(y) for y in x]\n    return w", "[1]", "[2]"),
    value("dict of a class that an object has a copy of", "class C:\n    o = {'k': 1}\n    def __init__(self, x):\n        self.o = dict(self.o)\n        self.o.update(z=x)\n    def m(self): return self.o\ndef f(x): return C(x).m()", "'k': 1", "'k': 2"),
    value("list of a class that a base's method copies", "class B:\n    o = []\n    def __init__(self): self.o = list(self.o)\nclass C(B):\n    o = [1]\n    def add(self, x): self.o.append(x)\ndef f(x):\n    c = C()\n    c.add(x)\n    return c.o", "[1]", "[2]"),
    value("default of the name of a nested parameter", "def g(x, w=[1]):\n    def inner(w): w.append(x)\n    inner(list(w))\n    return w\ndef f(x): return g(x)", "[1]", "[2]"),
    value("log by another name", "L = [1]\ndef f(x):\n    log = L\n    log.append(x)\n    return x", "[1]", "[2]", "same"),
    value("log by another name in a loop", "L = [1]\ndef f(x):\n    log = L\n    for y in x:\n        log.append(y)\n        log = L\n    return x", "[1]", "[2]", "same"),
    value("log by another name that grows in place", "L = [1]\ndef f(x):\n    log = L\n    log += [x]\n    log.append(x)\n    return x", "[1]", "[2]", "same"),
    value("log that a comprehension adds to", "L = [1]\ndef f(x):\n    log = L\n    return [log.append(y) for y in x]", "[1]", "[2]", "same"),
    value("log as a default", "def g(x, log=[1]):\n    log.append(x)\n    return x\ndef f(x): return g(x)", "[1]", "[2]", "same"),
    value("memory of a class", "class C:\n    known = {1: 1}\n    def m(self, x):\n        self.known[x] = x\n        return x\ndef f(x): return C().m(x)", "1: 1", "1: 2", "same"),
]

_ENUM = "import enum, functools\nclass E(enum.Enum):\n    A = (1, 'x')\n"
_LABELS = "    def __new__(cls, value, label):\n        self = object.__new__(cls)\n        self._value_, self.label = value, label\n        return self\n"
#: What an enum has beside the values of its members.
ENUMS = [
    value("attribute that __new__ gives to a member", _ENUM + _LABELS + "def f(x): return E.A.label", "'x'", "'y'"),
    value("attribute of a captured member", _ENUM + _LABELS + "M = E.A\ndef f(x): return M.label", "'x'", "'y'"),
    value("attribute that a member is given later", _ENUM + "E.A.label = 1\ndef f(x): return E.A.label", "label = 1", "label = 2"),
    value("number that a member is beside its value", _ENUM.replace("enum.Enum", "int, enum.Enum") + "    def __new__(cls, value, label):\n        self = int.__new__(cls, value)\n        self._value_ = label\n        return self\ndef f(x): return E.A + x", "(1,", "(2,"),
    value("what is no member", _ENUM + "    K = enum.nonmember(1)\ndef f(x): return E.K", "nonmember(1)", "nonmember(2)"),
    value("private dict of an enum", _ENUM + "    __labels = {1: 'a'}\n    def m(self): return self.__labels\ndef f(x): return E.A.m()", "'a'", "'b'"),
    value("dict that an enum is given later", _ENUM + "E.labels = {1: 'a'}\ndef f(x): return E.labels", "'a'", "'b'"),
    value("cached method of an enum", _ENUM + "    @functools.lru_cache\n    def m(self): return 1\ndef f(x): return E.A.m()", "return 1", "return 2"),
    value("enum.property", _ENUM + "    @enum.property\n    def m(self): return 1\ndef f(x): return E.A.m", "return 1", "return 2"),
    value("single dispatch in an enum", _ENUM + "    @functools.singledispatchmethod\n    def m(self, x): return 1\ndef f(x): return E.A.m(x)", "return 1", "return 2"),
    value("counter of a member", _ENUM + "    def m(self):\n        self.n = getattr(self, 'n', 0) + 1\n        return 1\nE.A.n = 1\ndef f(x): return E.A.m()", "A.n = 1", "A.n = 2", "same"),
    value("order of an enum's methods", _ENUM + "    def a(self): return 1\n    def b(self): return 2\ndef f(x): return E.A.a()", "    def a(self): return 1\n    def b(self): return 2", "    def b(self): return 2\n    def a(self): return 1", "same"),
]

#: What methods keep in their class is state, by whatever way they come to it.
_KEEPS = "class C:\n    n, known = 0, {}\n    def m(self, x):\n        "
KEPT = [
    value("counter by type(self)", _KEEPS + "type(self).n += 1\n        return x\nC.n = 1\ndef f(x): return C().m(x)", "C.n = 1", "C.n = 2", "same"),
    value("memory by type(self)", _KEEPS + "type(self).known[x] = x\n        return x\nC.known[1] = 1\ndef f(x): return C().m(x)", "[1] = 1", "[1] = 2", "same"),
    value("memory by __class__", _KEEPS + "self.__class__.known[x] = x\n        return x\nC.known[1] = 1\ndef f(x): return C().m(x)", "[1] = 1", "[1] = 2", "same"),
    value("counter that a subclass gets", _KEEPS + "type(self).n += 1\n        return x\nclass D(C):\n    def k(self): return 1\nD.n = 1\ndef f(x): return D().m(x)", "D.n = 1", "D.k", "same"),
    value("setting beside a counter by type(self)", _KEEPS + "type(self).n += 1\n        return self.k\nC.k = 1\ndef f(x): return C().m(x)", "C.k = 1", "C.k = 2"),
]

#: As pydantic keeps the fields of a model.
_MODEL = """
import os
class Field:
    __module__, __slots__ = "numpy.fake", ("default", "metadata")
    def __init__(self, default, metadata): self.default, self.metadata = default, metadata
class Gt:
    __module__ = "numpy.fake"
    def __init__(self, n): self.n = n
    def __reduce__(self): return int, (self.n,)
class C:
    @classmethod
    def make(cls): return cls.__pydantic_fields__["k"].default
C.__pydantic_fields__ = {"k": Field(default=1, metadata=[Gt(0)])}
C.__pydantic_core_schema__ = {"ref": os.getpid(), "class": Gt, "schema": Field(os.getpid(), [])}
"""
#: Others' names, and arguments of bases.
NAMES = [
    ("module named as one of Python's", {_P: "def f(x):\n    import profile\n    return profile.K", "profile.py": "K = 1"}, [("profile.py", "K = 1", "K = 2")], "changed"),
    ("package named as one of Python's", {_P: "def f(x):\n    from test.deep import K\n    return K", "test/__init__.py": "", "test/deep.py": "K = 1"}, [("test/deep.py", "K = 1", "K = 2")], "changed"),
    value("attribute of a partial", "import functools\ndef g(a, x): return a\np = functools.partial(g, 1)\np.k = 1\ndef f(x): return p.k", "p.k = 1", "p.k = 2"),
    value("method of a protocol", "import typing\nclass P(typing.Protocol):\n    o: dict\n    def m(self): return 1\nclass C(P):\n    def __init__(self): self.o = {}\ndef f(x): return C().m()", "return 1", "return 2"),
    value("default of a field of pydantic", _MODEL + "def f(x): return C.make()", "default=1", "default=2"),
    value("limit of a field of pydantic", _MODEL + "def f(x): return C.make()", "Gt(0)", "Gt(1)"),
    value("argument of a base", "import typing\nT = typing.TypeVar('T')\nclass B(typing.Generic[T]):\n    def m(self): return typing.get_args(type(self).__orig_bases__[0])\nclass C(B[int]): pass\ndef f(x): return C().m()", "B[int]", "B[str]"),
]

_SHOWN = "import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = dataclasses.field(repr=True, default=1)\n    def __repr__(self): return 'C'\n"
_PROPERTY = "import sys, types\nclass M(types.ModuleType):\n    @property\n    def K(self): return 1\nsys.modules[__name__].__class__ = M"
#: What a text names that the program puts together, and what is no plain look-up.
BY_TEXT = [
    *[
        (f"{kind} of a module by a name that is put together", {_P: "import lib\ndef f(x): return getattr(lib, 'K' + str(1))", "lib.py": text}, [("lib.py", "(1)", "(2)")], "changed")
        for kind, text in {
            "list": "K1 = [(1)]", "dict": "K1 = {'a': (1)}", "array": "import numpy as np\nK1 = np.zeros(3) + (1)",
            "object": "class C:\n    def __init__(self, k): self.k = k\nK1 = C(1)",
        }.items()
    ],
    value("list of globals() by a name that is put together", "K1 = [1]\ndef f(x): return globals()['K' + str(1)]", "[1]", "[2]"),
    value("list that the text of a global names", "K1 = [1]\nS = 'K1'\ndef f(x): return eval(S)", "[1]", "[2]"),
    value("list in the text of a query", "L = [1]\ndef f(x): return x.query('a in @L')", "[1]", "[2]"),
    value("list beside one in the text of a query", "L, M = [1], [7]\ndef f(x): return x.query('a in @L')", "[7]", "[8]", "same"),
    value("log beside what a text names", "K1, LOG = [1], [7]\ndef f(x):\n    LOG.append(x)\n    return globals()['K' + str(1)]", "[7]", "[8]", "same"),
    ("property of a module", {_P: "import lib\ndef f(x): return lib.K", "lib.py": _PROPERTY}, [("lib.py", "return 1", "return 2")], "changed"),
    value("whether a field is shown", _SHOWN + "def f(x): return [q.repr for q in dataclasses.fields(C)]", "repr=True", "repr=False"),
    value("docstring of a function that is read", "def g():\n    'a'\ndef f(x): return g.__doc__", "'a'", "'b'"),
    value("docstring of a class that is read", "import inspect\nclass C:\n    'a'\ndef f(x): return inspect.getdoc(C)", "'a'", "'b'"),
    value("slot of a number", "class F(float):\n    __slots__ = ('u',)\nk = F(1.0)\nk.u = 1\ndef f(x): return k.u", "u = 1", "u = 2"),
]

ALL = SEEN + VALUES + OBJECTS + COPIES + ENUMS + KEPT + NAMES + BY_TEXT + UNSEEN
