#!/usr/bin/env python3
"""Writes the C++ file with the head of the page: its style and script as texts.  embed.py STYLE SCRIPT BODY OUTPUT"""
import pathlib
import sys

*sources, output = map(pathlib.Path, sys.argv[1:])


def literal(text):
    """Raw strings of at most 16,000 bytes, one after the other."""
    pieces, piece = [], ''
    for line in text.splitlines(keepends=True):
        if len(piece) + len(line) > 16000:
            pieces.append(piece)
            piece = ''
        piece += line
    return '\n'.join(f'R"page({piece})page"' for piece in pieces + [piece])


names = ('kPageStyle', 'kPageScript', 'kPageBody')
texts = '\n'.join(f'extern const char* const {name};\nconst char* const {name} =\n{literal(source.read_text())};'
                  for name, source in zip(names, sources))
output.write_text(f'namespace jot {{\n{texts}\n}}  // namespace jot\n')
