"""The rules for numba: after this import, compiled functions may call them by their plain names.

They are registered here and not decorated there, so that commands which never compile do not wait for numba. A compiled
function that numba caches on disk must enclose a digest of this folder: numba looks for changes in the file of the
cached function alone.
"""

import inspect
from types import ModuleType
from typing import Any

from numba.extending import register_jitable

from sd_core.buckets import allocator, deposits, measures, rules

MODULES = (rules, deposits, measures, allocator)


def register(*modules: ModuleType, **options: Any) -> None:
    """Let compiled functions call every function of some modules.

    Args:
        options: that they are compiled with.
    """
    for module in modules:
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__:
                register_jitable(**options)(function)


register(*MODULES, error_model="numpy")
