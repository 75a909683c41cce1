"""Check the built site: every link and picture in it leads somewhere, every picture has a text.

``python docs/check_site.py docs/_build/html``. Addresses of other sites are counted, not asked for.
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ADDRESSES = {("a", "href"), ("img", "src"), ("link", "href"), ("script", "src"), ("source", "src")}


class Page(HTMLParser):
    """What a page links to, what of it can be linked to, and which pictures lack a text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.targets: set[str] = {"", "top"}
        self.untold: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        given = dict(attrs)
        self.links += [value for name, value in attrs if value and (tag, name) in ADDRESSES]
        self.targets |= {value for name, value in attrs if value and name in ("id", "name")}
        if tag == "img" and "alt" not in given:
            self.untold.append(given.get("src") or "")


@cache
def read(path: Path) -> Page:
    """Return a page, read once."""
    return Page(path)


def errors_of(path: Path, site: Path) -> list[str]:
    """Return what is wrong with a page."""
    page = read(path)
    errors = [f"no text for the picture {picture}" for picture in page.untold]
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(site) or not target.is_file():
            errors.append(f"nothing at {link}")
        elif target.suffix == ".html" and unquote(parts.fragment) not in read(target).targets:
            errors.append(f"no such place: {link}")
    return errors


def main(folder: str = "docs/_build/html") -> None:
    """Check all pages, and end with an error if any is wrong."""
    site = Path(folder).resolve()
    pages = sorted(set(site.rglob("*.html")) - set(site.glob("_static/**/*")))
    wrong = {path: errors_of(path, site) for path in pages}
    for path, errors in wrong.items():
        for error in errors:
            print(f"{path.relative_to(site)}: {error}")
    links = [link for path in pages for link in read(path).links]
    abroad = sum(bool(urlsplit(link).netloc) for link in links)
    print(f"{len(pages)} pages, {len(links)} links, {abroad} of them to other sites")
    if not pages or any(wrong.values()):
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
