"""The rules for numba: after this import, compiled functions may call them by their plain names.

They are registered here and not decorated there, so that commands which never compile do not wait for numba. A compiled
function that numba caches on disk must enclose a digest of this folder: numba looks for changes in the file of the
cached function alone.
"""

import inspect

from numba.extending import register_jitable

from sd_core.buckets import allocator, deposits, measures, rules

MODULES = (rules, deposits, measures, allocator)

for _module in MODULES:
    for _, _function in inspect.getmembers(_module, inspect.isfunction):
        if _function.__module__ == _module.__name__:
            register_jitable(error_model="numpy")(_function)
