import * as z from 'zod/mini'
import type { ConsoleSession } from '../protocol/console-session.ts'
import { forgetMarker, keepMarker, markerHeader, NO_MARKER } from './marker.ts'
import { type Shape, signInAnswerShape } from './shapes.ts'

/*
 * The console's only way to the server: the admin API of its own origin, with both halves of the session: its cookie,
 * and in `X-Remit-Console` its marker, which no other origin has.
 */

/** Where the admin listener is mounted: the page stands in its `console/`. */
const ROOT = location.pathname.replace(/\/console\/.*$/, '')
const JSON_BODY = { 'content-type': 'application/json' }
/** Pauses before a request is sent again because no answer came, in milliseconds. */
const PAUSES = [400, 1200]

const problem = z.object({
  code: z.optional(z.string()),
  detail: z.optional(z.string()),
  error: z.optional(z.string()),
  error_description: z.optional(z.string()),
  error_uri: z.optional(z.string()),
  type: z.optional(z.string()),
})

/** A refusal of the server, or its silence (`status` 0). `message` is its sentence. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed'
  readonly status: number
  readonly code: string
  /** The page that explains the code; empty where there is none. */
  readonly help: string
  /** Seconds; 0 where the server did not say. */
  readonly retry_after: number

  constructor(status: number, code: string, sentence: string, help = '', retry_after = 0) {
    super(sentence)
    this.status = status
    this.code = code
    this.help = help
    this.retry_after = retry_after
  }
}

/** Called when a request finds that nobody is signed in any more; never for a session that another took the place of. */
export const signedOut: { tell: () => void } = { tell: () => {} }

/** Reads one answer. Throws `RequestFailed`. */
export async function get<T>(path: string, shape: Shape<T>, signal?: AbortSignal): Promise<T> {
  return await read(await send(path, signal ? { signal } : {}), shape)
}

/** Sends one act; under the same `key` the server does it once, however often it is sent. Throws `RequestFailed`. */
export async function act<T>(path: string, body: unknown, shape: Shape<T>, key: string): Promise<T> {
  const headers = { ...JSON_BODY, 'idempotency-key': key }
  return await read(await send(path, { method: 'POST', headers, body: JSON.stringify(body) }), shape)
}

/** Trades the code of a link for a session, and keeps its marker. Throws `RequestFailed`. */
export async function signIn(code: string): Promise<ConsoleSession> {
  const request = { method: 'POST', headers: JSON_BODY, body: JSON.stringify({ code }) }
  const { marker, ...session } = await read(await send('/console/session', request, NO_MARKER), signInAnswerShape)
  keepMarker(marker)
  return session
}

/** Without an answer too nothing of this browser uses the session again. */
export async function signOut(): Promise<void> {
  await send('/console/session', { method: 'DELETE' }).finally(forgetMarker)
}

export function newKey(): string {
  return crypto.randomUUID()
}

/** `&name=value` for each that is not empty. */
export function query(values: Readonly<Record<string, string | undefined>>): string {
  const entries = Object.entries(values).flatMap(([name, value]) => (value ? [[name, value]] : []))
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
}

type Sent = Pick<RequestInit, 'method' | 'body' | 'signal'> & { headers?: Readonly<Record<string, string>> }

async function send(path: string, request: Sent, marker = markerHeader()): Promise<Response> {
  const headers = { ...request.headers, accept: 'application/json', 'x-remit-console': marker }
  const response = await sendAgain(path, { ...request, headers })
  if (response.status === 401 && marker === markerHeader()) {
    forgetMarker()
    signedOut.tell()
  }
  return response
}

async function sendAgain(path: string, request: RequestInit): Promise<Response> {
  const options: RequestInit = { ...request, cache: 'no-store', credentials: 'same-origin', redirect: 'error' }
  for (const pause of PAUSES) {
    const response = await fetch(ROOT + path, options).catch(() => undefined)
    if (response) return response
    request.signal?.throwIfAborted()
    await new Promise(resolve => setTimeout(resolve, pause))
    request.signal?.throwIfAborted()
  }
  return await fetch(ROOT + path, options).catch(() => {
    request.signal?.throwIfAborted()
    throw new RequestFailed(0, 'no_answer', 'The server does not answer. Try again: nothing is done twice.')
  })
}

async function read<T>(response: Response, shape: Shape<T>): Promise<T> {
  const body: unknown = await response.json().catch(() => undefined)
  if (!response.ok) throw refusal(response, body)
  const parsed = shape.safeParse(body)
  if (parsed.success) return parsed.data
  throw new RequestFailed(
    response.status,
    'unexpected_answer',
    'The server answered in a shape this page does not know. Reload the page: the server may have been updated.',
  )
}

function refusal(response: Response, body: unknown): RequestFailed {
  const { status, headers } = response
  const said = problem.safeParse(body).data ?? {}
  const sentence = said.detail ?? said.error_description ?? `The server answered ${status}.`
  const help = [said.error_uri, said.type].find(uri => /^https?:/.test(uri ?? '')) ?? ''
  const retry_after = Number(headers.get('retry-after') ?? 0) || 0
  return new RequestFailed(status, said.code ?? said.error ?? '', sentence, help, retry_after)
}
