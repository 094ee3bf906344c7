/** FIPS mode cannot be had; the message is for the operator. */
export class FipsError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FipsError';
  }
}
