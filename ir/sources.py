#!/usr/bin/env python3
"""Writes the C++ file that holds a digest of the sources which decide what is made of a graph: those of ir, passes and
backends. Leaves it alone where it holds that already.  sources.py ROOT OUTPUT"""
import hashlib
import pathlib
import sys

root, output = map(pathlib.Path, sys.argv[1:])
digest = hashlib.sha256()
for folder in ('ir', 'passes', 'backends'):
    for file in sorted((root / folder).rglob('*')):
        if file.suffix in ('.cpp', '.h', '.def'):
            digest.update(f'{file.relative_to(root)}\n'.encode() + file.read_bytes())
text = f'#include "ir/digest.h"\n\nconst char* const jot::kSourcesDigest = "{digest.hexdigest()}";\n'
if not output.exists() or output.read_text() != text:
    output.write_text(text)
