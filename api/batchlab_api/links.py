"""Addresses of what belongs to what."""

from urllib.parse import quote, urlencode

from fastapi import Request

PARTS = ("cells", "results", "curves", "plots", "events", "digest", "verdicts", "checkpoints", "analyses")


def experiment(id: str) -> dict[str, str]:
    """The experiment itself, what can be read of it, and its page on the dashboard."""
    base = f"/experiments/{quote(id, safe='')}"
    return {"self": base, **{part: f"{base}/{part}" for part in PARTS}, "page": f"/#{base}"}


def next_page(request: Request, cursor: str | None) -> dict[str, str]:
    """The `Link` header of a page that has a next one."""
    if cursor is None:
        return {}
    query = urlencode({**request.query_params, "cursor": cursor})
    return {"Link": f'<{quote(request.scope["path"])}?{query}>; rel="next"'}
