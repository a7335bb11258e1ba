// SPDX-License-Identifier: MIT
// A peer to compare with: lines from a FIFO, broadcast by better-sse.
//   node better-sse.mjs FIFO, prints its port

import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { createChannel, createSession } from 'better-sse';

const channel = createChannel();
const server = createServer(async (req, res) => {
  const session = await createSession(req, res, { serializer: (data) => data });
  channel.register(session);
  session.push('{}', 'hello');
});
createInterface({ input: createReadStream(process.argv[2], { flags: 'r+' }) }).on('line', (line) => channel.broadcast(line, 'line'));
server.listen(0, '127.0.0.1', 4096, () => console.log(server.address().port));
