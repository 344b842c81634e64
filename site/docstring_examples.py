"""Extension of griffe: show the section `Example:` of a docstring as code, as griffe shows `Examples:`."""

import re
from typing import Any

import griffe

__all__ = ["DocstringExamples"]


class DocstringExamples(griffe.Extension):
    """Renames the section. Google's guide calls it `Example:`; griffe reads that as an admonition and its code as Markdown."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
