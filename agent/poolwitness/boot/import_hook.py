"""Run a callback right after one module has been imported, without importing it.

A finder asks the finders behind it and shadows ``exec_module`` on the loader instance for that one module, so that the
program's own import goes on whatever fails here.
"""

# No annotations from __future__ here: that is a module to import, in every interpreter that is on.

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_finders: "list[PostImportFinder]" = []


class PostImportFinder:
    """A meta path finder that finds nothing itself and wraps the loader of one module."""

    def __init__(self, name: str, callback: "Callable[[], None]") -> None:
        self.name = name
        self.callback = callback
        self.shadowed: list[Any] = []

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if fullname != self.name:
            return None
        # Only those behind it: one in front that asks all the others, as this one does, would ask it again forever.
        finders = list(sys.meta_path)
        behind = finders[finders.index(self) + 1 :] if self in finders else []
        for finder in behind:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find else None
            if spec is not None:
                try:
                    self._shadow(spec)
                except Exception:  # noqa: BLE001 - a loader that cannot be shadowed is left alone
                    remove()
                return spec
        return None

    def _shadow(self, spec: "ModuleSpec") -> None:
        loader = spec.loader
        if loader is None:
            return
        original = loader.exec_module

        def exec_module(module: "ModuleType") -> None:
            if module.__name__ != self.name:  # a loader of a whole archive, in another thread
                original(module)
                return
            try:
                self.restore()
            except Exception:  # noqa: BLE001 - as below; then the loader keeps this wrapper
                pass
            original(module)
            try:
                self.callback()
            except Exception as error:
                from poolwitness.boot.last_resort import complain
                from poolwitness.guards import is_ours

                # It makes the program's import fail; the finder stays, for the next try.
                if not is_ours(error):
                    raise
                complain(f"the agent could not start ({type(error).__name__}); the program runs on without it")
            remove()

        self.shadowed.append(loader)
        loader.exec_module = exec_module  # type: ignore[method-assign]  # on the instance alone

    def restore(self) -> None:
        """Leave the loaders as they were: a spec that was only looked at keeps its own."""
        while self.shadowed:
            try:
                del self.shadowed.pop().exec_module
            except AttributeError:  # one loader, found twice
                pass


def when_imported(name: str, callback: "Callable[[], None]") -> None:
    """Call back once, after the module *name* has run.

    Args:
        name: the absolute name of a module that has not been imported yet.
        callback: called without arguments in the importing thread; what it raises is contained.
    """
    finder = PostImportFinder(name, callback)
    _finders.append(finder)
    sys.meta_path.insert(0, finder)


def remove() -> None:
    """Remove the finders from ``sys.meta_path``."""
    while _finders:
        finder = _finders.pop()
        finder.restore()
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
