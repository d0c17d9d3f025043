// Copied unchanged from the project's reference measurements: the hand-written script that Millrace's full run is compared with.
// compare.ts takes its row "cold, sync, 1 thread".
// Part A, Node limit: the upper pipeline with plain fs, no framework.
// usage: node limit.mjs [N] [reps]     (also compiles and runs limit.c next to it when gcc is there)
// Each entity: read input, uppercase, atomic write (temp + rename) of transformed and output, then a manifest JSON, also atomic.
import fs from 'node:fs'; import fsp from 'node:fs/promises'; import path from 'node:path'; import os from 'node:os'; import crypto from 'node:crypto';
import { execFileSync } from 'node:child_process'; import { fileURLToPath } from 'node:url'; import { Worker, isMainThread, workerData, parentPort } from 'node:worker_threads';
const here = path.dirname(fileURLToPath(import.meta.url));
const N = +(process.argv[2] || 1000), REPS = +(process.argv[3] || 3);
const ROOT = process.env.BM_DIR || path.join(os.tmpdir(), 'bm-limit'); const D = path.join(ROOT, `n${N}`);
const id = i => 'e' + String(i).padStart(6, '0');
const W = 'alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon'.split(' ');
const med = a => a.slice().sort((x, y) => x - y)[a.length >> 1];
const now = () => performance.now() / 1000;
function gen() { for (const s of ['input', 'transformed', 'output', 'manifest']) fs.mkdirSync(path.join(D, s), { recursive: true });
  if (fs.readdirSync(path.join(D, 'input')).length === N) return;
  let x = 1; for (let i = 0; i < N; i++) { let t = ''; while (t.length < 1000) { x = (x * 1103515245 + 12345) & 0x7fffffff; t += W[x % W.length] + ' '; } fs.writeFileSync(path.join(D, 'input', id(i) + '.txt'), t.trim() + '\n'); } }
function wipe() { for (const s of ['transformed', 'output', 'manifest']) { fs.rmSync(path.join(D, s), { recursive: true, force: true }); fs.mkdirSync(path.join(D, s)); } try { execFileSync('sync'); } catch {} }
const h = s => crypto.hash ? crypto.hash('md5', s) : crypto.createHash('md5').update(s).digest('hex');
const hs = process.env.NOHASH ? () => '0' : h;
const man = (i, a, b, c) => { const u = hs(b); return JSON.stringify({ id: id(i), stages: { up: { in: hs(a), out: u, code: '1' }, wrap: { in: u, out: hs(c), code: '1' } } }); };
function one(i) { const k = id(i); const a = fs.readFileSync(`${D}/input/${k}.txt`, 'utf8'); const b = a.toUpperCase();
  put(`${D}/transformed/${k}.txt`, b); const c = JSON.stringify({ text: b }); put(`${D}/output/${k}.json`, c); put(`${D}/manifest/${k}.json`, man(i, a, b, c)); }
let put = function (p, s) { const t = p + '.tmp'; fs.writeFileSync(t, s); fs.renameSync(t, p); }
async function aone(i) { const k = id(i); const a = await fsp.readFile(`${D}/input/${k}.txt`, 'utf8'); const b = a.toUpperCase();
  await aput(`${D}/transformed/${k}.txt`, b); const c = JSON.stringify({ text: b }); await aput(`${D}/output/${k}.json`, c); await aput(`${D}/manifest/${k}.json`, man(i, a, b, c)); }
async function aput(p, s) { const t = p + '.tmp'; await fsp.writeFile(t, s); await fsp.rename(t, p); }
// callback flavour: the fs functions without promises
const P1 = (f, ...a) => new Promise((ok, no) => f(...a, (e, r) => e ? no(e) : ok(r)));
async function cone(i) { const k = id(i); const a = await P1(fs.readFile, `${D}/input/${k}.txt`, 'utf8'); const b = a.toUpperCase();
  await cput(`${D}/transformed/${k}.txt`, b); const c = JSON.stringify({ text: b }); await cput(`${D}/output/${k}.json`, c); await cput(`${D}/manifest/${k}.json`, man(i, a, b, c)); }
async function cput(p, s) { const t = p + '.tmp'; await P1(fs.writeFile, t, s); await P1(fs.rename, t, p); }
async function pool(c, f) { let n = 0; await Promise.all(Array.from({ length: c }, async () => { while (n < N) await f(n++); })); }
// no-op scans
function statScan() { let s = 0; for (const d of ['input', 'transformed', 'output', 'manifest']) for (const f of fs.readdirSync(`${D}/${d}`)) s += fs.lstatSync(`${D}/${d}/${f}`).mtimeMs; return s; }
async function astatScan(c) { let l = []; for (const d of ['input', 'transformed', 'output', 'manifest']) for (const f of await fsp.readdir(`${D}/${d}`)) l.push(`${D}/${d}/${f}`); let n = 0, s = 0; await Promise.all(Array.from({ length: c }, async () => { while (n < l.length) s += (await fsp.lstat(l[n++])).mtimeMs; })); return s; }
function manifestScan() { let s = 0; for (const d of ['input', 'transformed', 'output']) for (const f of fs.readdirSync(`${D}/${d}`)) s += fs.lstatSync(`${D}/${d}/${f}`).mtimeMs;
  for (const f of fs.readdirSync(`${D}/manifest`)) s += JSON.parse(fs.readFileSync(`${D}/manifest/${f}`, 'utf8')).stages.up.in.length; return s; }
