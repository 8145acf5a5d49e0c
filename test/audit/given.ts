import assert from 'node:assert/strict'
import type { TrailReader } from '../../src/cli/audit-trail.ts'
import { type Explanation, explanationSchema } from '../../src/protocol/audit-views.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import type { TestApp } from '../support/app.ts'
import { accessToken, boundHeaders, type GivenClient } from '../support/given.ts'

export type Call = (
  method: string,
  path: string,
  body?: object,
) => Promise<{ status: number; body: Record<string, unknown>; request_id: string }>

/** One of our own two APIs, as a client with a bound token that is made anew before it ends. */
export function caller(app: TestApp, client: GivenClient, api: 'issuer' | 'admin', scope?: string): Call {
  const base = api === 'admin' ? app.adminUrl : app.issuer
  const resource = api === 'admin' ? `${app.issuer}/admin` : app.issuer
  let token: { value: string; until: number } | undefined
  return async (method, path, body) => {
    if (!token || token.until <= app.clock.seconds()) {
      const value = await accessToken(app, client, { resource, scope: scope ?? ADMIN_SCOPES.join(' ') })
      token = { value, until: app.clock.seconds() + 250 }
    }
    const url = `${base}${path}`
    const bound = await boundHeaders(app, client, token.value, { method, url: url.split('?', 1)[0] ?? url })
    const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(url, { method, headers: { ...bound, ...json }, ...sent })
    const request_id = response.headers.get('x-request-id') ?? ''
    return { status: response.status, body: JSON.parse(await response.text()), request_id }
  }
}

/** The trail as the command line reads it. */
export function readerOf(admin: Call): TrailReader {
  return async query => {
    const { status, body } = await admin('GET', `/admin/v1/audit?${new URLSearchParams(query)}`)
    if (status !== 200) throw new Error(JSON.stringify(body))
    return body
  }
}

/** What `remit explain` is told about an id. */
export async function explained(admin: Call, id: unknown): Promise<Explanation> {
  const { status, body } = await admin('GET', `/admin/v1/explain/${encodeURIComponent(String(id))}`)
  assert.equal(status, 200, JSON.stringify(body))
  return explanationSchema.parse(body)
}

/** The facts of these names, in their order. */
export function factsOf(
  { facts }: Explanation,
  names: readonly string[],
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(names.map(name => [name, facts.find(fact => fact.name === name)?.value]))
}
