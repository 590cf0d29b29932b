"""What the generators of functions and of modules share: fields of a line, parameters, where files are."""
import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
CARRIERS = ('Arg', 'Bound')  # of a location
OPTIONS = {}  # structs of options, with their members
HEAD = '// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.\n'


def split(text):
    """At the commas that stand in no bracket and no string."""
    parts, depth, quoted, start = [], 0, False, 0
    for i, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        elif not quoted and c in '([{<':
            depth += 1
        elif not quoted and c in ')]}>':
            depth -= 1
        elif c == ',' and depth == 0 and not quoted:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return parts + [last] if last or parts else []


@dataclasses.dataclass
class Parameter:
    type: str
    name: str
    default: str

    @classmethod
    def parse(cls, text):
        declared, _, default = text.partition(' = ')
        kind, _, name = declared.rpartition(' ')
        return cls(kind.strip(), name, default)

    @property
    def plain(self):
        return re.sub(r'^const (.*)&$', r'\1', self.type)

    @property
    def carries(self):
        return self.plain in CARRIERS

    def declared(self):
        return f'{self.type} {self.name}' + (f' = {self.default}' if self.default else '')


def bare(parameters):
    return ', '.join(f'{p.type} {p.name}' for p in parameters)


def cell(text):
    return text.replace('|', '\\|')
