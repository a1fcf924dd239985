"""The verbs of the ``d2ace`` command, a file each: what one takes (``add_parser``) and what it does (``run``).

A verb calls one function and prints what that gave; it does no work of its own. ``run`` imports what is heavy, so that
the help is quick.
"""
