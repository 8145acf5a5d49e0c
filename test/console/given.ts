import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import type { TestApp } from '../support/app.ts'
import { accessToken, boundHeaders, type GivenClient, givenAdmin } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'

export type Link = { readonly url: string; readonly code: string; readonly token: string }
/** What a browser holds after it opened a link. */
export type Session = Link & { readonly cookie: string; readonly marker: string; readonly admin: GivenClient }

const ALL = ADMIN_SCOPES.join(' ')

/** The headers that the page of the console sends, and a browser with it; without a marker those of a sign-in. */
export function pageHeaders(app: TestApp, marker = '1'): Record<string, string> {
  const { origin } = new URL(app.adminUrl)
  return { 'x-remit-console': marker, origin, 'sec-fetch-site': 'same-origin' }
}

export async function postLink(app: TestApp, admin: GivenClient, token: string, headers: Record<string, string> = {}) {
  const url = `${app.adminUrl}/admin/v1/console/links`
  const bound = await boundHeaders(app, admin, token, { method: 'POST', url })
  const init = { method: 'POST', headers: { ...bound, ...headers, 'content-type': 'application/json' }, body: '{}' }
  return await fetch(url, init)
}

/** A link as `remit console` gets it. */
export async function givenLink(app: TestApp, admin: GivenClient, scope: string = ALL): Promise<Link> {
  const token = await accessToken(app, admin, { resource: `${app.issuer}/admin`, scope })
  const url = String((await jsonOf(await postLink(app, admin, token))).url)
  return { url, code: url.split('#code=')[1] ?? '', token }
}

export async function signIn(app: TestApp, code: string, headers: Record<string, string> = pageHeaders(app)) {
  const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' } }
  return await fetch(`${app.adminUrl}/console/session`, { ...init, body: JSON.stringify({ code }) })
}

/** Somebody signed in, with a client of their own unless one is given. */
export async function givenSession(app: TestApp, scope: string = ALL, by?: GivenClient): Promise<Session> {
  const admin = by ?? (await givenAdmin(app))
  const link = await givenLink(app, admin, scope)
  const response = await signIn(app, link.code)
  const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
  return { ...link, cookie, marker: String((await jsonOf(response)).marker), admin }
}

/** One request as the page sends it. */
export async function asPage(
  app: TestApp,
  { cookie, marker }: Pick<Session, 'cookie' | 'marker'>,
  path: string,
  request: { method?: string; body?: object; headers?: Record<string, string> } = {},
) {
  const { method = 'GET', body, headers = pageHeaders(app, marker) } = request
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
  return await fetch(`${app.adminUrl}${path}`, {
    method,
    headers: { ...headers, ...type, cookie },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** Audit rows of one action and client; under a clock that stands still they have no order. */
export async function auditRows(app: TestApp, action: string, client_id: string | null) {
  return await app.ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'reason', 'actor', 'client_id', 'details'])
    .where('action', '=', action)
    .where('client_id', 'is not distinct from', client_id)
    .orderBy('id')
    .execute()
}

/** The clock of the server, and the keys as its maintenance would have read them by then. */
export async function advance(app: TestApp, seconds: number): Promise<void> {
  app.clock.advance(seconds)
  await app.ctx.keys.refresh()
}

/** Everything that an act could have changed. */
export async function state(of: TestApp) {
  const { db } = of.ctx
  const acts = await db.selectFrom('audit_event').select('id').where('outcome', '=', 'success').execute()
  const resources = await db.selectFrom('resource').select('resource').execute()
  const sessions = await db
    .selectFrom('console_session')
    .select(['ended_at', 'session_digest', 'marker_digest'])
    .execute()
  return JSON.stringify([acts, resources, sessions])
}
