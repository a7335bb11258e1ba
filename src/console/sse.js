// SPDX-License-Identifier: MIT
// A parser of Server-Sent Events (WHATWG HTML, section 9.2.6), fed with text.

export class SseParser {
  // on.event(id, type, data), on.retry(ms); any bytes count as a sign of life.
  constructor(on) {
    this.on = on;
    this.rest = '';
    this.lastId = '';
    this.type = '';
    this.data = [];
  }

  feed(text) {
    let start = 0;
    if (this.rest) text = this.rest + text;
    // Our hub ends lines with LF alone; a CR can only stand inside JSON, escaped.
    for (let end; (end = text.indexOf('\n', start)) >= 0; start = end + 1) this.line(text.slice(start, end));
    this.rest = text.slice(start);
  }

  line(line) {
    if (line === '') {
      if (this.data.length) this.on.event(this.lastId, this.type || 'message', this.data.join('\n'));
      this.type = '';
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value[0] === ' ') value = value.slice(1);
    if (name === 'data') this.data.push(value);
    else if (name === 'event') this.type = value;
    else if (name === 'id' && !value.includes('\0')) this.lastId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.on.retry(Number(value));
  }
}
