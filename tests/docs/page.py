"""A page of the documentation: its blocks of code, its links, its headings and the commands that its text names."""
import dataclasses
import pathlib
import re

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"^\W+ Not run by the tests: (\S.*)$", re.MULTILINE)


@dataclasses.dataclass
class Block:
    """A fenced block. `file`: the name that the line before it gives, as in "Put this into `plan.json`:"."""

    page: pathlib.Path
    line: int
    language: str
    code: str
    file: str | None
    follows_shell: bool  # nothing but blank lines stands between a block of shell commands and this one

    @property
    def reason(self):
        """Why it is not run, as its first line says; None: it is."""
        found = NOT_RUN.match(self.code)
        return found[1] if found else None

    @property
    def title(self):
        return f"{self.page.name}:{self.line} ({self.language or 'no language'})"


def file_name(before):
    """The name in the last line before a block: "... `NAME`:" or "`NAME`" with words behind it and a colon at the end."""
    lines = before.rstrip().splitlines()
    found = re.findall(r"`([\w./-]*\.\w+)`", lines[-1]) if lines and lines[-1].endswith(":") else []
    return found[-1] if found else None


def blocks_of(page, text=None):
    text = page.read_text(encoding="utf-8") if text is None else text
    found = []
    end = 0
    for match in FENCE.finditer(text):
        between = text[end:match.start()]
        shell_before = bool(found) and found[-1].language == "sh" and not between.strip()
        indent, language, code = match.groups()
        if indent:
            code = re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, code, file_name(between), shell_before))
        end = match.end()
    return found


def prose_of(text):
    """The text without its blocks of code; line numbers stay."""
    return FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)


def links_of(text):
    """(line, target) of each link."""
    prose = prose_of(text)
    prose = re.sub(r"`[^`\n]*`", lambda match: " " * len(match[0]), prose)
    return [(prose.count("\n", 0, match.start()) + 1, match[1]) for match in re.finditer(r"\]\(([^()\s]+)\)", prose)]


def anchors_of(text):
    """As GitHub and pandoc make them of headings."""
    seen = {}
    anchors = set()
    for heading in re.findall(r"^#{1,6} (.*)$", prose_of(text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        anchors.add(f"{slug}-{count}" if count else slug)
    return anchors


def code_spans_of(text):
    """(line, code) of each `code` in the text."""
    prose = prose_of(text)
    return [(prose.count("\n", 0, match.start()) + 1, " ".join(match[1].split()))
            for match in re.finditer(r"`([^`]+)`", prose)]


def pages_of(root):
    """All pages: those at the top and those of the documentation."""
    return sorted(root.glob("*.md")) + sorted((root / "src/docs").glob("*.md"))
