/** Splits a byte stream into FTP replies (RFC 959, section 4.2) on the client's side of a test. */

export interface ClientReply {
  readonly code: number;
  /** Text of the first line, without code and separator. */
  readonly text: string;
  /** Every line as received, without CRLF. */
  readonly lines: readonly string[];
}

type Waiter = { readonly resolve: (reply: ClientReply) => void; readonly reject: (error: Error) => void };

/** Feeds on chunks and hands out replies in order; each `next` has its own deadline. */
export class ReplyReader {
  #rest = '';
  #lines: string[] = [];
  #ready: ClientReply[] = [];
  #waiters: Waiter[] = [];
  #failure: Error | null = null;

  push(chunk: Buffer): void {
    this.#rest += chunk.toString('latin1');
    let end = this.#rest.indexOf('\r\n');
    while (end !== -1) {
      this.#takeLine(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(end + 2);
      end = this.#rest.indexOf('\r\n');
    }
  }

  /** Everything not answered yet fails with this error; replies already complete can still be read. */
  fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  next(timeoutMs: number): Promise<ClientReply> {
    const ready = this.#ready.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(
          new Error(
            `no reply within ${timeoutMs} ms; partial: ${JSON.stringify([...this.#lines, this.#rest])}`,
          ),
        );
      }, timeoutMs);
      const waiter: Waiter = {
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  /** Replies received and not read yet. */
  get pending(): number {
    return this.#ready.length;
  }

  #takeLine(line: string): void {
    this.#lines.push(Buffer.from(line, 'latin1').toString('utf8'));
    const first = this.#lines[0] ?? '';
    const code = first.slice(0, 3);
    const isMultiLine = first[3] === '-';
    const isLast = !isMultiLine || (this.#lines.length > 1 && line.startsWith(`${code} `));
    if (!isLast) return;
    const lines = this.#lines;
    this.#lines = [];
    if (!/^\d{3}$/.test(code)) {
      this.fail(new Error(`not an FTP reply: ${JSON.stringify(first)}`));
      return;
    }
    const reply: ClientReply = { code: Number(code), text: first.slice(4), lines };
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#ready.push(reply);
    else waiter.resolve(reply);
  }
}
