/**
 * Asking an OCSP responder over HTTP (RFC 6960, appendix A.1). The address comes from a certificate, so this is the one
 * place where a peer's data chooses whom the server talks to: http only, one POST of ours, no redirect, little time,
 * little answer, and callers ask only about certificates whose signatures lead to a trusted authority.
 */
import type { X509Certificate } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { isResponderUrl, ocspRequest, responderUrls } from './ocsp-request.ts';
import { readOcspResponse, type OcspVerdict } from './ocsp-response.ts';

export interface OcspQuery {
  readonly certificate: X509Certificate;
  readonly issuer: X509Certificate;
  /** Asked one after the other until one answers acceptably; absent: those the certificate names. */
  readonly urls?: readonly string[];
  /** Milliseconds for all of them together. */
  readonly timeoutMs: number;
  readonly withNonce: boolean;
  readonly verifySignature: boolean;
}

export type OcspAnswer =
  | (OcspVerdict & { readonly ok: true; readonly der: Uint8Array; readonly url: string })
  /** The certificate names no responder that may be asked. */
  | { readonly ok: false; readonly kind: 'no-responder'; readonly reason: string }
  | { readonly ok: false; readonly kind: 'failed'; readonly reason: string };

/** Larger than responses with a responder's certificate and a large signature. */
const MAX_RESPONSE_BYTES = 64 * 1024;
const NO_RESPONDER = 'the certificate names no http responder';

/** Asks; never rejects for what a responder or the network does. */
export async function queryOcsp(query: OcspQuery): Promise<OcspAnswer> {
  const urls = (query.urls ?? (await responderUrls(query.certificate))).filter(isResponderUrl);
  if (urls.length === 0) return { ok: false, kind: 'no-responder', reason: NO_RESPONDER };
  const signal = AbortSignal.timeout(query.timeoutMs);
  let reason = NO_RESPONDER;
  for (const url of urls) {
    const { der, nonce } = await ocspRequest(query.certificate, query.issuer, query.withNonce);
    const received = await postRequest(url, der, signal);
    if (!received.ok) {
      reason = `${url}: ${received.reason}`;
      continue;
    }
    const { certificate, issuer, verifySignature } = query;
    const expected = { certificate, issuer, nonce, now: new Date(), verifySignature };
    const verdict = await readOcspResponse(received.body, expected);
    if (verdict.ok) return { ...verdict, der: received.body, url };
    reason = `${url}: ${verdict.reason}`;
  }
  return { ok: false, kind: 'failed', reason };
}

type HttpAnswer =
  { readonly ok: true; readonly body: Uint8Array } | { readonly ok: false; readonly reason: string };

function postRequest(url: string, body: Uint8Array, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    const fail = (reason: string): void => {
      resolve({ ok: false, reason });
      request.destroy();
    };
    const request = httpRequest(url, {
      method: 'POST',
      agent: false,
      signal,
      headers: {
        'Content-Type': 'application/ocsp-request',
        'Content-Length': body.length,
        Accept: 'application/ocsp-response',
        Connection: 'close',
      },
    });
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ ok: false, reason: signal.aborted ? 'timed out' : (error.code ?? 'no valid HTTP answer') }),
    );
    request.on('response', (response) => {
      if (response.statusCode !== 200) return fail(`HTTP status ${response.statusCode}`);
      const type = (response.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
      if (type !== 'application/ocsp-response') return fail('the answer is no OCSP response');
      const chunks: Buffer[] = [];
      let total = 0;
      response.on('data', (chunk: Buffer) => {
        total += chunk.length;
        if (total > MAX_RESPONSE_BYTES) fail('the answer is too large');
        else chunks.push(chunk);
      });
      response.on('error', () =>
        resolve({ ok: false, reason: signal.aborted ? 'timed out' : 'the answer broke off' }),
      );
      response.on('end', () => resolve({ ok: true, body: Buffer.concat(chunks) }));
    });
    request.end(body);
  });
}
