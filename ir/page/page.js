// The page of a run (docs/seeing.md). Blocks of JSON behind this script hold the data; each is parsed when it is looked
// at, and of long lists only the rows on the screen are drawn.
'use strict';
const $ = id => document.getElementById(id);
const escaped = s => String(s).replace(/[&<>"]/g, c => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'}[c]));
const count = (n, what) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
const time = ns => ns < 1e3 ? `${ns.toFixed(0)} ns` : ns < 1e6 ? `${(ns / 1e3).toFixed(1)} us` : ns < 1e9 ? `${(ns / 1e6).toFixed(2)} ms` : `${(ns / 1e9).toFixed(2)} s`;
const bytes = n => n < 1e4 ? `${n} B` : n < 1e7 ? `${(n / 1e3).toFixed(1)} kB` : n < 1e10 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
const short = file => file.slice(file.lastIndexOf('/') + 1);

// ---- blocks

class Block {
  constructor(script) {
    Object.assign(this, {script, kind: script.dataset.kind, id: +script.dataset.id, title: script.dataset.title});
  }
  get data() {
    return this.parsed ??= JSON.parse(this.script.textContent);
  }
  graph(i) {
    this.graphs ??= [];
    return this.graphs[i] ??= new Graph(this, i);
  }
  // ["file:line", ...] of an origin.
  lines(origin) {
    this.origins ??= [];
    if (origin < 0) return [];
    return this.origins[origin] ??= this.split(origin).map(([f, l]) => `${this.data.files[f]}:${l}`);
  }
  scopes(origin) {
    return origin < 0 ? [] : this.split(origin).map(([, , s]) => this.data.scopes[s]).filter(s => s);
  }
  split(origin) {
    const all = this.data.origins[origin].split(',').map(Number), parts = [];
    for (let i = 0; i < all.length; i += 3) parts.push(all.slice(i, i + 3));
    return parts;
  }
  // Numbers of the strings of a table that mean the same in every block.
  hashes(table) {
    this.hashed ??= {};
    return this.hashed[table] ??= Int32Array.from(this.data[table], s => {
      let h = 7;
      for (let i = 0; i < s.length; ++i) h = Math.imul(h ^ s.charCodeAt(i), 0x01000193);
      return h;
    });
  }
}

class Graph {
  constructor(block, number) {
    const json = block.data.graphs[number];
    Object.assign(this, {block, json, size: json.size, nodes: json.nodes, name: json.name});
    this.at = new Int32Array(this.size + 1);
    for (let v = 0, p = 0; v < this.size; p += 4 + this.nodes[p + 3]) this.at[v++] = p;
    this.texts = new Map();
    for (let i = 0; i < json.texts.length; i += 2) this.texts.set(json.texts[i], json.texts[i + 1]);
    this.regions = new Map();
    for (const [v, label, k] of json.regions) this.regions.set(v, [...this.regions.get(v) ?? [], [label, k]]);
    this.named = [0];
    for (const n of json.inputs) this.named.push(this.named.at(-1) + (n !== ''));
  }
  op(v) { return this.block.data.ops[this.nodes[this.at[v]] >> 1]; }
  effect(v) { return this.nodes[this.at[v]] & 1; }
  type(v) { return this.block.data.types[this.nodes[this.at[v] + 1]]; }
  origin(v) { return this.nodes[this.at[v] + 2]; }
  operands(v) { return this.nodes.slice(this.at[v] + 4, this.at[v] + 4 + this.nodes[this.at[v] + 3]); }
  lines(v) { return this.block.lines(this.origin(v)); }
  label(v) {
    const inputs = this.json.inputs;
    return '%' + (v < inputs.length && inputs[v] !== '' ? inputs[v] : v - this.named[Math.min(v, inputs.length)]);
  }
  attributes(v) { return this.texts.has(v) ? this.block.data.attributes[this.texts.get(v)] : ''; }
  operation(v) {
    const op = this.op(v) + (this.effect(v) ? '_' : ''), attributes = this.attributes(v);
    return op === 'param' ? 'param' : `${op}(${this.operands(v).map(o => this.label(o)).join(', ')})` + (attributes && ` {${attributes}}`);
  }
  text(v) { return `${this.label(v)}: ${this.type(v)} = ${this.operation(v)}`; }
  html(v) {
    const attributes = this.attributes(v), op = this.op(v);
    return `<span class="name">${escaped(this.label(v))}</span>: <span class="type">${this.type(v)}</span> = ` +
      `<span class="op${this.effect(v) ? ' effect' : ''}">${op}${this.effect(v) ? '_' : ''}</span>` +
      (op === 'param' ? '' : `(${escaped(this.operands(v).map(o => this.label(o)).join(', '))})`) +
      (attributes && ` <span class="note">{${escaped(attributes)}}</span>`) +
      ` <span class="note">${escaped(this.lines(v).map(short).join(' '))}</span>`;
  }
  // Nodes by line.
  get byLine() {
    if (this.linesMap) return this.linesMap;
    const byOrigin = new Map(), map = new Map();
    for (let v = 0; v < this.size; ++v) {
      const o = this.origin(v);
      byOrigin.has(o) ? byOrigin.get(o).push(v) : byOrigin.set(o, [v]);
    }
    for (const [o, nodes] of byOrigin)
      for (const l of this.block.lines(o)) {
        if (!map.has(l)) map.set(l, []);
        for (const v of nodes) map.get(l).push(v);
      }
    return this.linesMap = map;
  }
  // A number for each node: of what it computes, whatever its place.
  get keys() {
    if (this.keyList) return this.keyList;
    const keys = new Float64Array(this.size), low = new Int32Array(this.size), high = new Int32Array(this.size);
    const ops = this.block.hashes('ops'), types = this.block.hashes('types'), texts = this.block.hashes('attributes');
    for (let v = 0; v < this.size; ++v) {
      const p = this.at[v], n = this.nodes;
      let a = Math.imul(ops[n[p] >> 1] + (n[p] & 1), 0x9e3779b1) ^ types[n[p + 1]], b = a ^ 0x2545f491;
      if (this.texts.has(v)) a = Math.imul(a ^ texts[this.texts.get(v)], 0x85ebca6b), b ^= a >>> 7;
      if (this.op(v) === 'param') a = Math.imul(a ^ v, 0xc2b2ae35), b += v * 977;
      for (let i = 0; i < n[p + 3]; ++i) {
        const o = n[p + 4 + i];
        a = Math.imul(a ^ (low[o] + i), 0x85ebca6b), b = Math.imul(b + high[o] ^ a, 0xc2b2ae35) ^ b >>> 11;
      }
      low[v] = a ^ a >>> 15, high[v] = b ^ b >>> 13;
      keys[v] = (low[v] >>> 0) * 2097152 + (high[v] & 2097151);
    }
    return this.keyList = keys;
  }
  get byKey() {
    if (this.keyMap) return this.keyMap;
    this.keyMap = new Map();
    for (let v = 0; v < this.size; ++v) if (!this.keyMap.has(this.keys[v])) this.keyMap.set(this.keys[v], v);
    return this.keyMap;
  }
  get users() {
    if (this.userLists) return this.userLists;
    this.userLists = Array.from({length: this.size}, () => []);
    for (let v = 0; v < this.size; ++v) for (const o of this.operands(v)) this.userLists[o].push(v);
    return this.userLists;
  }
}

// Which nodes of `now` are new, and for each the nodes of `before` that are gone in front of it (the last: at the end).
function difference(before, now) {
  const places = new Map(), gone = new Map(), added = new Uint8Array(now.size).fill(1);
  for (let v = 0; v < now.size; ++v) places.has(now.keys[v]) ? places.get(now.keys[v]).push(v) : places.set(now.keys[v], [v]);
  let next = 0;
  for (let v = 0; v < before.size; ++v) {
    const at = places.get(before.keys[v])?.shift();
    if (at === undefined) {
      gone.has(next) ? gone.get(next).push(v) : gone.set(next, [v]);
    } else {
      added[at] = 0;
      next = at + 1;
    }
  }
  return {added, gone};
}

// ---- programs

class Kernel {
  constructor(json, program) {
    Object.assign(this, {json, program});
  }
  get lines() { return this.split ??= this.json.text.split('\n'); }
  // Nodes of an instruction (line i + 1 of the text).
  nodes(i) {
    if (!this.more) {
      this.more = new Map();
      const m = this.json.more ?? [];
      for (let j = 0; j < m.length; j += 2) this.more.set(m[j], [...this.more.get(m[j]) ?? [], m[j + 1]]);
    }
    const own = this.json.nodes?.[i] ?? -1;
    return (own < 0 ? [] : [own]).concat(this.more.get(i) ?? []);
  }
  get byNode() {
    if (this.nodeMap) return this.nodeMap;
    this.nodeMap = new Map();
    for (let i = 0; i < this.lines.length - 1; ++i)
      for (const v of this.nodes(i)) this.nodeMap.has(v) ? this.nodeMap.get(v).push(i) : this.nodeMap.set(v, [i]);
    return this.nodeMap;
  }
  // Rows of the assembly: text and the instruction that it is made of; -1: entry, exit and what all share.
  get assembly() {
    if (this.rows) return this.rows;
    this.rows = [];
    let at = -1;
    for (const line of (this.json.assembly ?? '').split('\n')) {
      const mark = /^; (?:%(\d+)|(.*))/.exec(line);
      if (mark) at = mark[1] === undefined ? -1 : +mark[1];
      else if (line.trim()) this.rows.push({text: line, instruction: at});
    }
    return this.rows;
  }
  // What is stored: entry and exit are for it.
  get stored() {
    const kinds = /^\s*(\w+ )?(store|scatter|set)/;
    return this.storedNodes ??= [...new Set(this.lines.slice(1).flatMap((l, i) => kinds.test(l) ? this.nodes(i) : []))];
  }
  hasLine(i) {
    return (i < 0 ? this.stored : this.nodes(i)).some(v => this.program.graph.origin(v) >= 0);
  }
}

class Program {
  constructor(block, json) {
    Object.assign(this, {block, json, graph: block.graph(json.graph)});
    this.kernels = json.kernels.map(k => new Kernel(k, this));
    this.steps = json.steps;
    this.inner = (json.programs ?? []).filter(p => p).map(p => new Program(block, p));
    this.times = times.get(json.id)?.data.steps;
  }
  get all() { return [this, ...this.inner.flatMap(p => p.all)]; }
  // Nanoseconds of each node: a kernel's by its instructions.
  get nodeTimes() {
    if (this.nodeNs) return this.nodeNs;
    this.nodeNs = new Float64Array(this.graph.size);
    if (!this.times) return this.nodeNs;
    this.steps.forEach((s, i) => {
      const ns = this.times[i]?.[1] ?? 0;
      if (s.kernel !== undefined) {
        const k = this.kernels[s.kernel];
        let all = 0;
        for (const list of k.byNode.values()) all += list.length;
        for (const [v, list] of k.byNode) this.nodeNs[v] += ns * list.length / all;
      } else if (s.node !== undefined) {
        this.nodeNs[s.node] += ns;
      }
    });
    return this.nodeNs;
  }
}

// ---- lists of which only what is on the screen is drawn

class List {
  constructor(id, pick) {
    Object.assign(this, {element: $(id), length: 0, html: () => '', classes: () => '', text: () => ''});
    this.inner = this.element.appendChild(document.createElement('div'));
    this.element.addEventListener('scroll', () => this.draw());
    const row = e => e.target.closest('.row')?.dataset.i;
    this.element.addEventListener('click', e => row(e) === undefined || pick(+row(e), e.target));
    this.element.addEventListener('mouseover', e => this.hover && row(e) !== undefined && this.hover(+row(e)));
    this.element.addEventListener('mouseleave', () => this.hover && hover(null));
  }
  show(length, {html, text, classes}) {
    Object.assign(this, {length, html, text, classes: classes ?? (() => ''), found: null});
    this.inner.style.height = `${length * 18}px`;
    this.element.scrollTop = 0;
    this.draw();
  }
  draw() {
    const first = Math.max(Math.floor(this.element.scrollTop / 18) - 3, 0);
    const last = Math.min(first + Math.ceil(this.element.clientHeight / 18) + 6, this.length);
    let out = '';
    for (let i = first; i < last; ++i)
      out += `<div class="row ${this.marks(i)}" data-i="${i}" style="top:${18 * i}px">${this.html(i)}</div>`;
    this.inner.innerHTML = out;
  }
  marks(i) { return this.classes(i) + (i === this.found ? ' found' : ''); }
  // What is picked has changed, the rows have not.
  mark() {
    for (const row of this.inner.children) row.className = 'row ' + this.marks(+row.dataset.i);
  }
  reveal(i) {
    const top = this.element.scrollTop, height = this.element.clientHeight;
    if (i < 0 || (i * 18 >= top && i * 18 + 18 <= top + height)) return;
    this.element.scrollTop = Math.max(i * 18 - height / 2, 0);
  }
}

// ---- what is shown

const times = new Map(), sources = new Map();
let blocks = [], limits = null;
let unit = null;        // {record, compile, stages, programs}
let stage = 0, diff = false, rows = [], folds = new Set();
let program = null, kernel = null, file = '';
let picked = null, hovered = null, found = null;

// What belongs to a pick: lines, nodes of the stage shown, nodes of the program, instructions of the kernel shown.
function related(pick) {
  const r = {lines: new Set(), nodes: new Set(), made: new Set(), instructions: new Set()};
  const g = unit.stages[stage]?.graph;
  const add = (set, list) => { for (const x of list ?? []) set.add(x); };
  const addByKey = (from, v, to, set) => {
    const same = to.byKey.get(from.keys[v]);
    if (same !== undefined) set.add(same);
    else for (const l of from.lines(v)) add(set, to.byLine.get(l));
  };
  const target = program?.graph;
  if (pick.line !== undefined) {
    r.lines.add(pick.line);
    if (g) add(r.nodes, g.byLine.get(pick.line));
    if (target) add(r.made, target.byLine.get(pick.line));
  } else if (pick.graph) {
    add(r.lines, pick.graph.lines(pick.node));
    if (pick.graph === g) r.nodes.add(pick.node);
    else if (g) addByKey(pick.graph, pick.node, g, r.nodes);
    if (pick.graph === target) r.made.add(pick.node);
    else if (target) addByKey(pick.graph, pick.node, target, r.made);
  } else if (pick.instruction !== undefined) {
    const nodes = pick.instruction < 0 ? kernel.stored : kernel.nodes(pick.instruction);
    add(r.made, nodes);
    for (const v of nodes) add(r.lines, target.lines(v));
    if (g === target) add(r.nodes, nodes);
    else if (g) for (const v of nodes) addByKey(target, v, g, r.nodes);
    r.instructions.add(pick.instruction);
    return r;
  }
  if (kernel && kernel.program === program) for (const v of r.made) add(r.instructions, kernel.byNode.get(v));
  return r;
}

function hover(pick) {
  hovered = pick && related(pick);
  drawRows();
}

// reveal: none of the panes but `except`, where the click was, stays where it is.
function choose(pick, except) {
  picked = Object.assign(related(pick), {pick});
  if (program && picked.made.size && !picked.instructions.size) {
    const k = program.kernels.findIndex(k => [...picked.made].some(v => k.byNode.has(v)));
    if (k >= 0) {
      showKernel(k);
      picked = Object.assign(related(pick), {pick});
    }
  }
  const line = [...picked.lines][0];
  if (line && except !== 'source') {
    const at = line.lastIndexOf(':');
    if (line.slice(0, at) !== file) showFile(line.slice(0, at));
    lists.source.reveal(+line.slice(at + 1) - 1);
  }
  const g = unit.stages[stage]?.graph;
  if (except !== 'graph') lists.graph.reveal(rows.findIndex(r => r.graph === g && picked.nodes.has(r.node)));
  if (kernel) {
    const first = Math.min(...picked.instructions);
    if (except !== 'kernel' && isFinite(first)) lists.kernel.reveal(first + 1);
    if (except !== 'assembly') lists.assembly.reveal(kernel.assembly.findIndex(r => picked.instructions.has(r.instruction)));
  }
  const step = program ? program.steps.findIndex(s => s.node !== undefined && picked.made.has(s.node)) : -1;
  if (step >= 0) lists.steps.reveal(step);
  drawRows();
  detail();
  around();
}

function drawRows() {
  for (const list of Object.values(lists)) list.mark();
}

const mark = (set, x) => (picked?.[set].has(x) ? 'picked ' : '') + (hovered?.[set].has(x) ? 'hovered ' : '');

function detail() {
  const lines = [...picked.lines], p = picked.pick, g = p.graph ?? program?.graph ?? unit.stages[stage]?.graph;
  const nodes = p.graph ? [p.node] : [...picked.made].slice(0, 3);
  const ns = program?.times ? [...picked.made].reduce((sum, v) => sum + program.nodeTimes[v], 0) : 0;
  $('detail').textContent = [lines.map(short).join(' '), ...nodes.map(v => g.text(v)),
    nodes.length ? g.block.scopes(g.origin(nodes[0])).join(' ') : '', ns ? time(ns) + ' in all' : ''].filter(s => s).join('   ');
}

// ---- panes

const fileLines = name => sources.get(name) ?? [];
function showFile(name) {
  file = name;
  $('file').value = name;
  let text = fileLines(name), timeOf = new Map(), all = 0;
  if (!text.length) {  // not there: the lines that something stands for
    const known = new Map();
    for (const s of unit.stages) for (const l of s.graph.byLine.keys())
      if (l.startsWith(name + ':')) known.set(+l.slice(name.length + 1), true);
    text = Array.from({length: Math.max(0, ...known.keys())}, () => '');
  }
  if (program?.times)
    for (let v = 0; v < program.graph.size; ++v) {
      const ls = program.graph.lines(v);
      all += program.nodeTimes[v];
      for (const l of ls) timeOf.set(l, (timeOf.get(l) ?? 0) + program.nodeTimes[v] / ls.length);
    }
  const known = l => unit.stages.some(s => s.graph.byLine.has(l));
  lists.source.show(text.length, {
    html: i => {
      const l = `${name}:${i + 1}`, ns = timeOf.get(l) ?? 0;
      return (all ? `<span class="time" style="--share:${100 * ns / all}%">${ns ? time(ns) : ''}</span>` : '') +
        `<span class="${known(l) ? 'name' : 'note'}">${String(i + 1).padStart(4)}</span> ${escaped(text[i])}`;
    },
    text: i => text[i], classes: i => mark('lines', `${name}:${i + 1}`),
  });
}

function fold(row) {
  const key = `${row.graph.block.id} ${row.graph.json.name} ${row.node} ${row.depth}`;
  folds.has(key) ? folds.delete(key) : folds.add(key);
  showGraph(true);
}

// Rows of a graph; below a node that is unfolded those of its regions.
function rowsOf(g, changes, before) {
  const out = [], stack = [{graph: g, node: 0, depth: 0}];
  while (stack.length) {
    const top = stack.at(-1);
    if (top.depth === 0 && changes) for (const v of changes.gone.get(top.node) ?? []) out.push({graph: before, node: v, depth: 0, change: 'removed'});
    if (top.node === top.graph.size) {
      stack.pop();
      continue;
    }
    const row = {graph: top.graph, node: top.node, depth: top.depth, change: top.depth === 0 && changes?.added[top.node] ? 'added' : ''};
    out.push(row);
    ++top.node;
    const regions = row.graph.regions.get(row.node);
    if (!regions) continue;
    row.unfolded = folds.has(`${row.graph.block.id} ${row.graph.json.name} ${row.node} ${row.depth}`);
    if (!row.unfolded) continue;
    for (const [label, k] of [...regions].reverse()) stack.push({graph: row.graph.block.graph(k), node: 0, depth: row.depth + 1, label});
  }
  return out;
}

function showGraph(stay) {
  const s = unit.stages[stage], list = lists.graph, top = list.element.scrollTop;
  if (!s) return list.show(rows.length = 0, {html: () => '', text: () => ''});
  const g = s.graph, before = diff && stage > 0 ? unit.stages[stage - 1].graph : null;
  const changes = before && difference(before, g);
  rows = rowsOf(g, changes, before);
  const timed = program?.graph === g && program.times ? program.nodeTimes : null;
  const all = timed ? timed.reduce((a, b) => a + b, 0) || 1 : 1;
  list.show(rows.length, {
    html: i => {
      const r = rows[i];
      const share = timed && r.depth === 0 && !r.change ? `<span class="time" style="--share:${100 * timed[r.node] / all}%">${timed[r.node] ? time(timed[r.node]) : ''}</span>` : '';
      const sign = before ? (r.change === 'added' ? '+ ' : r.change ? '- ' : '  ') : '';
      const handle = r.graph.regions.has(r.node) ? `<span class="fold">${r.unfolded ? '▾' : '▸'} </span>` : '';
      return share + sign + '    '.repeat(r.depth) + handle + r.graph.html(r.node);
    },
    text: i => rows[i].graph.text(rows[i].node),
    classes: i => rows[i].change + ' ' + (rows[i].graph === g ? mark('nodes', rows[i].node) : ''),
  });
  if (stay) list.element.scrollTop = top;
  const added = changes ? changes.added.reduce((a, b) => a + b, 0) : 0;
  const removed = changes ? [...changes.gone.values()].reduce((n, l) => n + l.length, 0) : 0;
  $('graph-note').textContent = `@${g.name}, ${count(g.size, 'node')}` + (before ? `, ${added} added, ${removed} removed` : '') + (s.us ? `, ${time(1e3 * s.us)}` : '');
}

function showStages() {
  $('stages').innerHTML = unit.stages.map((s, i) => {
    const before = i && unit.stages[i - 1].graph, same = before && before.size === s.graph.size && before.keys.every((k, v) => k === s.graph.keys[v]);
    return `<button data-stage="${i}" class="${i === stage ? 'picked' : ''} ${same ? 'same' : ''}" title="${same ? 'as the one before' : count(s.graph.size, 'node')}">${escaped(s.name)}</button>`;
  }).join('') + ` <button id="diff" class="${diff ? 'picked' : ''}">difference</button>`;
}

function showKernel(number) {
  kernel = program?.kernels[number] ?? null;
  $('kernel-number').value = number;
  const empty = {html: () => '', text: () => ''};
  if (!kernel) {
    lists.kernel.show(0, empty);
    lists.assembly.show(0, empty);
    $('kernel-note').textContent = $('assembly-note').textContent = '';
    return;
  }
  const lines = kernel.lines, rowsOfCode = kernel.assembly;
  lists.kernel.show(lines.length, {html: i => escaped(lines[i]), text: i => lines[i], classes: i => i ? mark('instructions', i - 1) : ''});
  lists.assembly.show(rowsOfCode.length, {html: i => escaped(rowsOfCode[i].text), text: i => rowsOfCode[i].text,
    classes: i => mark('instructions', rowsOfCode[i].instruction)});
  const mapped = kernel.mappedShare ??= share(kernel);
  $('kernel-note').textContent = `${count(lines.length - 1, 'instruction')}, ${mapped.instructions.toFixed(1)} % with a line`;
  $('assembly-note').textContent = `${count(rowsOfCode.length, 'instruction')}, ${bytes(kernel.json.bytes ?? 0)}, ${mapped.assembly.toFixed(1)} % with a line`;
}

// Percent of a kernel's instructions that lead to a line.
function share(k) {
  const percent = (all, has) => all.length ? 100 * all.filter(has).length / all.length : 100;
  return {instructions: percent(k.lines.slice(1), (_, i) => k.hasLine(i)), assembly: percent(k.assembly, r => k.hasLine(r.instruction))};
}

// Of a step: how much of what the machine can do it did. bytes, flops: of one call.
function limitOf(step, ns) {
  if (!limits || !ns) return '';
  const shares = [];
  if (step.flops) shares.push(['arithmetic', step.flops / ns / (limits.gflops[step.wide ? 'f64' : 'f32'] || 1)]);
  if (step.bytes) {
    const [, gbs] = limits.memory.find(([size]) => step.bytes <= size) ?? limits.memory.at(-1);
    shares.push(['memory', step.bytes / ns / gbs]);
  }
  return shares.map(([what, s]) => `${(100 * s).toFixed(0)} % of ${what}`).join(', ');
}

function stepText(i) {
  const s = program.steps[i], t = program.times?.[i], g = program.graph;
  const what = s.kernel !== undefined ? `kernel ${s.kernel}${s.loops ? ' ' + s.loops : ''}, ${count(s.members.length, 'node')}` :
    s.node !== undefined ? `${s.kind} ${g.text(s.node)}${s.library ? ' by ' + s.library : ''}` : s.kind;
  const each = t && t[0] ? t[1] / t[0] : 0;
  return `${String(i).padStart(3)} ${t ? `${(each ? time(each) : '').padStart(9)} x ${String(t[0]).padEnd(6)}` : ''} ${what}` +
    `${s.bytes ? ', ' + bytes(s.bytes) : ''}${s.flops ? `, ${s.flops.toLocaleString('en')} flops` : ''}${each ? '   ' + limitOf(s, t[2] || each) : ''}${s.group !== undefined ? `   group ${s.group}, timed together` : ''}`;
}

function showProgram(next) {
  program = next;
  const none = {html: () => '', text: () => ''};
  $('kernel-number').innerHTML = (program?.kernels ?? []).map((_, i) => `<option value="${i}">${i}</option>`).join('');
  if (!program) lists.steps.show(0, none);
  else lists.steps.show(program.steps.length, {html: i => escaped(stepText(i)), text: stepText, classes: i => {
    const s = program.steps[i], members = s.members ?? (s.node !== undefined ? [s.node] : []);
    return members.some(v => picked?.made.has(v)) ? 'picked' : '';
  }});
  $('steps-note').innerHTML = !program ? '' : unit.programs.length > 1 ?
    `<select id="program">${unit.programs.map((p, i) => `<option value="${i}" ${p === program ? 'selected' : ''}>${i ? 'loop or region ' + i : 'program'}</option>`).join('')}</select>` : '';
  showKernel(0);
  memory();
}

// ---- drawings

// The nodes around a node: what it is made of above, what is made of it below.
function around() {
  const p = picked.pick, g = p.graph ?? unit.stages[stage]?.graph, middle = p.graph ? p.node : [...picked.nodes][0];
  $('around').innerHTML = $('around-note').textContent = '';
  if (!g || middle === undefined) return;
  const level = new Map([[middle, 0]]), kMost = 40;
  for (let queue = [middle], i = 0; i < queue.length && level.size < kMost; ++i) {
    const v = queue[i], l = level.get(v), reach = (w, to) => {
      if (level.has(w) || level.size >= kMost || Math.abs(to) > 3) return;
      level.set(w, to);
      queue.push(w);
    };
    if (l <= 0) for (const o of g.operands(v)) reach(o, l - 1);
    if (l >= 0) for (const u of g.users[v].slice(0, 8)) reach(u, l + 1);
  }
  const byLevel = new Map(), depth = new Map();  // each below all that it is made of
  for (const v of [...level.keys()].sort((a, b) => a - b)) {
    const l = Math.max(0, ...g.operands(v).map(o => (depth.get(o) ?? -1) + 1));
    depth.set(v, l);
    byLevel.set(l, [...byLevel.get(l) ?? [], v]);
  }
  const levels = [...byLevel.keys()].sort((a, b) => a - b), width = 118, height = 46, place = new Map();
  const widest = Math.max(...[...byLevel.values()].map(l => l.length));
  levels.forEach((l, y) => byLevel.get(l).forEach((v, x) => place.set(v, [(x + (widest - byLevel.get(l).length) / 2) * width + 6, y * height + 6])));
  let edges = '', boxes = '';
  for (const [v, [x, y]] of place) {
    for (const o of g.operands(v)) {
      if (!place.has(o)) continue;
      const [a, b] = place.get(o);
      edges += `<path class="edge" d="M${a + 55},${b + 30} C${a + 55},${b + 42} ${x + 55},${y - 12} ${x + 55},${y}"/>`;
    }
    boxes += `<g data-node="${v}"><title>${escaped(g.text(v))}\n${escaped(g.lines(v).join('\n'))}</title>` +
      `<rect class="box ${v === middle ? 'picked' : ''}" x="${x}" y="${y}" width="110" height="30" rx="4"/>` +
      `<text x="${x + 5}" y="${y + 12}">${escaped(`${g.op(v) === 'param' ? '' : g.op(v) + ' '}${g.label(v)}`.slice(0, 17))}</text>` +
      `<text x="${x + 5}" y="${y + 25}" class="type">${escaped(g.type(v).slice(0, 17))}</text></g>`;
  }
  $('around').innerHTML = `<svg width="${widest * width + 6}" height="${levels.length * height + 6}">${edges}${boxes}</svg>`;
  $('around-note').textContent = `${g.label(middle)}, ${count(level.size, 'node')}`;
}

// The arena: steps from left to right, addresses from top to bottom.
function memory() {
  $('memory').innerHTML = $('memory-note').textContent = '';
  if (!program) return;
  const spaces = ['input', 'output', 'arena', 'pointer', 'constant', 'slice'], places = program.json.memory ?? [], kMost = 3000;
  const arena = places.filter(p => spaces[p[1]] === 'arena');
  const total = new Map();
  for (const [, space, , , n] of places) total.set(spaces[space], (total.get(spaces[space]) ?? 0) + n);
  $('memory-note').textContent = `arena ${bytes(program.json.arena ?? 0)}` + [...total].filter(([s]) => s !== 'arena').map(([s, n]) => `, ${s} ${bytes(n)}`).join('');
  if (!arena.length || !program.json.arena) return;
  const w = 300 / program.steps.length, h = 160 / program.json.arena;
  $('memory').innerHTML = `<svg width="312" height="172">` + arena.slice(0, kMost).map(([v, , , offset, n, first, last]) =>
    `<rect class="place" data-node="${v}" x="${6 + first * w}" y="${6 + offset * h}" width="${Math.max((last - first + 1) * w, 1)}" height="${Math.max(n * h, 1)}">` +
    `<title>${escaped(program.graph.text(v))}\n${bytes(n)} at ${offset}, steps ${first} to ${last}</title></rect>`).join('') + '</svg>';
}

// ---- units: what was recorded, and what was compiled for it

function head() {
  const out = [], at = unit.record?.data.at ?? unit.compile?.data.at;
  out.push(`<b>${escaped(unit.title.replace(/\S*\//g, ''))}</b>${at ? ` <span class="note">${escaped(at.join(':'))}</span>` : ''}`);
  const r = unit.record?.data, c = unit.compile?.data;
  if (r) out.push(`<span class="note">recorded ${count(r.nodes, 'node')} in ${time(1e6 * r.ms)}${r.hit ? '; compiled before' : ''}${r.arguments?.length ? '; of ' + escaped(r.arguments.join(', ')) : ''}${r.captures?.length ? '; captures ' + escaped(r.captures.join(', ')) : ''}</span>`);
  if (c?.phases) out.push(`<span class="note">compiled: ${Object.entries(c.phases).map(([k, s]) => `${k} ${time(1e9 * s)}`).join(', ')}${c.loaded ? ' (loaded from disk)' : ''}</span>`);
  const why = r ? r.why : c?.why;
  if (why?.length) out.push(`<table id="why"><tr><th>${r ? 'recorded' : 'compiled'} again: what changed</th><th>before</th><th>now</th><th>remedy</th></tr>${why.map(w =>
    `<tr><td>${escaped(w.part)}</td><td>${escaped(w.old)}</td><td>${escaped(w.new)}</td><td>${escaped(w.remedy)}</td></tr>`).join('')}</table>`);
  $('head').innerHTML = out.join('<br>').replace('<br><table', '<table');
}

function show(u) {
  unit = u;
  picked = hovered = null;
  folds = new Set();
  document.querySelectorAll('nav div').forEach(d => d.classList.toggle('picked', d.dataset.unit === String(units.indexOf(u))));
  if (!u.stages) {
    u.stages = [u.record, u.compile].flatMap(b => (b?.data.stages ?? []).map(s => ({name: s.name, us: s.us, graph: b.graph(s.graph)})));
    u.programs = u.compile?.data.program ? new Program(u.compile, u.compile.data.program).all : [];
    if (u.programs.length) u.stages.push({name: 'for the machine', graph: u.programs[0].graph});
  }
  stage = Math.max(u.stages.length - 1, 0);
  diff = false;
  showProgram(u.programs[0] ?? null);
  head();
  showStages();
  showGraph();
  const files = [...new Set(u.stages.flatMap(s => s.graph.block.data.files))].filter(f => f);
  $('file').innerHTML = files.map(f => `<option value="${escaped(f)}">${escaped(short(f))}</option>`).join('');
  showFile(files[0] ?? '');
  $('detail').textContent = '';
  $('around').innerHTML = '';
}

// ---- search

function search(text) {
  found = null;
  $('found').textContent = '';
  for (const list of Object.values(lists)) list.found = null;
  if (!text) return drawRows();
  const wanted = text.toLowerCase();
  found = {text, next: -1, hits: {}};
  for (const [name, list] of Object.entries(lists)) {
    const hits = found.hits[name] = [];
    for (let i = 0; i < list.length; ++i) if (list.text(i).toLowerCase().includes(wanted)) hits.push(i);
  }
  $('found').textContent = Object.entries(found.hits).map(([name, hits]) => `${name} ${hits.length}`).join('  ');
  nextFound();
}

function nextFound() {
  ++found.next;
  for (const [name, list] of Object.entries(lists)) {
    const hits = found.hits[name];
    list.found = hits.length ? hits[found.next % hits.length] : null;
    if (hits.length) list.reveal(list.found);
  }
  drawRows();
}

// ---- start

let units = [];
const lists = {};

function start() {
  blocks = [...document.querySelectorAll('script[type="application/json"]')].map(s => new Block(s));
  for (const b of blocks) {
    if (b.kind === 'times') times.set(b.id, b);
    if (b.kind === 'limits') limits = b.data;
    if (b.kind === 'source') sources.set(b.title, b.data.split('\n'));
    if (b.kind === 'run') $('run').textContent = b.title;
  }
  $('title').textContent = document.title;
  if (limits) $('run').textContent += ` · limits ${limits.how}: ${limits.gflops.f32.toFixed(0)} Gflop/s f32, ${limits.gflops.f64.toFixed(0)} f64; ${limits.memory.map(([n, gbs]) => `${gbs.toFixed(0)} GB/s to ${bytes(n)}`).join(', ')}`;
  lists.source = new List('source', i => choose({line: `${file}:${i + 1}`}, 'source'));
  lists.graph = new List('graph', (i, target) => target.classList.contains('fold') ? fold(rows[i]) : choose({graph: rows[i].graph, node: rows[i].node}, 'graph'));
  lists.kernel = new List('kernel', i => i && choose({instruction: i - 1}, 'kernel'));
  lists.assembly = new List('assembly', i => choose({instruction: kernel.assembly[i].instruction}, 'assembly'));
  lists.steps = new List('steps', i => {
    const s = program.steps[i];
    if (s.kernel !== undefined) showKernel(s.kernel);
    const node = s.node ?? s.writes?.[0] ?? s.members?.[0];
    if (node !== undefined) choose({graph: program.graph, node}, 'steps');
  });
  lists.source.hover = i => hover({line: `${file}:${i + 1}`});
  lists.graph.hover = i => hover({graph: rows[i].graph, node: rows[i].node});
  lists.kernel.hover = i => i && hover({instruction: i - 1});
  lists.assembly.hover = i => hover({instruction: kernel.assembly[i].instruction});

  const compiles = new Map(blocks.filter(b => b.kind === 'compile').map(b => [b.id, b]));
  const recorded = new Set();
  for (const b of blocks) {
    if (b.kind === 'record') {
      const compile = compiles.get(+b.script.dataset.of) ?? compiles.get(b.data.compile);
      if (compile) recorded.add(compile);
      units.push({title: b.title, record: b, compile});
    }
  }
  for (const b of compiles.values()) if (!recorded.has(b)) units.push({title: b.title, compile: b});
  units.sort((a, b) => (a.record ?? a.compile).id - (b.record ?? b.compile).id);
  $('list').innerHTML = units.map((u, i) => `<div data-unit="${i}" title="${escaped(u.title)}">${escaped(u.title.replace(/\S*\//g, ''))}</div>`).join('');
  $('list').addEventListener('click', e => e.target.dataset.unit !== undefined && show(units[+e.target.dataset.unit]));
  $('stages').addEventListener('click', e => {
    if (e.target.id === 'diff') diff = !diff;
    else if (e.target.dataset.stage !== undefined) stage = +e.target.dataset.stage;
    else return;
    if (picked) picked = Object.assign(related(picked.pick), {pick: picked.pick});
    showStages();
    showGraph();
    if (picked) lists.graph.reveal(rows.findIndex(r => r.graph === unit.stages[stage].graph && picked.nodes.has(r.node)));
  });
  $('kernel-number').addEventListener('change', e => showKernel(+e.target.value));
  $('file').addEventListener('change', e => showFile(e.target.value));
  $('steps-note').addEventListener('change', e => showProgram(unit.programs[+e.target.value]));
  for (const id of ['around', 'memory'])
    $(id).addEventListener('click', e => {
      const node = e.target.closest('[data-node]')?.dataset.node;
      if (node === undefined) return;
      choose({graph: id === 'memory' ? program.graph : picked.pick.graph ?? unit.stages[stage].graph, node: +node});
    });
  let waiting = 0;
  $('search').addEventListener('input', e => {
    clearTimeout(waiting);
    waiting = setTimeout(() => search(e.target.value), 150);
  });
  $('search').addEventListener('keydown', e => {
    if (e.key !== 'Enter') return;
    clearTimeout(waiting);
    found && found.text === e.target.value ? nextFound() : search(e.target.value);
  });
  addEventListener('resize', () => Object.values(lists).forEach(l => l.draw()));
  if (units.length) show(units.at(-1));
  document.body.dataset.ready = '1';
}
addEventListener('DOMContentLoaded', start);