function hashScan() { let s = 0; for (const d of ['input', 'transformed', 'output']) for (const f of fs.readdirSync(`${D}/${d}`)) s += h(fs.readFileSync(`${D}/${d}/${f}`)).length;
  for (const f of fs.readdirSync(`${D}/manifest`)) s += JSON.parse(fs.readFileSync(`${D}/manifest/${f}`, 'utf8')).stages.up.in.length; return s; }
function nameScan() { let s = 0; for (const d of ['input', 'transformed', 'output', 'manifest']) s += fs.readdirSync(`${D}/${d}`).length; return s; }
if (!isMainThread) { for (let i = workerData.from; i < N; i += workerData.step) one(i); parentPort.postMessage(1); }
else {
  gen(); const row = (n, ts) => { const t = med(ts); console.log(`| ${n} | ${N} | ${t.toFixed(4)} | ${Math.round(N / t)} | ${(t / N * 1e6).toFixed(1)} |`); };
  console.log(`Node ${process.version}\n| what | N | median s | entities/s | us/entity |\n|---|---|---|---|---|`);
  const cold = { 'cold, sync, 1 thread': () => { for (let i = 0; i < N; i++) one(i); }, 'cold, fs/promises, concurrency 8': () => pool(8, aone), 'cold, fs/promises, concurrency 64': () => pool(64, aone), 'cold, fs callbacks, concurrency 8': () => pool(8, cone),
    'cold, sync in 2 worker threads': () => Promise.all([0, 1].map(k => new Promise(r => new Worker(fileURLToPath(import.meta.url), { argv: [N], workerData: { from: k, step: 2 } }).on('message', r)))) };
  for (const [n, f] of Object.entries(cold)) { const ts = []; for (let r = 0; r < REPS; r++) { wipe(); const t = now(); await f(); ts.push(now() - t); } row(n, ts); }
  { for (let i = 0; i < N; i++) one(i); const ts = []; for (let r = 0; r < REPS; r++) { const t = now(); for (let i = 0; i < N; i++) one(i); ts.push(now() - t); } row('rebuild over existing files, sync (rename replaces)', ts);
    const ut = []; const put0 = put; put = (p, s) => { const t = p + '.tmp'; fs.writeFileSync(t, s); fs.unlinkSync(p); fs.renameSync(t, p); }; for (let r = 0; r < REPS; r++) { const t = now(); for (let i = 0; i < N; i++) one(i); ut.push(now() - t); } row('rebuild, unlink first then rename (not atomic)', ut);
    const wt = []; put = (p, s) => fs.writeFileSync(p, s); for (let r = 0; r < REPS; r++) { const t = now(); for (let i = 0; i < N; i++) one(i); wt.push(now() - t); } row('rebuild, writeFileSync in place (not atomic)', wt); put = put0; }
  const scans = { 'no-op: names only (readdir of 4 dirs)': nameScan, 'no-op: lstat of 4 files, sync': statScan, 'no-op: lstat of 4 files, async 8': () => astatScan(8), 'no-op: lstat of 3 + read and parse the manifest': manifestScan, 'no-op: read and md5 3 files + parse the manifest': hashScan };
  for (const [n, f] of Object.entries(scans)) { const ts = []; for (let r = 0; r < REPS; r++) { const t = now(); await f(); ts.push(now() - t); } row(n, ts); }
  console.log(`peak RSS ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`);
  try { const bin = path.join(ROOT, 'limit-c'); execFileSync('gcc', ['-O2', '-w', '-o', bin, path.join(here, 'limit.c')]);
    const c = (...a) => +execFileSync(bin, a, { encoding: 'utf8' });
    const { spawn } = await import('node:child_process'); const par = () => Promise.all([0, 1].map(k => new Promise(r => spawn(bin, ['cold', D, N, k, 2]).on('close', r))));
    let ts = []; for (let r = 0; r < REPS; r++) { wipe(); ts.push(c('cold', D, N)); } row('C: cold, 1 process', ts);
    ts = []; for (let r = 0; r < REPS; r++) { wipe(); const t = now(); await par(); ts.push(now() - t); } row('C: cold, 2 processes', ts);
    ts = []; for (let r = 0; r < REPS; r++) ts.push(c('cold', D, N)); row('C: rebuild over existing files, 1 process', ts);
    ts = []; for (let r = 0; r < REPS; r++) ts.push(c('noop', D, N)); row('C: no-op, fstatat of 4 files', ts);
    ts = []; for (let r = 0; r < REPS; r++) ts.push(c('noopm', D, N)); row('C: no-op, fstatat of 4 + read the manifest', ts);
  } catch (e) { console.log('C part skipped: ' + e.message); }
}
