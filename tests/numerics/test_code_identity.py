"""The digest of what computes: it follows the numbers, not the comments, and its memo is never believed."""

import ast
import json
import os
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest

import asmrisk
from asmrisk.numerics import code_identity as home
from asmrisk.numerics import jit
from asmrisk.numerics.code_identity import code_identity, covered_modules

PACKAGE = Path(asmrisk.__file__).parent
MODEL = "asmrisk.simulation.model"
DECORATORS = {"inline", "inner", "kernel"}


@pytest.fixture(scope="module")
def shared_memo(tmp_path_factory):
    return tmp_path_factory.mktemp("memo")


@pytest.fixture(autouse=True)
def _no_memo_of_the_user(shared_memo, monkeypatch):
    monkeypatch.setenv("ASMRISK_CACHE_DIR", str(shared_memo))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """The package as it is now, whatever is done to the checkout meanwhile."""
    root = tmp_path_factory.mktemp("pristine") / "asmrisk"
    return shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def root(pristine, tmp_path):
    """A copy of the package, to be changed."""
    return shutil.copytree(pristine, tmp_path / "asmrisk")


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A folder of its own for the memo."""
    monkeypatch.setenv("ASMRISK_CACHE_DIR", str(tmp_path / "fresh"))
    return tmp_path / "fresh"


def identity(root, *entries):
    code_identity.cache_clear()
    return code_identity(*(entries or (MODEL,)), root=root)


def change(root, name, old, new):
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def package(root, files):
    """Write a package ``toy`` of modules ``{"a": text, "b/c": text}``; give its folder."""
    for name, text in {"__init__": "", **files}.items():
        path = root / "toy" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return root / "toy"


# What changes it


def test_it_has_thirty_two_hexadecimal_digits_and_is_the_same_again():
    first = code_identity(MODEL)
    assert len(first) == 32
    assert int(first, 16) >= 0
    assert first == identity(PACKAGE)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("rule/sums.py", '"""Add values to sums in lanes', '"""Add some values to sums in lanes'),
        ("scenario/distributions.py", '"""The distribution of one value', '"""A distribution of one value'),
        (
            "rule/sums.py",
            "    width = LANES // 2\n",
            "\n\n    # Halved below.\n    width = LANES // 2  # lanes\n",
        ),
        ("rule/sums.py", "width = LANES // 2", "width = (\n        LANES //    2\n    )"),
        (
            "scenario/distributions.py",
            "(probability * (high - low) * (mode - low))",
            "((probability*(high-low)*(mode-low)))",
        ),
        (
            "scenario/distributions.py",
            "def _normal(self, probability: float) -> float:",
            "def _normal(self, probability):",
        ),
        ("scenario/layering.py", "found: dict[int, Any] = {}", "found = {}"),
        ("scenario/distributions.py", '"distribution"', "'distribution'"),
        ("scenario/data/README.md", "the", "that"),
    ],
)
def test_what_does_not_compute_changes_nothing(pristine, root, name, old, new):
    change(root, name, old, new)
    assert identity(root) == identity(pristine)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("rule/sums.py", "LANES = 128", "LANES = 64"),
        ("rule/sums.py", "while width > 0:", "while width >= 0:"),
        ("rule/sums.py", "partial[lane] += upper[lane]", "partial[lane] -= upper[lane]"),
        ("numerics/portable_math.py", "return 1.0 / (1.0 + exp(-x))", "return 1.0 / (1.0 + exp(x))"),
        ("numerics/jit.py", 'error_model="numpy"', 'error_model="python"'),
        ("scenario/distributions.py", "(high - low) * (mode - low)", "(high - low) * (high - low)"),
        ("scenario/distributions.py", "_LARGEST_LOG_SD = 5.0", "_LARGEST_LOG_SD = 5"),
        ("scenario/scenario.py", "from __future__ import annotations\n", "import asmrisk.analysis.scoring\n"),
        ("scenario/data/cost_benchmarks.csv", "14028.5", "14028.6"),
    ],
)
def test_what_computes_changes_it(pristine, root, name, old, new):
    change(root, name, old, new)
    assert identity(root) != identity(pristine)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a, b=1): return a", "def f(a, b=2): return a"),
        ("def f(a, *, b=1): return a", "def f(a, *, b): return a"),
        ("def f(a, /, b): return a", "def f(a, b): return a"),
        ("@dataclass\nclass A:\n  x: int = 1", "@dataclass\nclass A:\n  x: int = 2"),
        ("@dataclass\nclass A:\n  x: int", "@dataclass\nclass A:\n  x: ClassVar[int]"),
        ("class A:\n  if B:\n    x: int", "class A:\n  if B:\n    x: str"),
        ("x = {**a, 'b': 1}", "x = {None: a, 'b': 1}"),
        ("x = a[1:]", "x = a[:1]"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 0.0", "x = -0.0"),
        ("x = '1'", "x = b'1'"),
        ("x = ''", "x = None"),
        ("x = f'{a}'", "x = f'{b}'"),
        ("x = f'a {a}'", "x = f'a  {a}'"),
        ("x = y = 1", "x = 1"),
        ("def f():\n  x = 1\n  return x", "def f():\n  global x\n  x = 1\n  return x"),
        ("def f():\n  if a:\n    b\n  c", "def f():\n  if a:\n    b\n    c"),
        ("if a:\n  b\nelse:\n  c", "if a:\n  b\nc"),
        ("match a:\n  case None: b", "match a:\n  case False: b"),
        ("match a:\n  case {'x': 1, **y}: b", "match a:\n  case {'x': 1}: b"),
        ("from x import y", "from .x import y"),
        ("def f(): return 1", "async def f(): return 1"),
        ("'a'\nx = 1", "f'a{b}'\nx = 1"),
    ],
)
def test_every_part_of_the_grammar_counts(tmp_path, before, after):
    first = identity(package(tmp_path / "1", {"a": before}), "toy.a")
    assert first != identity(package(tmp_path / "2", {"a": after}), "toy.a")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a: int, *b: str) -> float: return a", "def f(a, *b): return a"),
        ("def f():\n  x: int = 1", "def f():\n  x = 1"),
        ("x: int = 1", "x: 'float' = 1"),
        (
            "class A:\n  def f(self):\n    x: int\n    x = 1",
            "class A:\n  def f(self):\n    x: str\n    x = 1",
        ),
        ("class A:\n  x = 1\n  'What it is.'", "class A:\n  x = 1"),
        ("x = 'a' 'b'", "x = ('a'\n  'b')"),
        ("x = u'a'", "x = 'a'"),
        ("x = 1_000", "x = 1000"),
        ("x = 1\r\ny = f'''{a}\r\nb'''\r\n", "x = 1\ny = f'''{a}\nb'''\n"),
        ("\ufeffx = f'{a}'", "x = f'{a}'"),
        ("if a: b\nelif TYPE_CHECKING: c\nelse: d", "if a: b\nelse: d"),
        ("import typing\nif typing.TYPE_CHECKING:\n  import b", "import typing"),
    ],
)
def test_notation_does_not_count(tmp_path, before, after):
    first = identity(package(tmp_path / "1", {"a": before}), "toy.a")
    assert first == identity(package(tmp_path / "2", {"a": after}), "toy.a")


# What is followed


def test_a_module_that_is_not_reached_changes_nothing(pristine, root):
    assert "asmrisk.cli.runs" not in covered_modules(MODEL, root=root)
    change(root, "cli/runs.py", "import sys", "import this, sys")
    (root / "simulation" / "new.py").write_text("x = 1\n", encoding="utf-8")
    assert identity(root) == identity(pristine)


def test_a_module_imported_inside_a_function_is_covered(root):
    (root / "simulation" / "new.py").write_text("x = 1\n", encoding="utf-8")
    change(
        root, "rule/policy.py", "\n\n\ndef ", "\n\n\ndef new():\n    from ..simulation import new\n\n\ndef "
    )
    assert "asmrisk.simulation.new" in covered_modules(MODEL, root=root)
    before = identity(root)
    change(root, "simulation/new.py", "1", "2")
    assert identity(root) != before


def covered(root, statement, *modules, **homes):
    """Write ``toy.a`` with a statement, other modules and packages' tables; give what ``toy.a`` leads to."""
    tables = {f"{name.replace('_', '/')}/__init__": f"_HOMES = {homes[name]}" for name in homes}
    files = {"a": statement, **dict(module.partition("=")[::2] for module in modules), **tables}
    modules = covered_modules("toy.a", root=package(root, files))
    assert {"toy", "toy.a"} <= set(modules)
    return " ".join(name.removeprefix("toy.") for name in modules if name not in {"toy", "toy.a"})


