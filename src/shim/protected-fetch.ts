import { sha256Base64url } from '../protocol/digest.ts'
import { type ProofClaims, signDpopProof } from '../protocol/sign.ts'
import type { AgentKey } from './agent-key.ts'
import { newJti } from './new-jti.ts'
import { nonceOf } from './nonce-of.ts'
import type { IntentToken } from './token-cache.ts'

export type Attachment = {
  readonly token: IntentToken
  readonly key: AgentKey
  readonly iat: number
  readonly nonce: string | undefined
  /** The bytes that the proof names. */
  readonly body: Uint8Array | undefined
  readonly scope: readonly string[] | undefined
}

/** The two headers of one call: token and proof (RFC 9449 section 7.1), with `bd` and `scope` of protocol.md section 8. */
export async function attach(method: string, url: string, attachment: Attachment): Promise<Record<string, string>> {
  const { token, key, iat, nonce, body, scope } = attachment
  const { access_token } = token
  const claims: ProofClaims = {
    htm: method,
    htu: url.replace(/[?#].*$/s, ''),
    iat,
    jti: newJti(),
    access_token,
    ...(nonce !== undefined && { nonce }),
    ...(body && { bd: sha256Base64url(body) }),
    ...(scope && { scope: scope.join(' ') }),
  }
  return { authorization: `DPoP ${access_token}`, dpop: await signDpopProof(key.holder, claims) }
}

/** What is asked of the network; `body` undefined where it is a stream that can be read once. */
export type ProtectedRequest = { readonly request: Request; readonly body: Uint8Array | undefined }

/** Reads a request so that it can be sent again; a stream is read only where its bytes must be named. */
export async function readRequest(
  input: string | URL | Request,
  init: RequestInit | undefined,
  bindBody: boolean,
): Promise<ProtectedRequest> {
  const request = new Request(input, init)
  const isStream = init?.body instanceof ReadableStream || (input instanceof Request && init?.body == null)
  if (request.body === null) return { request, body: new Uint8Array() }
  if (isStream && !bindBody) return { request, body: undefined }
  return { request, body: new Uint8Array(await request.arrayBuffer()) }
}

/** The init to send it with: a protected call follows no redirect, which would lead a proof elsewhere. */
export function sendable(
  { request, body }: ProtectedRequest,
  init: RequestInit | undefined,
  headers: object,
): RequestInit {
  const merged = new Headers(request.headers)
  for (const [name, value] of Object.entries(headers)) merged.set(name, value)
  const redirect = init?.redirect === 'manual' ? 'manual' : 'error'
  const { method, signal } = request
  const sent = { ...init, method, headers: merged, signal, redirect } as const
  if (body === undefined) return { ...sent, body: request.body, duplex: 'half' }
  if (body.length === 0) return { ...sent, body: null }
  return { ...sent, body: Buffer.from(body) }
}

/** Whether the API says that the token itself is no good: another answer of 401 costs no mint (RFC 6750 section 3.1). */
export function isRefused(response: Response): boolean {
  return response.status === 401 && /\berror="?invalid_token\b/.test(response.headers.get('www-authenticate') ?? '')
}

/** Whether the API asks for another proof with its nonce (RFC 9449 section 9). */
export function wantsNonce(response: Response): boolean {
  const isChallenged = /\buse_dpop_nonce\b/.test(response.headers.get('www-authenticate') ?? '')
  return response.status === 401 && isChallenged && nonceOf(response.headers) !== undefined
}

/** Whether the API found the proof bad: then its nonce is not to be used again either. */
export function isProofRefused(response: Response): boolean {
  return response.status === 401 && /\binvalid_dpop_proof\b/.test(response.headers.get('www-authenticate') ?? '')
}
