"""What an environment dump asks the compiled module about its build."""

from __future__ import annotations

from pointkd.ops.registry import kernel


@kernel('get_compiler_version')
def compiler_version() -> str:
    """Return the text that environment dumps show as "MMCV Compiler"."""
    return 'none (pointkd.ops stands in for mmcv._ext)'


@kernel('get_compiling_cuda_version')
def compiling_cuda_version() -> str:
    """Return the text that environment dumps show as "MMCV CUDA Compiler"."""
    return 'not available'
