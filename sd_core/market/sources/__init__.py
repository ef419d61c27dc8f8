"""Where prices come from: the sources, and what they have in common.

``base`` is the vocabulary, ``registry`` the only module that knows every source and the study.
"""
