"""How kernels are compiled and cached: the only place in the package that knows.

Kernels are serial, release the GIL and keep IEEE arithmetic in the order written (no ``fastmath``; where a
product and a sum are rounded once, `fma` says so), so that a result has the same bits on every x86-64
processor and with the compiler switched off (``NUMBA_DISABLE_JIT=1``). Machine code is cached in a directory
whose name is a digest of what computes in the kernels' modules, of the compiler's versions and of the
processor, so that a stale kernel can never be loaded. Inside it a kernel is known by its module and name, so
that an edit of a docstring, which moves lines, compiles nothing again, and installations of the same code
share kernels wherever they lie. The directory is the user's own (`own_folder`), and every file begins with a
digest of its name and content, without which it is not loaded.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
import numpy as np
from llvmlite import binding
from numba.core import caching as _caching
from numba.core import compiler as _compiler
from numba.core import config as _config
from numba.core import serialize as _serialize
from numba.core import types as _types
from numba.extending import intrinsic as _numba_intrinsic

from asmrisk.numerics.cache_folder import cache_base, note, own_folder, replace_file
from asmrisk.numerics.code_identity import code_identity

__all__ = [
    "cache_directory",
    "discard_damaged_kernels",
    "fma",
    "inline",
    "inner",
    "intrinsic",
    "kernel",
    "kernels_compiled",
    "types",
    "whole_vectors",
]

# Settings and options that numba's stubs leave out.
caching: Any = _caching
compiler: Any = _compiler
config: Any = _config
serialize: Any = _serialize
types: Any = _types
_njit: Any = numba.njit
#: Makes a function of instructions that the compiler would not choose.
intrinsic: Any = _numba_intrinsic

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: The modules that use all kernels: what they import, directly or not, decides what they compute.
_KERNELS = ("asmrisk.simulation.model", "asmrisk.simulation.own_luck")

#: Folder of the package.
_PACKAGE = Path(__file__).parents[1]

#: Bytes of the digest (SHA-256) that a kernel's file begins with.
_DIGEST = 32


def _use_whole_vectors() -> None:
    """Let loops use vectors of 512 bits where a processor has them; LLVM would use half of each."""
    features = binding.get_host_cpu_features()
    if config.CPU_FEATURES is None and config.ENABLE_AVX and features.get("avx512f", False):
        config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"


# Loops written out over the numbers of a vector become vector instructions too.
config.SLP_VECTORIZE = 1


def whole_vectors() -> bool:
    """Whether kernels are compiled for vectors of 512 bits."""
    return not config.DISABLE_JIT and "+avx512f" in (config.CPU_FEATURES or "")


_use_whole_vectors()


@cache
def cache_directory() -> Path | None:
    """Where compiled kernels are kept, or ``None`` if there is no place that is the user's own.

    The directory lies under ``$ASMRISK_CACHE_DIR`` or the user's cache folder, and is named by what computes
    in the kernels' modules, the versions of Python, numba and LLVM, and the processor's name and features.

    Returns
    -------
    pathlib.Path or None
        An existing directory, which may be one that can only be read; ``None`` (after one warning) if there
        is none.
    """
    processor = (
        f"{config.CPU_NAME or binding.get_host_cpu_name()} "
        f"{config.CPU_FEATURES or binding.get_host_cpu_features().flatten()}"
    )
    versions = f"{platform.python_version()} {numba.__version__} {llvmlite.__version__} {sys.platform}"
    tag = hashlib.sha256(f"{code_identity(*_KERNELS)} {versions} {processor}".encode()).hexdigest()[:16]
    try:
        return own_folder(f"kernels-{tag}")
    except OSError as error:
        _note_unkept(cache_base(), error)
        return None


def kernels_compiled(kernel: str = "simulate_draws") -> bool:
    """Whether an earlier process left a sound kernel for this version on this processor: the simulation.

    False before the first run after an install or an update, and if its file is damaged; true where
    compilation is switched off.
    """
    if config.DISABLE_JIT:
        return True
    folder = cache_directory()
    return folder is not None and any(_sound(folder, each) for each in folder.glob(f"**/*.{kernel}-*.nbc"))


def discard_damaged_kernels() -> None:
    """Look at every compiled kernel of this version; remove those that are damaged, with a warning each."""
    folder = cache_directory()
    if folder is not None:
        for path in folder.rglob("*.nbc"):
            if not _sound(folder, path):
                with suppress(OSError):  # Another process was faster, or nothing can be written.
                    path.unlink()


def _sound(folder: Path, path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return _sound_then(folder, path, status.st_mtime_ns, status.st_size)


@cache
def _sound_then(folder: Path, path: Path, changed: int, size: int) -> bool:
    """Whether a kernel's file is sound; it is read once, unless it changes."""
    return _read(folder, path) is not None


def _read(folder: Path, path: Path) -> memoryview | None:
    """Give the content of a kernel's file, or ``None`` if there is none, or one that is damaged."""
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
    else:
        if content[:_DIGEST] == _digest(folder, path, content[_DIGEST:]):
            return content[_DIGEST:]
        fault = "is damaged"
    note(f"{path} {fault}: the kernel is not loaded, but compiled anew")
    return None


