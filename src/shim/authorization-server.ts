import { z } from 'zod'
import { readBounded } from '../protocol/bounded-body.ts'
import { AJWT_ERRORS, ERROR_CODES, OAuthError } from '../protocol/errors.ts'
import { checkIssuerUrl } from '../protocol/issuer-url.ts'
import { nonceOf } from './nonce-of.ts'
import { SHIM_CHECKSUM } from './self-checksum.ts'

/** Makes the parts of a request that are good once: they are made anew for a second attempt. */
export type SignedRequest = (
  url: string,
  nonce: string | undefined,
) => Promise<{
  readonly dpop: string
  /** JSON, whose bytes the proof names. */
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}>

export type AuthorizationServer = { readonly mint: (sign: SignedRequest) => Promise<unknown> }

const TIMEOUT_MILLISECONDS = 10_000
const MAX_ANSWER = 65_536
/** A server that is busy says when to come again: that often, and not later than this. */
const ATTEMPTS = 4
const LONGEST_WAIT_SECONDS = 3
const metadataSchema = z.object({ issuer: z.string(), ajwt_intent_token_endpoint: z.url() })
const refusalSchema = z.object({
  error: z.enum(ERROR_CODES),
  error_description: z.string().max(1024).default('The server refused.'),
  error_uri: z.url({ protocol: /^https?$/ }).optional(),
  ajwt_error: z.enum(AJWT_ERRORS).optional().catch(undefined),
  missing_steps: z.array(z.string()).optional(),
  approval_id: z.string().optional(),
})

const connections = new WeakMap<typeof fetch, Map<string, AuthorizationServer>>()

/**
 * The one server an agent takes tokens from: its metadata must name exactly this issuer (RFC 8414 section 3.3), and what
 * it names lies where the issuer lies. Nothing that a resource answers leads to another one. The agents of a process ask
 * for its metadata once. Throws `invalid_request`.
 */
export function connect(issuer: string, send: typeof fetch): AuthorizationServer {
  checkIssuerUrl(issuer)
  const known = connections.get(send) ?? new Map<string, AuthorizationServer>()
  connections.set(send, known)
  const server = known.get(issuer) ?? createConnection(issuer, send)
  known.set(issuer, server)
  return server
}

function createConnection(issuer: string, send: typeof fetch): AuthorizationServer {
  let endpoint: Promise<string> | undefined
  let nonce: string | undefined

  async function attempt(url: string, sign: SignedRequest): Promise<{ response: Response; answer: unknown }> {
    const { dpop, body, headers: more } = await sign(url, nonce)
    const headers = {
      ...more,
      'content-type': 'application/json',
      accept: 'application/json',
      dpop,
      ...(SHIM_CHECKSUM !== undefined && { 'x-shim-checksum': `sha256 ${SHIM_CHECKSUM}` }),
    }
    const { response, text } = await exchange(send, url, { method: 'POST', headers, body })
    nonce = nonceOf(response.headers) ?? nonce
    return { response, answer: parseJson(text) }
  }

  return {
    async mint(sign) {
      endpoint ??= discover(send, issuer).catch((error: unknown) => {
        endpoint = undefined
        throw error
      })
      const url = await endpoint
      for (let turn = 1; ; turn += 1) {
        const { response, answer } = await attempt(url, sign)
        if (response.ok) return answer
        const wantsNonce = turn === 1 && refusalSchema.safeParse(answer).data?.error === 'use_dpop_nonce'
        if (turn === ATTEMPTS || !(wantsNonce || (await isBusy(response)))) throw refusalOf(response, answer)
      }
    },
  }
}

async function discover(send: typeof fetch, issuer: string): Promise<string> {
  const { origin, pathname } = new URL(issuer)
  const url = `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`
  const { response, text } = await exchange(send, url, { headers: { accept: 'application/json' } })
  if (!response.ok) throw outage()
  const metadata = metadataSchema.safeParse(parseJson(text))
  const endpoint = metadata.data?.ajwt_intent_token_endpoint
  if (metadata.data?.issuer !== issuer || endpoint === undefined || new URL(endpoint).origin !== origin) {
    throw new OAuthError(
      'server_error',
      `The metadata there does not name exactly the issuer ${issuer}; compare the two character by character.`,
      {
        reason: 'another_issuer',
      },
    )
  }
  return endpoint
}

async function exchange(
  send: typeof fetch,
  url: string,
  init: RequestInit,
): Promise<{ response: Response; text: string }> {
  try {
    const response = await send(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS) })
    return { response, text: Buffer.from(await readBounded(response, MAX_ANSWER)).toString() }
  } catch (cause) {
    throw outage(cause)
  }
}

/** A 503 that says when: waited for, if it is soon. */
async function isBusy(response: Response): Promise<boolean> {
  const after = Number(response.headers.get('retry-after') ?? Number.NaN)
  if (response.status !== 503 || !(after <= LONGEST_WAIT_SECONDS)) return false
  await new Promise(resolve => setTimeout(resolve, after * 1000))
  return true
}

function refusalOf(response: Response, answer: unknown): OAuthError {
  const refusal = refusalSchema.safeParse(answer)
  if (!refusal.success) return outage()
  const { error, error_description, error_uri, ajwt_error, missing_steps, approval_id } = refusal.data
  const request_id = /^[\w-]{1,64}$/.exec(response.headers.get('x-request-id') ?? '')?.[0]
  const retry_after = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new OAuthError(error, error_uri === undefined ? error_description : `${error_description} See ${error_uri}`, {
    ...(ajwt_error && { ajwt_error }),
    ...(missing_steps && { missing_steps }),
    ...(approval_id !== undefined && { approval_id }),
    ...(retry_after >= 0 && { retry_after }),
    ...(request_id !== undefined && { request_id }),
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function outage(cause?: unknown): OAuthError {
  return new OAuthError(
    'temporarily_unavailable',
    'The authorization server gave no answer that can be used; is it at the address of issuer?',
    {
      reason: 'issuer_unavailable',
      status: 503,
      cause,
    },
  )
}
