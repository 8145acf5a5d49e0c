import { sql } from 'kysely'
import type { TestApp } from '../support/app.ts'
import { accessToken, boundHeaders, type GivenClient } from '../support/given.ts'

type Sent = { readonly body?: unknown; readonly key?: string }

/** Calls of the admin API by one administrator, each with a fresh token of these scopes. */
export function adminCalls(app: TestApp, admin: GivenClient, scope: string) {
  return async (method: string, path: string, { body, key }: Sent = {}) => {
    // Audit rows of one instant have no order among themselves.
    app.clock.advance(1)
    const token = await accessToken(app, admin, { resource: `${app.issuer}/admin`, scope })
    const url = `${app.adminUrl}/admin/v1${path}`
    const headers = {
      ...(await boundHeaders(app, admin, token, { method, url: url.split('?', 1)[0] ?? url })),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== undefined && { 'idempotency-key': key }),
    }
    const response = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) }
  }
}

/** The last audit row of an action: outcome, reason, client and what only the act knows. */
export async function lastAudited(app: TestApp, action: string) {
  const row = await app.ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason', 'client_id', 'details'])
    .where('action', '=', action)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  const { caller: _, acting_owner: __, ...details } = row.details
  return { ...row, details }
}

/** Until a session of this database waits for a lock. */
export async function somebodyWaits({ ctx }: TestApp): Promise<void> {
  const waiting = sql<{ n: string }>`
    select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  for (let turn = 0; turn < 2_000; turn += 1) {
    if ((await waiting.execute(ctx.db)).rows[0]?.n !== '0') return
  }
  throw new Error('nobody waits')
}