@pytest.mark.parametrize(
    "statement",
    [
        "import toy.p.b",
        "import toy.p.b as other",
        "from toy.p import b",
        "from toy.p.b import x",
        "from toy.p.b import *",
        "from .p import b",
        "from .p.b import x as y",
        "from . import p\nfrom .p import b",
        "def f():\n  def g():\n    import toy.p.b",
        "class A:\n  try:\n    import toy.p.b\n  except ImportError:\n    pass",
        "if not TYPE_CHECKING:\n  import toy.p.b",
        "if TYPE_CHECKING:\n  import toy.c\nelse:\n  import toy.p.b",
        "import os, toy.p.b, toy.missing",
    ],
)
def test_imports_are_followed_in_every_form(tmp_path, statement):
    assert covered(tmp_path, statement, "p/__init__", "p/b", "p/z", "c") == "p p.b"


@pytest.mark.parametrize(
    "statement",
    ["import os", "from toy import missing", "from .. import b", "if TYPE_CHECKING:\n  import toy.b"],
)
def test_nothing_else_is_followed(tmp_path, statement):
    assert covered(tmp_path, statement, "b") == ""


def test_what_a_package_imports_when_something_in_it_is_imported_counts(tmp_path):
    files = ["p/__init__=from . import c", "p/b", "p/c=from ..d import x", "d"]
    assert covered(tmp_path, "from toy.p.b import x", *files) == "d p p.b p.c"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("from toy.p.b import x", "p p.b"),
        ("from toy.p import x", "p p.b"),
        ("from toy.p import y, other", "p p.q p.q.d"),
        ("from toy import p", "p p.b p.c p.q p.q.d"),
        ("from toy.p import *", "p p.b p.c p.q p.q.d"),
    ],
)
def test_a_name_from_a_table_of_homes_leads_to_its_home(tmp_path, statement, expected):
    homes = {"p": {"x": "b", "y": "q", "z": "c"}, "p_q": {"y": "d", "z": "e"}}
    assert covered(tmp_path, statement, "p/b", "p/c", "p/q/d", "p/q/e", **homes) == expected


