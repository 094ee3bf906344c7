/** Errors that OpenSSL, or Node on its behalf, raises about what an operator configured. */

/** An error raised by OpenSSL or by Node's checks of TLS options. */
export function isLibraryError(error: unknown): error is Error & { code?: string; reason?: string } {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  const isCoded = typeof code === 'string' && /^ERR_(SSL|OSSL|TLS|CRYPTO|INVALID)/.test(code);
  return isCoded || /PKCS12|mac verify failure|not enough data|wrong tag|^error:/i.test(error.message);
}

export function libraryReason(error: Error & { reason?: string }): string {
  return error.reason ?? error.message.split('\n', 1)[0] ?? 'unknown error';
}
