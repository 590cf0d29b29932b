#!/usr/bin/env python3
"""The page of a run in a browser: page_test.py PROGRAM SOURCE [--pictures FOLDER].

Chromium, without a screen, by Playwright: real clicks, keys and scrolling. Where there is no browser it says so."""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from checks import check, finish, skipped

parser = argparse.ArgumentParser()
parser.add_argument('program')
parser.add_argument('source', type=pathlib.Path)
parser.add_argument('--pictures', type=pathlib.Path, help='write the pictures of docs/seeing.md')
parser.add_argument('--report', action='store_true', help='print sizes and times of large pages')
options = parser.parse_args()


def line(text):
    return next(i for i, l in enumerate(options.source.read_text().split('\n'), 1) if text in l)


folder = pathlib.Path(tempfile.mkdtemp(prefix='jot-page-'))


def run(name, *arguments, **environment):
    """The page of a run."""
    done = subprocess.run([options.program, *arguments], capture_output=True, text=True,
                          env={**os.environ, 'JOT_TRACE_DIR': str(folder / name), **environment})
    check(f'{name} runs', done.returncode == 0 and done.stderr == '', done.stderr)
    return folder / name / 'index.html'


page_file = run('small')
text = page_file.read_text()
check('nothing from elsewhere', not re.search(r'(src|href)=|https?://', text.split('<script type="application/json"')[0]))
# Blocks as a machine reads them.
blocks = [(re.search(r'data-kind="(\w+)"', tag)[1], json.loads(body)) for tag, body in
          re.findall(r'<script (type="application/json"[^>]*)>(.*?)</script>', text, re.S)]
kinds = [kind for kind, _ in blocks]
for kind in ('run', 'record', 'compile', 'source', 'times', 'limits'):
    check(f'a block: {kind}', kind in kinds or kind in ('times', 'limits') and os.environ.get('JOT_CPU') == 'reference', kinds)
again = [c for kind, b in blocks if kind == 'record' for c in b['why']]
check('why: a shape', any(c['old'] == 'f64[1000]' and c['new'] == 'f64[2000]' and 'shape' in c['remedy'] for c in again), again)
check('why: a number', any(c['part'].startswith('number') and 'tensor(v' in c['remedy'] for c in again), again)
trace = json.loads((page_file.parent / 'trace.json').read_text().rstrip().rstrip(',') + ']')
check('spans along time', {'record', 'pass', 'compile'} <= {e.get('cat') for e in trace}, trace[:3])
check('off: no folder', not (folder / 'off').exists())

# All nodes have a line, and of instructions at least 95 in 100; equal nodes keep the lines of both.
nodes = with_line = instructions = with_node = 0
lines_of = set()
for kind, b in blocks:
    if kind not in ('record', 'compile'):
        continue
    for g in b['graphs']:
        p = 0
        for v in range(g['size']):
            nodes += 1
            with_line += g['nodes'][p + 2] >= 0
            p += 4 + g['nodes'][p + 3]
    lines_of |= {tuple(sorted(set(int(l) for l in o.split(',')[1::3]))) for o in b['origins']}
    programs = [b['program']] if b.get('program') else []
    while programs:
        p = programs.pop()
        programs += [inner for inner in p['programs'] if inner]
        for k in p['kernels']:
            instructions += len(k.get('nodes', []))
            with_node += sum(n >= 0 for n in k.get('nodes', []))
check('all nodes have a line', nodes == with_line > 0, f'{with_line} of {nodes}')
if os.environ.get('JOT_CPU') != 'reference':
    check('instructions have a node', with_node >= 0.95 * instructions > 0, f'{with_node} of {instructions}')
both = {line('Tensor a = sin(x)'), line('Tensor b = sin(x)')}
check('equal nodes keep their lines', any(both <= set(l) for l in lines_of), lines_of)

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
browser_path = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
if not sync_playwright or not browser_path:
    skipped('the page in a browser', 'it needs chromium and the Python package playwright (./dev test installs both)')
    finish()