def test_circles_of_imports_end(tmp_path):
    assert covered(tmp_path, "import toy.b", "b=import toy.c", "c=import toy.a") == "b c"


def test_an_entry_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"asmrisk\.simulation\.modle"):
        code_identity("asmrisk.simulation.modle")


def test_a_module_that_does_not_parse_counts_as_it_stands(tmp_path):
    root = package(tmp_path, {"a": "import toy.b", "b": "x = = 1  # one"})
    first = identity(root, "toy.a")
    change(root, "b.py", "one", "two")
    assert identity(root, "toy.a") != first


def test_everything_that_makes_numbers_is_covered():
    modules = set(covered_modules(MODEL))
    names = (
        "numerics.jit numerics.portable_math scenario.distributions parameters.parameter scenario.scenario "
        "rule.quality scenario.published_tables population.quantiles"
    )
    assert {f"asmrisk.{name}" for name in names.split()} <= modules


def kernels(path):
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef):
            names = {each.id for each in node.decorator_list if isinstance(each, ast.Name)}
            if names & DECORATORS:
                yield node


def test_the_folder_of_compiled_kernels_is_named_by_all_kernels(pristine):
    """And each has a name of its own in its module, since the line it stands on tells no two apart."""
    covered = covered_modules(*jit._KERNELS)
    found = {path: [each.name for each in kernels(path)] for path in pristine.rglob("*.py")}
    assert sum(map(len, found.values())) > 50
    for path, names in found.items():
        module = ".".join(path.relative_to(pristine.parent).with_suffix("").parts)
        assert not names or module in covered, f"{jit._KERNELS} does not lead to the kernels in {module}"
        assert len(names) == len(set(names)), f"{module} has two kernels of one name"


# The same on every Python


