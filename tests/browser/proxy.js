// SPDX-License-Identifier: MIT
// A web server before sluice that loses lines on the way, as a client that is too slow has
// them lost: those that say so, and a gap in their place.

import { createServer, request } from 'node:http';

const SLOW = /^event: line\ndata: .*"message":"lose /m;

export function losing(url) {
  const server = createServer((q, a) => {
    const up = request(new URL(q.url, url), { method: q.method, headers: { ...q.headers, host: new URL(url).host, 'accept-encoding': 'identity' } }, (r) => {
      a.writeHead(r.statusCode, r.headers);
      if (!/\/events\?/.test(q.url)) return void r.pipe(a);
      let rest = '';
      let lost = [];
      r.setEncoding('utf8');
      r.on('data', (text) => {
        const blocks = (rest + text).split('\n\n');
        rest = blocks.pop();
        for (const block of blocks) {
          const id = /^id: (.*)$/m.exec(block)?.[1];
          if (SLOW.test(block)) {
            lost.push(id);
            continue;
          }
          if (lost.length && /^event: line$/m.test(block)) {
            a.write(`id: ${lost.at(-1)}\nevent: gap\ndata: ${JSON.stringify({ channel: 'logs', from: lost[0], to: lost.at(-1), count: lost.length, reason: 'slow' })}\n\n`);
            lost = [];
          }
          a.write(`${block}\n\n`);
        }
      });
      r.on('end', () => a.end());
    });
    up.on('error', () => a.destroy());
    q.pipe(up);
    a.on('close', () => up.destroy());
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done({ url: `http://127.0.0.1:${server.address().port}${new URL(url).pathname}`, close: () => server.close() }));
  });
}