def picked(page, pane):
    return page.eval_on_selector_all(f'#{pane} .row.picked', 'rows => rows.map(r => r.textContent)')


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=browser_path, args=['--no-sandbox', '--disable-gpu'])
    page = browser.new_page(viewport={'width': 1280, 'height': 760})
    problems, requests = [], []
    page.on('pageerror', lambda e: problems.append(str(e)))
    page.on('console', lambda m: m.type == 'error' and problems.append(m.text))
    page.on('request', lambda r: requests.append(r.url))
    page.goto(page_file.as_uri())
    page.wait_for_selector('body[data-ready]')
    check('one file', [r for r in requests if not r.startswith('data:')] == [page_file.as_uri()], requests)
    units = page.eval_on_selector_all('nav div', 'all => all.map(d => d.textContent)')
    check('what was recorded and compiled', len([u for u in units if u.startswith('jit')]) == 5, units)

    # The first gradient: click a line, an instruction, a line of assembly.
    page.click('nav div >> nth=0')
    stages = page.eval_on_selector_all('#stages button[data-stage]', 'all => all.map(b => b.textContent)')
    check('stages', {'grad', 'recorded', 'simplify', 'dce', 'for the machine'} <= set(stages), stages)
    page.click(f'#source .row[data-i="{line("Tensor a = sin(x)") - 1}"]')
    check('a line picks nodes', any('sin(' in t or 'cos(' in t for t in picked(page, 'graph')), picked(page, 'graph'))
    check('a line picks instructions', len(picked(page, 'kernel')) > 0)
    check('a line picks assembly', len(picked(page, 'assembly')) > 0)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=options.pictures / 'page.png')
    row = page.locator('#assembly .row', has_text='vfmadd').first
    if row.count():
        row.click()
        check('assembly picks an instruction', any('fma' in t or 'fnma' in t for t in picked(page, 'kernel')), picked(page, 'kernel'))
        check('assembly picks a line', len(picked(page, 'source')) > 0)
        check('assembly picks a node', len(picked(page, 'graph')) > 0)
    page.click('#kernel .row >> nth=8')
    check('an instruction picks itself', len(picked(page, 'kernel')) >= 1)
    page.hover('#graph .row >> nth=2')
    check('hover', page.locator('.row.hovered').count() > 0)

    # The difference of a stage to the one before.
    page.click('#stages button:text-is("simplify")')
    page.click('#diff')
    marks = page.eval_on_selector_all('#graph .row', 'rows => rows.map(r => r.className)')
    check('difference', any('added' in m or 'removed' in m for m in marks) and 'removed' in page.inner_text('#graph-note'), page.inner_text('#graph-note'))
    page.click('#graph .row.removed, #graph .row.added >> nth=0')
    if options.pictures:
        page.screenshot(path=options.pictures / 'difference.png', clip={'x': 0, 'y': 0, 'width': 1280, 'height': 430})
    page.click('#diff')

    # Why it was recorded again.
    page.click('nav div:has-text("again") >> nth=0')
    check('the table of changes', 'f64[1000]' in page.inner_text('#why') and 'f64[2000]' in page.inner_text('#why'), page.inner_text('#head'))
    if options.pictures:
        page.locator('#head').screenshot(path=options.pictures / 'again.png')

    # Search, by keys.
    page.fill('#search', 'cos')
    page.keyboard.press('Enter')
    page.wait_for_selector('.row.found')
    found = page.inner_text('#found')
    check('search', re.search(r'graph [1-9]', found), found)
    page.fill('#search', 'nothing has this text')
    page.wait_for_function("document.getElementById('found').textContent.includes('graph 0')")
    page.fill('#search', '')

    # Regions unfold and fold.
    scan = next(i for i, u in enumerate(units) if f':{line("auto steps = jit")}' in u)
    page.click(f'nav div >> nth={scan}')
    page.click('#stages button:text-is("recorded")')
    before = page.evaluate('rows.length')
    page.click('#graph .fold >> nth=0')
    unfolded = page.evaluate('rows.length')
    page.click('#graph .fold >> nth=0')
    check('a region unfolds and folds', unfolded > before == page.evaluate('rows.length'), (before, unfolded))

    # Times and limits, drawings.
    if os.environ.get('JOT_CPU') != 'reference':
        check('a step has a time and its share of the limit', re.search(r' (ns|us|ms) .*% of', page.inner_text('#steps')), page.inner_text('#steps'))
        shares = page.evaluate('units.flatMap(u => (show(u), u.programs.flatMap(p => p.kernels.map(share))))')
        check('95 % of instructions and assembly lead to a line', all(s['instructions'] >= 95 and s['assembly'] >= 95 for s in shares) and shares, shares)
        page.click(f'nav div >> nth=0')
    page.click('#graph .row >> nth=4')
    check('the nodes around', page.locator('#around rect').count() >= 2)
    if options.pictures:
        page.locator('#around').locator('xpath=..').screenshot(path=options.pictures / 'around.png')
    check('no error', problems == [], problems)

    # Large graphs: few rows are drawn, all can be reached.
    for n in (10_000, 100_000):
        file = run(f'large{n}', str(n))
        size = file.stat().st_size
        page.goto(file.as_uri())
        page.wait_for_selector('body[data-ready]')
        ready = page.evaluate('performance.now()')
        drawn = page.locator('.row').count()
        check(f'{n} nodes: only what is on the screen', 0 < drawn < 500, drawn)
        rows = page.evaluate('rows.length')
        check(f'{n} nodes: all are there', rows >= n, rows)
        page.evaluate("document.getElementById('graph').scrollTop = 1e9")
        page.wait_for_selector(f'#graph .row[data-i="{rows - 1}"]')
        page.click(f'#graph .row[data-i="{rows - 1}"]')
        check(f'{n} nodes: the last can be picked', len(picked(page, 'graph')) == 1)
        if n == 10_000:
            check('10^4 nodes: at most 3 MB', size <= 3_000_000, size)
        if options.report:
            first = {where: statistics.median(float(subprocess.run([options.program, str(n)], capture_output=True, text=True,
                                                                   env={**os.environ, 'JOT_TRACE_DIR': where}).stdout)
                                              for _ in range(9)) for where in ('', str(folder / 'cost'))}
            print(f'{n} nodes: the first call takes {first[""]:.2f} ms, with the page {first[str(folder / "cost")]:.2f} ms')
            print(f'{n} nodes: {size / 1e6:.2f} MB, ready after {ready:.0f} ms, {drawn} rows drawn')
    check('no error in large pages', problems == [], problems)
    browser.close()

shutil.rmtree(folder)
finish()