TRICKY = {
    "strings": (
        "x = f'{a!r:>{w}.2f} {b=} {{c}}' 'd' rf'\\d{e}'\n"
        "y = (f'one {a:%Y-%m-%d}'  # said\n     f\"two {b['c']}\" 'three')\n"
        "z = f'''a\n  {a + 1}\n\t{f\"{b}\"}''', u'ü', '\\N{BULLET}', b'\\xff' b'a', r'\\d', '\\ud800'\n"
        "é = 'é' f'ü{a}' + f'ü' 'ü'; ﬁ = 1\n"
        "def f():\n    return ü + f'{x:{y}}' + (f'{lambda_}' if a else f'')\n"
    ),
    "numbers": "x = 1e999, -0.0, 0x_ff, 1j, 10**100, 0.1, 1_0.5e-3, True, None, ..., 2 ** -1, not a, ~b\n",
    "calls": "@a.b(1)\n@c\nasync def f(a, /, b: int = 1, *c, d, e=2, **g) -> None:\n"
    "    async with h as i, j: await k(*l, m=n, **o)\n    return [p async for p in q if r if s]\n",
    "matching": "match a:\n  case {'x': [1, *_], **r} if b: pass\n  case A(1, b=None) | -1 | 'c' as d: pass\n"
    "  case None | True: pass\n  case _: pass\n",
    "scopes": "def f():\n  global x\n  def g():\n    nonlocal y\n    z: int\n    (w): int = 1\n"
    "    return (v := x), {**y}\n",
    "errors": "try:\n  a\nexcept* (B, C) as d:\n  raise E from d\nelse: f\nfinally: del g[1:2, ::3], h\n",
    "classes": "class A(B, metaclass=C):\n  'Doc.'\n  x: 'int' = 1\n  'Of x.'\n  if d:\n    y: str\n"
    "  def f(self): 'Doc.'\n  z = lambda self, *, k=1: (yield k)\n",
    "words": "type = match = case = _ = 1\nprint(type, match)\n"
    "with (open(a) as b, c): pass\nx[*y] = z[a, *b]\n",
    "lines": "x = 1 + \\\n  2\n\x0c\ny = 3; z = 4\n"
    "if a: b\nelif c: d\nfor e in f: continue\nelse: g\nassert h, i\n",
}


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_it_is_the_same_on_another_python(pristine, tmp_path, version):
    python = shutil.which(f"python{version}")
    says = "import sys; print('%d.%d' % sys.version_info[:2])"
    # What pyenv puts on the path may only say that there is none.
    if (
        python is None
        or subprocess.run([python, "-c", says], capture_output=True, text=True).stdout.strip() != version
    ):
        pytest.skip(f"python{version} is not installed")
    modules = [
        ".".join(path.relative_to(pristine.parent).with_suffix("").parts) for path in pristine.rglob("*.py")
    ]
    everything = sorted(name for name in modules if not name.endswith("__init__"))
    tricky = package(tmp_path, TRICKY)
    names = [f"toy.{name}" for name in TRICKY]
    script = (
        "import json, pathlib, runpy, sys\n"
        "identity = runpy.run_path(sys.argv[1])['code_identity']\n"
        "asked = json.load(sys.stdin)\n"
        "print([identity(*names, root=pathlib.Path(root)) for root, names in asked])\n"
    )
    asked = [[str(pristine), everything], *([str(tricky), [name]] for name in names)]
    done = subprocess.run(
        [python, "-I", "-c", script, home.__file__],
        input=json.dumps(asked),
        env=dict(os.environ) | {"ASMRISK_CACHE_DIR": str(tmp_path / "memo")},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [code_identity(*names, root=Path(root)) for root, names in asked]
    assert ast.literal_eval(done.stdout) == here
    assert len(set(here)) == len(here)


# The memo


def memo_file(folder):
    (file,) = (folder / "code-identity").iterdir()
    return file


def test_the_memo_spares_the_parsing(pristine, fresh, monkeypatch, record_property):
    first = identity(pristine)
    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", lambda *_: pytest.fail("parsed again"))
        start = time.perf_counter()
        assert identity(pristine) == first
        seconds = time.perf_counter() - start
    record_property("warm milliseconds", round(seconds * 1000.0, 1))
    print(f"warm: {seconds * 1000.0:.1f} ms")
    assert seconds < 0.5


def test_a_memo_of_others_or_damaged_is_ignored(tmp_path, fresh):
    root = package(tmp_path, {"a": "import toy.b", "b": "x = 1", "c": "x = 2"})
    right = identity(root, "toy.a"), identity(root, "toy.c")
    file = memo_file(fresh)
    sound = json.loads(file.read_text())
    keys = list(sound)
    check, *facts = sound[keys[0]].split()
    forgeries = [
        b"",
        b"\xff\x00",
        file.read_bytes()[:-7],
        file.read_bytes().replace(facts[0][:8].encode(), b"00000000"),
        b"[" * 100_000,
        b'{"a": 1',
        b"[1, 2]",
        b"null",
        json.dumps({key: [1] for key in keys}).encode(),
        json.dumps(dict.fromkeys(keys, "")).encode(),
        json.dumps(dict(zip(keys, reversed(list(sound.values())), strict=True))).encode(),
        json.dumps(dict.fromkeys(keys, f"{check} {'0' * 32}")).encode(),
        json.dumps({key: value + " toy.c:" for key, value in sound.items()}).encode(),
    ]
    for forged in forgeries:
        file.write_bytes(forged)
        assert (identity(root, "toy.a"), identity(root, "toy.c")) == right
        assert json.loads(file.read_text()) == sound


def test_a_memo_of_another_version_of_the_code_is_ignored(tmp_path, fresh):
    root = package(tmp_path, {"a": "x = 1"})
    code = tmp_path / "code_identity.py"
    shutil.copyfile(home.__file__, code)
    change(tmp_path, code.name, "return kind, type(node.value).__name__, ", "return kind, ")
    other = runpy.run_path(str(code))["code_identity"]("toy.a", root=root)
    theirs = memo_file(fresh)
    content = theirs.read_bytes()
    theirs.unlink()
    right = identity(root, "toy.a")
    assert right != other
    ours = memo_file(fresh)
    assert ours.name != theirs.name
    ours.write_bytes(content)
    assert identity(root, "toy.a") == right


def test_a_memo_that_cannot_be_read_or_written_does_not_matter(tmp_path, fresh, monkeypatch):
    root = package(tmp_path, {"a": "x = 1"})
    right = identity(root, "toy.a")
    name = memo_file(fresh).name
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "code-identity" / name).mkdir(parents=True)
    for place in ("file", "file/below", "folder"):
        monkeypatch.setenv("ASMRISK_CACHE_DIR", str(tmp_path / place))
        assert identity(root, "toy.a") == right
    assert [each.name for each in (tmp_path / "folder" / "code-identity").iterdir()] == [name]


