import type { Context } from '../context.ts'

export type IdempotentRequest = {
  readonly client_id: string
  readonly idempotency_key: string
  readonly endpoint: string
  readonly request_digest: Buffer
}

export type StoredResponse = {
  readonly endpoint: string
  readonly request_digest: Buffer
  readonly response_status: number
  readonly response_body: unknown
}

/**
 * Claims a key in the transaction of the act; the same key at the same time waits here for that transaction's end. A
 * key whose retention has ended is free again. @returns false where the key is taken (primary key)
 */
export async function claimKey(tx: Context, request: IdempotentRequest, now: Date, expires_at: Date): Promise<boolean> {
  const row = {
    ...request,
    response_status: 0,
    response_body: 'null',
    created_at: now,
    expires_at,
  }
  const claimed = await tx.db
    .insertInto('idempotency')
    .values(row)
    .onConflict(conflict =>
      conflict
        .columns(['client_id', 'idempotency_key'])
        .doUpdateSet({
          endpoint: row.endpoint,
          request_digest: row.request_digest,
          response_status: row.response_status,
          response_body: row.response_body,
          created_at: row.created_at,
          expires_at: row.expires_at,
        })
        .where('idempotency.expires_at', '<=', now),
    )
    .returning('idempotency_key')
    .executeTakeFirst()
  return claimed !== undefined
}

/** What was answered under this key (primary key). */
export async function findResponse(
  tx: Context,
  client_id: string,
  idempotency_key: string,
): Promise<StoredResponse | undefined> {
  return await tx.db
    .selectFrom('idempotency')
    .select(['endpoint', 'request_digest', 'response_status', 'response_body'])
    .where('client_id', '=', client_id)
    .where('idempotency_key', '=', idempotency_key)
    .executeTakeFirst()
}

/** Keeps the answer of a claimed key, in the same transaction. Never a secret. */
export async function storeResponse(
  tx: Context,
  request: IdempotentRequest,
  response: { status: number; body: unknown },
): Promise<void> {
  await tx.db
    .updateTable('idempotency')
    .set({ response_status: response.status, response_body: JSON.stringify(response.body) })
    .where('client_id', '=', request.client_id)
    .where('idempotency_key', '=', request.idempotency_key)
    .execute()
}

/** Removes keys whose retention has ended, a bounded piece at a time (index idempotency_by_expiry). */
export async function purgeIdempotency(ctx: Context, before: Date): Promise<void> {
  const dead = ctx.db
    .selectFrom('idempotency')
    .select(['client_id', 'idempotency_key'])
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(5000)
  await ctx.db
    .deleteFrom('idempotency')
    .where(eb => eb(eb.refTuple('client_id', 'idempotency_key'), 'in', dead.$asTuple('client_id', 'idempotency_key')))
    .execute()
}
