#!/usr/bin/env python3
"""What a program prints is what a file of the tree holds: golden.py FILE PROGRAM. After a wanted change: --update."""
import argparse
import difflib
import pathlib
import subprocess
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--update', action='store_true', help='write what the program prints to the file')
parser.add_argument('file', type=pathlib.Path)
parser.add_argument('program')
options = parser.parse_args()

printed = subprocess.run([options.program], capture_output=True, text=True, check=True).stdout
if options.update:
    options.file.write_text(printed)
difference = list(difflib.unified_diff(options.file.read_text().splitlines(), printed.splitlines(),
                                       str(options.file), options.program, lineterm=''))
print(*difference, sep='\n')
if difference:
    print(f'if this is wanted: {sys.argv[0]} --update {options.file} {options.program}')
sys.exit(bool(difference))