def test_the_memo_does_not_grow_without_end(tmp_path, fresh):
    root = package(tmp_path, {f"a{number}": f"x = {number}" for number in range(600)})
    identity(root, *(f"toy.a{number}" for number in range(600)))
    kept = json.loads(memo_file(fresh).read_text())
    assert 100 < len(kept) <= 500
    (root / "a0.py").write_text("x = 600")
    identity(root, "toy.a0")
    others = json.loads(memo_file(fresh).read_text())
    assert len(others) == len(kept)
    assert others.keys() != kept.keys()


def test_processes_may_start_at_once(pristine, fresh):
    script = "import runpy, sys; print(runpy.run_path(sys.argv[1])['code_identity'](*sys.argv[2:]))"
    command = [sys.executable, "-c", script, str(pristine / "numerics" / "code_identity.py"), MODEL]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {each.communicate()[0].strip() for each in started}
    assert said == {identity(pristine)}
    assert json.loads(memo_file(fresh).read_text())


# Compiled kernels


@pytest.fixture
def compiled(root, tmp_path):
    """Run a kernel of the copy in a process of its own; give the compiled files with the time of each."""
    if numba.config.DISABLE_JIT:
        pytest.skip("kernels are not compiled")
    place = tmp_path / "kernels"
    # Python takes bytecode for current whose source has its size and the second of its last change.
    environment = dict(os.environ) | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root.parent)}
    environment["ASMRISK_CACHE_DIR"] = str(place)

    def run(before=""):
        script = (
            f"from asmrisk.numerics import jit; import numpy as np\n{before}\nfrom asmrisk.rule import sums\n"
            "print(sums.__file__, sums.sum_of_lanes(np.arange(sums.LANES) + 0.5))\n"
        )
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        file, total = done.stdout.split()
        assert file == str(root / "rule" / "sums.py")
        return float(total), {path: path.stat().st_mtime_ns for path in place.rglob("*.nbc")}

    return run


def test_a_docstring_edit_compiles_nothing_again(root, compiled):
    total, first = compiled()
    assert total == 128**2 / 2
    assert [path.name for path in first if "sum_of_lanes" in path.name]
    change(root, "rule/sums.py", '"""Sums', '"""Really.\n\nSums')
    change(root, "rule/sums.py", '"""Add the lanes', '"""Add all\n\n    the lanes')
    assert compiled() == (total, first)
    change(root, "rule/sums.py", "width = LANES // 2", "width = LANES // 4")
    total, second = compiled()
    assert total == 64**2 / 2
    assert len({path.parents[1] for path in second}) == 2


def test_what_is_compiled_from_a_source_that_changes_meanwhile_is_not_kept(root, compiled):
    """The folder is named by the source as it was, which may come back."""
    file = str(root / "rule" / "sums.py")
    edit = f"jit.cache_directory(); import pathlib; file = pathlib.Path({file!r}); text = file.read_text()"
    edit += "; assert '// 2' in text; file.write_text(text.replace('// 2', '// 4'))"
    total, kept = compiled(edit)
    assert total == 64**2 / 2
    assert not kept
    change(root, "rule/sums.py", "width = LANES // 4", "width = LANES // 2")
    assert compiled()[0] == 128**2 / 2
