import { type Insertable, type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { WebhookDeliveryTable, WebhookTable } from './schema-execution.ts'

export type DeliveryRow = Selectable<WebhookDeliveryTable>
/** What an attempt needs; `attempts` counts it already. */
export type ClaimedDelivery = Pick<DeliveryRow, 'delivery_id' | 'webhook_id' | 'payload' | 'attempts'> &
  Pick<Selectable<WebhookTable>, 'url' | 'secret_sealed'>

/** Kept so long after they were due for the first time, in seconds: a week. */
const KEPT_SECONDS = 604_800
const PURGED_AT_ONCE = 1_000

/** Writes what is due into the outbox, in the transaction of what it tells. */
export async function insertDeliveries(tx: Context, rows: readonly Insertable<WebhookDeliveryTable>[]): Promise<void> {
  await tx.db.insertInto('webhook_delivery').values(rows).execute()
}

/**
 * Takes what is due, for `lease` seconds: whoever else asks meanwhile gets something else, and after that, when nobody
 * said what became of it, the same again. At most `most` of each webhook, so that a slow receiver delays no other
 * (index webhook_delivery_due).
 */
export async function claimDeliveries(
  ctx: Context,
  { lease, most }: { lease: number; most: number },
  now: Date,
): Promise<readonly ClaimedDelivery[]> {
  const { rows } = await sql<ClaimedDelivery>`
    with due as materialized (
      select picked.delivery_id from webhook
        cross join lateral (
          select delivery_id from webhook_delivery
            where webhook_delivery.webhook_id = webhook.webhook_id
              and delivered_at is null and failed_at is null and next_attempt_at <= ${now}
            order by next_attempt_at limit ${most} for update skip locked
        ) as picked
        where webhook.status = 'active'
    )
    update webhook_delivery as taken
      set attempts = taken.attempts + 1, next_attempt_at = ${new Date(now.getTime() + lease * 1000)}
      from due, webhook
      where taken.delivery_id = due.delivery_id and webhook.webhook_id = taken.webhook_id
      returning taken.delivery_id, taken.webhook_id, taken.payload, taken.attempts, webhook.url, webhook.secret_sealed
  `.execute(ctx.db)
  return rows
}

/** Writes what became of an attempt, unless its lease ended and somebody began another (primary key). */
export async function settleDelivery(
  tx: Context,
  { delivery_id, attempts }: Pick<DeliveryRow, 'delivery_id' | 'attempts'>,
  outcome: { last_result: string } & Partial<Pick<DeliveryRow, 'delivered_at' | 'failed_at' | 'next_attempt_at'>>,
): Promise<void> {
  await tx.db
    .updateTable('webhook_delivery')
    .set(outcome)
    .where('delivery_id', '=', delivery_id)
    .where('attempts', '=', attempts)
    .where('delivered_at', 'is', null)
    .where('failed_at', 'is', null)
    .execute()
}

/** What a webhook that ended still had to be told fails (index webhook_delivery_due). */
export async function failDeliveries(tx: Context, webhook_id: string, last_result: string, now: Date): Promise<void> {
  await tx.db
    .updateTable('webhook_delivery')
    .set({ failed_at: now, last_result })
    .where('webhook_id', '=', webhook_id)
    .where('delivered_at', 'is', null)
    .where('failed_at', 'is', null)
    .execute()
}

/** What a webhook was and is to be told, the newest first (index webhook_delivery_by_webhook). */
export async function listDeliveries(
  ctx: Context,
  webhook_id: string,
  page: { before?: Pick<DeliveryRow, 'created_at' | 'delivery_id'>; limit: number },
): Promise<readonly Omit<DeliveryRow, 'payload'>[]> {
  const { before } = page
  let query = ctx.db
    .selectFrom('webhook_delivery')
    .select([
      ...(['delivery_id', 'webhook_id', 'event_type', 'attempts', 'next_attempt_at', 'created_at'] as const),
      ...(['delivered_at', 'failed_at', 'last_result'] as const),
    ])
    .where('webhook_id', '=', webhook_id)
  if (before) {
    const place = sql`(${before.created_at}::timestamptz, ${before.delivery_id}::text)`
    query = query.where(sql<boolean>`(created_at, delivery_id) < ${place}`)
  }
  return await query.orderBy('created_at', 'desc').orderBy('delivery_id', 'desc').limit(page.limit).execute()
}

/** Forgets what was due a week ago, whatever became of it (index webhook_delivery_by_time). */
export async function purgeDeliveries(ctx: Context): Promise<void> {
  const before = new Date(ctx.now().getTime() - KEPT_SECONDS * 1000)
  const old = ctx.db
    .selectFrom('webhook_delivery')
    .select('delivery_id')
    .where('created_at', '<', before)
    .orderBy('created_at')
    .limit(PURGED_AT_ONCE)
  await ctx.db.deleteFrom('webhook_delivery').where('delivery_id', 'in', old).execute()
}
