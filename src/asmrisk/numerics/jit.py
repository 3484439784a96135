"""How kernels are compiled and cached: the only place in the package that knows.

Kernels are serial, release the GIL and keep IEEE arithmetic in the order written (no ``fastmath``; where a
product and a sum are rounded once, `fma` says so), so that a result has the same bits on every x86-64
processor and with the compiler switched off (``NUMBA_DISABLE_JIT=1``). Machine code is cached in a directory
whose name is a digest of what computes in the kernels' modules, of the compiler's versions and of the
processor, so that a stale kernel can never be loaded. Inside it a kernel is known by its name alone, so that
an edit of a docstring, which moves lines, compiles nothing again.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from llvmlite import binding
from numba.core import caching as _caching
from numba.core import config as _config
from numba.core import types as _types
from numba.extending import intrinsic as _numba_intrinsic

from asmrisk.numerics.code_identity import cache_base, code_identity

__all__ = [
    "cache_directory",
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
config: Any = _config
types: Any = _types
_njit: Any = numba.njit
#: Makes a function of instructions that the compiler would not choose.
intrinsic: Any = _numba_intrinsic

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: The modules that use all kernels: what they import, directly or not, decides what they compute.
_KERNELS = ("asmrisk.simulation.model", "asmrisk.simulation.own_luck")


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
    """Where compiled kernels are kept, or ``None`` if no place can be written to.

    The directory lies under ``$ASMRISK_CACHE_DIR`` or the user's cache folder, and is named by what computes
    in the kernels' modules, the versions of Python, numba and LLVM, and the processor's name and features.

    Returns
    -------
    pathlib.Path or None
        An existing, writable directory; ``None`` (after one warning) if there is none.
    """
    processor = (
        f"{config.CPU_NAME or binding.get_host_cpu_name()} "
        f"{config.CPU_FEATURES or binding.get_host_cpu_features().flatten()}"
    )
    versions = f"{platform.python_version()} {numba.__version__} {llvmlite.__version__} {sys.platform}"
    tag = hashlib.sha256(f"{code_identity(*_KERNELS)} {versions} {processor}".encode()).hexdigest()[:16]
    path = cache_base() / f"kernels-{tag}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        warnings.warn(
            f"compiled kernels cannot be kept in {path} ({error.strerror}); they are compiled anew in every "
            "process. Set ASMRISK_CACHE_DIR to a folder that can be written to.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return path


def kernels_compiled(kernel: str = "simulate_draws") -> bool:
    """Whether an earlier process left a compiled kernel for this version on this processor: the simulation.

    False before the first run after an install or an update; true where compilation is switched off.
    """
    if config.DISABLE_JIT:
        return True
    path = cache_directory()
    return path is not None and any(path.glob(f"**/*{kernel}*.nbc"))


class _CacheLocator(caching.UserProvidedCacheLocator):  # type: ignore[misc]
    """Tells numba to know a kernel of this package by its name, not by its line and its file's content.

    The name of the cache's directory already tells one version of the package from another.
    """

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        own = Path(py_file).is_relative_to(Path(__file__).parents[1])
        return super().from_function(py_func, py_file) if own else None

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> str:
        return ""


def _keep_only_unchanged(dispatcher: Any) -> None:
    """Cache no kernel that is compiled after a source changed: the directory is named by the former code."""
    save = dispatcher._cache.save_overload

    def save_overload(signature: Any, data: Any) -> None:
        if code_identity.__wrapped__(*_KERNELS) == code_identity(*_KERNELS):
            save(signature, data)

    dispatcher._cache.save_overload = save_overload


def _compile(function: _Function, *, inline: str, inner: bool = False) -> _Function:
    path = cache_directory() if inline == "never" and not config.DISABLE_JIT else None
    settings = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR = "" if path is None else str(path)
    config.CACHE_LOCATOR_CLASSES = f"{__name__}._CacheLocator,UserProvidedCacheLocator"
    try:
        compiled: _Function = _njit(
            function,
            nogil=True,
            error_model="numpy",
            inline=inline,
            cache=path is not None,
            # Wrappers that nobody calls cost more to compile than many a kernel.
            # Kernels count no references: they allocate nothing and return no array, and a call that passes
            # forty arrays would count each up and down, a microsecond in all. So numba refuses a kernel that
            # allocates. What is written into its caller is compiled for Python alone, which may want arrays.
            _nrt=inline == "always",
            no_cfunc_wrapper=True,
            no_cpython_wrapper=inner,
        )
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = settings
    if inline == "never" and not config.DISABLE_JIT:
        _forget_literals(compiled)
    if path is not None:
        _keep_only_unchanged(compiled)
    return compiled


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
