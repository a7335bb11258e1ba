// SPDX-License-Identifier: MIT
// Makes the console's files in the folder that is named, or in built/ beside this: what
// never changes under its name has a hash in it, and everything is compressed once here.

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = process.argv[2] ?? join(here, 'built');

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const common = {
  absWorkingDir: here,
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome120', 'firefox140', 'safari17.2'],
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
};

const nameOf = ({ metafile }, entry) =>
  basename(Object.entries(metafile.outputs).find(([, o]) => o.entryPoint === entry)[0]);

const worker = nameOf(await build({ ...common, entryPoints: ['stream/worker.ts'] }), 'stream/worker.ts');
const app = nameOf(await build({
  ...common, entryPoints: ['chrome/app.tsx'], splitting: true, define: { WORKER_FILE: JSON.stringify(worker) },
}), 'chrome/app.tsx');
const style = nameOf(await build({ ...common, entryPoints: ['style.css'], loader: { '.woff2': 'file' } }), 'style.css');

const page = readFileSync(join(here, 'index.html'), 'utf8')
  .replace('APP_FILE', app).replace('STYLE_FILE', style)
  .replace('FONT_FILE', readdirSync(out).find((name) => name.endsWith('.woff2')));
writeFileSync(join(out, 'index.html'), page);
copyFileSync(join(here, '../client/sluice-client.js'), join(out, 'sluice-client.js'));

for (const name of readdirSync(out)) {
  if (name.endsWith('.woff2')) continue; // it is compressed already
  const data = readFileSync(join(out, name));
  writeFileSync(join(out, `${name}.gz`), gzipSync(data, { level: 9 }));
  writeFileSync(join(out, `${name}.br`), brotliCompressSync(data, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }));
}
