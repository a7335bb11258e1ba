// SPDX-License-Identifier: MIT
// What lies between this page and sluice: compares when probes were sent with when they
// came, as `sluice doctor` does.

const FRAMES = 8;
const INTERVAL_MS = 150;

// What to set, by web server and by how sluice is mounted there.
const HELD_BACK = [
  ['lighttpd', '', 'server.stream-response-body = 2'],
  ['Apache', 'socket', 'ProxySet flushpackets=on (in <Proxy "fcgi://sluice/">)'],
  ['Apache', 'spawned', 'FcgidOutputBufferSize 0'],
  ['Apache', 'cgi', 'SetEnv no-gzip 1'],
  ['nginx', '', 'fastcgi_buffering off;'],
  ['Caddy', '', 'flush_interval -1'],
  ['HAProxy', '', 'option http-no-delay'],
];

interface Frame {
  type: string;
  came: number;
  sent_ms: number;
  server?: string;
  way?: string;
  via?: string[];
  gzip?: boolean;
}

async function* frames(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  let rest = '';
  for (const reader = body.getReader(); ;) {
    const { done, value } = await reader.read();
    const came = performance.now();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, type, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      if (type) yield { type, came, ...JSON.parse(data) };
    }
  }
}

function remedy(hello: Partial<Frame>, proxy: string | undefined): string {
  const found = HELD_BACK.find(([server, way]) => hello.server?.startsWith(server) && (!way || way === hello.way));
  const text = found ? `; in ${hello.server}, set ${found[2]}` : '';
  if (!proxy) return text;
  return text ? `${text}; also check ${proxy}, which is in front of it` : `; check ${proxy}`;
}

// A sentence, and whether all is well.
export async function testConnection(): Promise<{ good: boolean; text: string }> {
  const response = await fetch(`probe?frames=${FRAMES}&interval=${INTERVAL_MS}ms`, { cache: 'no-store' });
  if (!response.ok) return { good: false, text: `The test failed: the server answered ${response.status}.` };
  const got: Frame[] = [];
  for await (const frame of frames(response.body!)) got.push(frame);
  const hello: Partial<Frame> = got.find((f) => f.type === 'hello') ?? {};
  const by = response.headers.get('server') ?? '';
  const proxy = by && hello.server && by.split('/')[0] !== hello.server.split('/')[0] ? by : hello.via?.join(' and ');
  // The fastest frame shows how far the clocks are apart; the last one is always fast.
  const delays = got.map((f) => f.came - f.sent_ms).sort((a, b) => a - b);
  const late = delays.filter((d) => d - delays[0] > INTERVAL_MS / 2).length;
  const isBrief = delays[delays.length >> 1] - delays[0] < 2 * INTERVAL_MS;
  if (got.at(-1)?.type !== 'last')
    return { good: false, text: `Streams are cut off: ${Math.max(got.length - 1, 0)} of ${FRAMES} frames came.` };
  if (late * 3 >= got.length && isBrief && !hello.server?.startsWith('HAProxy'))
    return { good: false, text: `Something on the way delays each event a little (${late} of ${got.length} were late), as HAProxy does without "option http-no-delay". If this computer was busy, test again.` };
  if (late * 3 >= got.length)
    return { good: false, text: `Streams are held back on the way: ${late} of ${got.length} frames came late${remedy(hello, proxy)}.` };
  const encoding = response.headers.get('content-encoding');
  if (encoding && !hello.gzip)
    return { good: false, text: `Something on the way compresses streams (${encoding}). Disable that: sluice compresses streams itself.` };
  return { good: true, text: `Streams arrive without delay${hello.server ? ` through ${hello.server}` : ''}.` };
}
