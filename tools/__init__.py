"""What `build.py` does, one module per task.

`paths`, `process`, `environment`, `node` and `chromium` need the standard library only, because they run before
anything is installed; the other modules run inside the environment that `environment` makes.
"""