def _digest(folder: Path, path: Path, content: bytes | memoryview) -> bytes:
    """Give the digest of a kernel and of where it belongs."""
    digest = hashlib.sha256(f"{folder.name}/{path.relative_to(folder).as_posix()}\n".encode())
    digest.update(content)
    return digest.digest()


def _note_unkept(folder: Path, error: OSError) -> None:
    note(
        f"compiled kernels cannot be kept in {folder} ({error.strerror}); they are compiled anew in every "
        "process. Set ASMRISK_CACHE_DIR to a folder that can be written to."
    )


class _KernelCache(caching.FunctionCache):  # type: ignore[misc]
    """The machine code of one kernel on disk, a file for each signature; numba's own needs an index."""

    def __init__(self, function: Any, folder: Path) -> None:
        # numba's own would choose a folder by itself.
        self._py_func, self._folder = function, folder
        file = Path(function.__code__.co_filename)
        if file.is_relative_to(_PACKAGE):
            module = str(file.relative_to(_PACKAGE).with_suffix(""))
        else:
            # No digest of the package's code tells versions of it apart.
            digest = hashlib.sha256(bytes(file) + file.read_bytes()).hexdigest()
            module = f"{file.stem}-{digest[:16]}"
        self._stem = f"{module}.{function.__qualname__.replace('<locals>.', '')}"
        self._cache_path = str((folder / module).parent)
        self.enable()

    def _path(self, signature: Any, codegen: Any) -> Path:
        key = hashlib.sha256(str(self._index_key(signature, codegen)).encode()).hexdigest()
        return self._folder / f"{self._stem}-{key[:16]}.nbc"

    def _load_overload(self, signature: Any, target_context: Any) -> Any:
        path = self._path(signature, target_context.codegen())
        content = _read(self._folder, path)
        if content is None:
            return None
        try:
            return compiler.CompileResult._rebuild(target_context, *pickle.loads(content))
        except Exception as error:  # Of whatever it names, something may be missing here.
            note(f"{path} cannot be loaded ({type(error).__name__}: {error}): the kernel is compiled anew")
            return None

    def _save_overload(self, signature: Any, data: Any) -> None:
        """Keep no kernel that holds addresses, or that is compiled after a source changed.

        The directory is named by the former code.
        """
        changed = code_identity.__wrapped__(*_KERNELS) != code_identity(*_KERNELS)
        if changed or data.library.has_dynamic_globals:
            return
        path, content = self._path(signature, data.codegen), serialize.dumps(data._reduce())
        try:
            replace_file(path, _digest(self._folder, path, content) + content)
        except OSError as error:
            _note_unkept(self._folder, error)


def _compile(function: _Function, *, inline: str, inner: bool = False) -> _Function:
    compiled: Any = _njit(
        function,
        nogil=True,
        error_model="numpy",
        inline=inline,
        # Wrappers that nobody calls cost more to compile than many a kernel.
        # Kernels count no references: they allocate nothing and return no array, and a call that passes
        # forty arrays would count each up and down, a microsecond in all. So numba refuses a kernel that
        # allocates. What is written into its caller is compiled for Python alone, which may want arrays.
        _nrt=inline == "always",
        no_cfunc_wrapper=True,
        no_cpython_wrapper=inner,
    )
    if inline == "never" and not config.DISABLE_JIT:
        _forget_literals(compiled)
        folder = cache_directory()
        if folder is not None:
            compiled._cache = _KernelCache(function, folder)
    return cast(_Function, compiled)


def _forget_literals(dispatcher: Any) -> None:
    """Compile one version for all integers; numba would compile one for each constant that is passed."""
    find = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        plain = {name: types.unliteral(each) for name, each in dict(kws).items()}
        return find([types.unliteral(each) for each in args], plain)

    dispatcher.get_call_template = get_call_template


def kernel(function: _Function) -> _Function:
    """Compile a function that works on arrays; its machine code is cached on disk.

    It takes numbers, arrays, records and named tuples of them, and returns numbers or nothing. With
    ``NUMBA_DISABLE_JIT=1`` it stays as it is, as with `inner` and `inline`.
    """
    return _compile(function, inline="never")


def inner(function: _Function) -> _Function:
    """Compile as `kernel` does, but for kernels alone: Python cannot call it, unless compilation is off."""
    return _compile(function, inline="never", inner=True)


def inline(function: _Function) -> _Function:
    """Compile a small arithmetic function that is always written into its caller, so that loops vectorize."""
    return _compile(function, inline="always")


def _fma_exactly(a: float, b: float, c: float) -> float:
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c  # What is not known stays NaN.
    # Python's division of integers rounds once, however long they are.
    (a_top, a_bottom), (b_top, b_bottom) = a.as_integer_ratio(), b.as_integer_ratio()
    c_top, c_bottom = c.as_integer_ratio()
    top = a_top * b_top * c_bottom + c_top * a_bottom * b_bottom
    # A zero has a sign, which an integer has not.
    return np.float64(top / (a_bottom * b_bottom * c_bottom)) if top else a * b + c


def _fma_compiled(typing: Any, a: Any, b: Any, c: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), build


#: ``a * b + c``, rounded once, for finite numbers and NaN (IEEE 754's fusedMultiplyAdd): one instruction
#: instead of two on x86-64 processors since 2013, the same bits from a function on older ones.
fma: Callable[[float, float, float], float] = _fma_exactly if config.DISABLE_JIT else intrinsic(_fma_compiled)
