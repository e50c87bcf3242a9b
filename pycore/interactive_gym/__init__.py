"""The core inside the interactive_gym page: its scenes, its files and its events.

The page names things its own way and has a server of its own. These modules translate, and decide what the page's
module used to decide; `web/interactive_gym/` carries it out. Two generations of the page are known: ``seed``
(package `interactive_gym`) and ``mug`` (package `mug`, 0.1.3).
"""
