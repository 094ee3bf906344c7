/** The peer's value cannot be used, or the method not be carried out. Fixed texts; the peer gets its own (code 3). */
export class KeyExchangeError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'KeyExchangeError';
  }
}
