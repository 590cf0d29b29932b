#!/usr/bin/env python3
"""Every public name of the headers stands on docs/reference.md, interop.md, modules.md or ops.md, in code: reference_test.py SOURCE."""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
page = ''.join((source / f'docs/{name}.md').read_text() for name in ('reference', 'interop', 'modules', 'ops'))
shown = set(re.findall(r'\w+', ' '.join(re.findall(r'`([^`\n]+)`', page) + re.findall(r'^```cpp.*?^```', page, re.M | re.S))))

NAMESPACE = re.compile(r'^namespace (?:jot::)?detail \{.*?^\}  // namespace (?:jot::)?detail$', re.M | re.S)
INTERNAL = {'impl', 'state', 'jot_tree_names'}  # for the library
FUNCTION = re.compile(r'^(?:inline |constexpr )*(?!return|namespace|else|using)[\w:][\w:<>,&* ]* &?(\w+)\(', re.M)
TYPE = re.compile(r'^(?:struct|class|enum class) (?:\[\[nodiscard\]\] )?(\w+)(?: :[^;{]*)? ?[{:]', re.M)
CONSTANT = re.compile(r'^inline constexpr [^;]*;', re.M)
MEMBER = re.compile(r'^  (?:static )?(?:const )?[\w:<>&*]+(?: &|&|\*)? (\w+)\(', re.M)


def names(header):
    text = NAMESPACE.sub('', header.read_text())
    found = set(FUNCTION.findall(text)) | set(TYPE.findall(text))
    for list_ in re.findall(r'#define JOT_\w+\(X\)((?:.*\\\n)*.*)', text):
        found |= set(re.findall(r'X\((\w+)\b', list_))
    for constant in CONSTANT.findall(text):
        found |= set(re.findall(r'(\w+) = ', constant))
    for name in ('Tensor', 'Executable', 'Module'):
        if body := re.search(rf'^class {name}(?: :[^{{]*)? \{{.*?^\}};', text, re.M | re.S):
            found |= set(MEMBER.findall(re.split(r'\n (?:private|protected):', body[0])[0])) - {name}
    return found - INTERNAL


missing, count = [], 0
for header in sorted([*source.glob('core/jot/*.h'), *source.glob('core/jot/*.inc'), *source.glob('ir/jot/*.h')]):
    for name in sorted(names(header)):
        count += 1
        elementwise = name.removesuffix('_out').removesuffix('_')
        if not name.startswith('operator') and name not in shown and not name.startswith('JOT_') and elementwise not in shown:
            missing.append(f'{header.relative_to(source)}: {name} is not on docs/reference.md')
for name in ('JOT_TREE', 'JOT_FN'):
    count += 1
    if name not in shown:
        missing.append(f'{name} is not on docs/reference.md')
print('\n'.join(missing))
print(f'{count - len(missing)} passed, {len(missing)} failed')
sys.exit(bool(missing))
