"""The page `/docs`: the OpenAPI document as HTML without scripts, so that it needs no other address."""

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

__all__ = ["render_docs_page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1a1a1a; background: #fff }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc } code, pre { font-family: ui-monospace, monospace; font-size: 0.9em }
pre { background: #f4f4f4; padding: 0.8rem; overflow-x: auto } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #e5e5e5 }
form { background: #f4f4f4; padding: 0.8rem } .method { color: #0a5c36; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #161616 } pre, form { background: #242424 } .method { color: #6fd3a0 }
  td, th { border-color: #333 }
}
"""
_EXAMPLES = """curl -F images=@photo.jpg http://HOST/predict
curl -F images=@139.jpg -F 'boxes=[[10, 20, 100, 200]]' http://HOST/predict
curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg 'http://HOST/predict?file_name=photo.jpg'
curl -H "X-API-Key: $POSESCOPE_API_KEY" -F images=@a.jpg -F images=@b.jpg http://HOST/predict"""
_FORM = """<form action="/predict" method="post" enctype="multipart/form-data">
<label>Images <input type="file" name="images" accept="image/*" multiple required></label> <button>Predict</button></form>"""


def render_docs_page(document: Mapping[str, Any], *, has_form: bool) -> str:
    """Return the page.

    Args:
        document: the OpenAPI document.
        has_form: whether the page has a form that predicts files; a form cannot send an API key.
    """
    about = document["info"]
    parts = [
        f"<h1>{escape(about['title'])} {escape(about['version'])}</h1><p>{escape(about['description'])}</p>",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI).</p>',
        f"<h2>Examples</h2><pre>{escape(_EXAMPLES)}</pre>",
        _FORM if has_form else "",
        *(_operation(path, verb, one) for path, verbs in document["paths"].items() for verb, one in verbs.items()),
        *(_schema(name, one) for name, one in document.get("components", {}).get("schemas", {}).items()),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>posescope API</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{"".join(parts)}</body></html>'


def _operation(path: str, verb: str, operation: Mapping[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    query = [(one["name"], one.get("description", "")) for one in operation.get("parameters", [])]
    form = body.get("multipart/form-data", {}).get("schema", {}).get("properties", {})
    answers = [(status, one["description"]) for status, one in operation["responses"].items()]
    return (
        f'<h2><span class="method">{escape(verb.upper())}</span> <code>{escape(path)}</code></h2>'
        f"<p>{escape(operation.get('summary', ''))}. {_with_code(operation.get('description', ''))}</p>"
        + (f"<p>Body: {escape(', '.join(body))}</p>" if body else "")
        + _table("Field of the form", [(name, one["description"]) for name, one in form.items()])
        + _table("Query", query)
        + _table("Status", answers)
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    rows = [
        (
            field,
            one.get("description", "") + (f" (default: {json.dumps(one['default'])})" if one.get("default") is not None else ""),
        )
        for field, one in schema.get("properties", {}).items()
    ]
    return f"<h2><code>{escape(name)}</code></h2><p>{escape(schema.get('description', ''))}</p>{_table('Field', rows)}"


def _with_code(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _table(first: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table><tr><th>{first}</th><th></th></tr>{lines}</table>"
