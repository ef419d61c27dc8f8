"""Files that are whole or absent, whatever dies: in a folder of a disk, or in a bucket of an object store.

``whole`` writes single files of a disk; ``base`` says what a lake asks of its files, ``folder`` and ``bucket`` are the
two places that give it. What the files hold belongs in ``sd_core.lake``.
"""
