"""What people read: links lead somewhere, paths exist, and words of ours are those of the glossary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GLOSSARY = DOCS / "reference" / "glossary.md"
INDEX = DOCS / "README.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "packages").glob("*/README.md")),
]
# Decisions keep the words of their time, and the figures those of their run.
HISTORY = {DOCS / "benchmarks.md", *(DOCS / "adr").glob("*.md")}
# Private names and metaphors that the glossary, Airflow or Unix have a word for.
BANNED = (
    "door|doors|keeper|keepers|reins|zygote|seams|whoever|knocking|roomiest|goodbye|"
    "worker host|dag processor host|triggerer host|nobody|somebody|everybody"
)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The text without fenced blocks, inline code and the targets of links."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`]*`", "", re.sub(r"\]\([^)]*\)", "]", text))


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    bare = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in bare}


def links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HISTORY], ids=named)
def test_a_page_uses_the_words_of_the_field(page: Path) -> None:
    found = re.findall(rf"\b(?:{BANNED})\b", prose(page), re.IGNORECASE)
    assert not found, f"{sorted(set(found))}: see docs/reference/glossary.md for the words to use"


def test_every_page_is_found_from_the_index() -> None:
    """Decisions are found in their folder."""
    found = {(INDEX.parent / link.partition("#")[0]).resolve() for link in links(INDEX)}
    pages = {page for page in DOCS.rglob("*.md") if page.parent.name != "adr"} - {INDEX}
    assert len(pages) > 50
    assert sorted(named(page) for page in pages - found) == []


def terms() -> list[str]:
    return re.findall(r"^### (.*)$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("term", terms())
def test_a_term_of_the_glossary_is_linked_from_a_page(term: str) -> None:
    wanted = f"glossary.md#{term.lower().replace(' ', '-')}"
    assert any(wanted in link for page in PAGES for link in links(page)), f"no page links to {wanted}"


def test_a_term_is_explained_in_one_sentence_with_a_link() -> None:
    text = GLOSSARY.read_text(encoding="utf-8")
    for term, body in re.findall(r"^### (.*)\n\n(.*?)(?=\n\n#|\Z)", text, re.DOTALL | re.MULTILINE):
        assert "\n\n" not in body.strip(), f"{term} has more than one paragraph"
        assert "](" in body, f"{term} links to no page"
        sentence = re.sub(r"\s*\(\[.*?\]\(.*?\)\)", "", body, flags=re.DOTALL)
        assert not re.search(r"\.\s+[A-Z]", sentence), f"{term} has more than one sentence"
        assert len(sentence.split()) <= 35, f"{term} is too long"


def test_a_page_says_its_sentences_in_thirty_words() -> None:
    """On the pages people read first. Tables and lists may take more room."""
    first = [ROOT / "README.md", DOCS / "quickstart.md", *sorted((DOCS / "how-to").glob("*.md"))]
    for page in first:
        for paragraph in re.split(r"\n\s*\n", prose(page)):
            if re.match(r"\s*(\||#|!)", paragraph):
                continue
            for item in re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", paragraph):
                for sentence in re.split(r"(?<=[.:!?])\s+", " ".join(item.split())):
                    assert len(sentence.split()) <= 36, f"{named(page)}: {sentence}"


def test_the_architecture_page_names_files_that_exist() -> None:
    named = re.findall(
        r"`((?:packages|tests|docs|ui|deploy|benchmarks)/[\w./-]+)`", (DOCS / "architecture.md").read_text()
    )
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []
