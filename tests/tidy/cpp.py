"""A reading of C++ just good enough to measure it: comments and literals blanked out, functions
found with their lengths and parameters. It relies on the project's format, not on the grammar."""

import re
from dataclasses import dataclass

_LITERALS = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def without_literals(text):
    """The same text, line by line, with comments, strings and characters replaced by spaces."""
    return _LITERALS.sub(_blank, text)


@dataclass
class Function:
    name: str
    line: int
    n_lines: int
    n_parameters: int


_SCOPE = re.compile(r"^(inline\s+)?namespace\b|^extern\s*$")
_TYPE = re.compile(r"^(class|struct|union|enum)\b[^()]*(\([^()]*\)[^()]*)?$")
_PREFIX = re.compile(r"^((public|private|protected)\s*:|\[\[[^\]]*\]\]|typedef\b)\s*")
# `Name(…) : member_` before a brace: that brace initialises the member and opens no body.
_MEMBER_INITIALISER = re.compile(r"\)\s*(noexcept\s*)?:[^:].*[\w>]\s*$", re.DOTALL)
_BODY_END = re.compile(r"(\)|\bconst|\bnoexcept|\boverride|\bfinal|\btry|&|\bmutable)\s*$")


def _drop_template(head):
    while head.startswith("template"):
        depth = 0
        for i, c in enumerate(head):
            depth += (c == "<") - (c == ">" and head[i - 1] != "-")
            if c == ">" and depth == 0:
                head = head[i + 1 :].strip()
                break
        else:
            return head
    return head


def _clean(head):
    head = head.strip()
    while True:
        shorter = _drop_template(_PREFIX.sub("", head).strip())
        if shorter == head:
            return head
        head = shorter


def _brace_kind(head):
    """What a brace at namespace or class level opens: 'scope', 'function' or 'value'."""
    head = _clean(head)
    if _SCOPE.match(head) or _TYPE.match(head):
        return "scope"
    if head.count("(") != head.count(")") or "(" not in head:
        return "value"
    if _MEMBER_INITIALISER.search(head) and not _BODY_END.search(head):
        return "value"
    if re.search(r"=\s*$", head):
        return "value"
    return "function"


def _parameters(head):
    """Name and number of parameters of the function whose declarator is `head`."""
    head = _clean(head)
    found = re.search(r"(operator\s*\(\s*\)|operator\s*[^\s(]+|[\w:~<>]+)\s*\(", head)
    if not found:
        return "?", 0
    depth, count, content = 0, 0, False
    for c in head[found.end() - 1 :]:
        if c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
            if depth == 0:
                break
        elif c == "," and depth == 1:
            count += 1
        if depth >= 1 and c not in "( \n":
            content = True
    name = found.group(1)
    if name.startswith("TEST"):
        name = head[: head.find(")") + 1].replace("\n", " ")
    return name, count + (1 if content else 0)


def functions(text):
    """Every function with a body at namespace or class level."""
    code = _DIRECTIVE.sub(_blank, without_literals(text))
    result, stack, start = [], [], 0
    for i, c in enumerate(code):
        at_scope = not stack or stack[-1][0] == "scope"
        if c == "{":
            kind = _brace_kind(code[start:i]) if at_scope else "block"
            stack.append((kind, start, i))
            if kind == "scope":
                start = i + 1
        elif c == "}" and stack:
            kind, head_start, body = stack.pop()
            if kind == "function":
                head = code[head_start:body]
                name, n_parameters = _parameters(head)
                first = head_start + len(head) - len(head.lstrip())
                line = code.count("\n", 0, first) + 1
                result.append(Function(name, line, code.count("\n", first, i) + 1, n_parameters))
            if kind in ("function", "scope"):
                start = i + 1
        elif c == ";" and at_scope:
            start = i + 1
    return result
