import { z } from 'zod'
import type { Answer } from '../demo/remit-client.ts'
import { OAuthError } from '../src/protocol/errors.ts'
import type { LedgerApi } from './remit/ledger-api.ts'
import type { Seen } from './threat.ts'

const refusalSchema = z.object({
  error: z.string().optional(),
  /** Of problem documents (RFC 9457). */
  code: z.string().optional(),
  ajwt_error: z.string().optional(),
})

/** An HTTP answer; the attacker has what they want with a 200, unless told otherwise. */
export function answered({ status, body }: Answer, got = status === 200): Seen {
  const { error, code, ajwt_error } = refusalSchema.catch({}).parse(body)
  return { got, answer: [status, error ?? code, ajwt_error && `(${ajwt_error})`].filter(Boolean).join(' ') }
}

/** What a call through the shim came to: the API's answer, or what the shim refused or was refused. */
export async function throughShim(call: () => Promise<Response>): Promise<Seen> {
  try {
    const response = await call()
    const body = z
      .record(z.string(), z.json())
      .catch({})
      .parse(await response.json())
    return answered({ status: response.status, headers: response.headers, body })
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const { code, reason, details } = error
    const { ajwt_error } = details
    // What the shim refuses by itself has a reason of its own.
    const own = reason === (ajwt_error ?? code) ? '' : `: ${reason}`
    return { got: false, answer: ['shim', code, ajwt_error && `(${ajwt_error})`].filter(Boolean).join(' ') + own }
  }
}

/** A call to the API behind Remit's verifier: with the reason that the API's owner sees. */
export async function atApi({ api }: { readonly api: LedgerApi }, call: () => Promise<Answer | Seen>): Promise<Seen> {
  api.refused = undefined
  const came = await call()
  const { got, answer } = 'got' in came ? came : answered(came)
  return { got, answer: api.refused === undefined ? answer : `${answer}: ${api.refused}` }
}

/** What came of asking for a token for the client itself. */
export async function clientToken(ask: Promise<string>): Promise<Seen & { readonly token: string }> {
  try {
    return { got: true, answer: 'a token', token: await ask }
  } catch (error) {
    const [, code = String(error)] = /"error":"(\w+)"/.exec(String(error)) ?? []
    return { got: false, answer: `no token: ${code}`, token: '' }
  }
}
