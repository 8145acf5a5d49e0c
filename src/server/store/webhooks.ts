import { type Selectable, sql } from 'kysely'
import { WEBHOOKS_MAX } from '../../protocol/webhook.ts'
import type { Context } from '../context.ts'
import type { WebhookTable } from './schema-execution.ts'

export type WebhookRow = Selectable<WebhookTable>
export type ListedWebhook = Omit<WebhookRow, 'secret_sealed'>

const COLUMNS = ['webhook_id', 'url', 'status', 'created_at', 'created_by'] as const

/** The webhooks that are told what happens. No index on these and the next: they are few. */
export async function findActiveWebhooks(ctx: Context): Promise<readonly Pick<WebhookRow, 'webhook_id'>[]> {
  return await ctx.db
    .selectFrom('webhook')
    .select('webhook_id')
    .where('status', '=', 'active')
    .orderBy('webhook_id')
    .limit(WEBHOOKS_MAX)
    .execute()
}

/** Of webhooks that are made at the same time one comes after the other, until the transaction ends. */
export async function lockWebhooks(tx: Context): Promise<void> {
  await sql`lock table webhook in share row exclusive mode`.execute(tx.db)
}

/** Webhooks that are not deleted, the newest first, those before `before`. */
export async function listWebhooks(
  ctx: Context,
  page: { before?: Pick<WebhookRow, 'created_at' | 'webhook_id'>; limit: number },
): Promise<readonly ListedWebhook[]> {
  const { before } = page
  let query = ctx.db.selectFrom('webhook').select(COLUMNS).where('status', '<>', 'deleted')
  if (before) {
    const place = sql`(${before.created_at}::timestamptz, ${before.webhook_id}::text)`
    query = query.where(sql<boolean>`(created_at, webhook_id) < ${place}`)
  }
  return await query.orderBy('created_at', 'desc').orderBy('webhook_id', 'desc').limit(page.limit).execute()
}

/** One webhook, deleted ones too (primary key). */
export async function findWebhook(ctx: Context, webhook_id: string): Promise<ListedWebhook | undefined> {
  return await ctx.db.selectFrom('webhook').select(COLUMNS).where('webhook_id', '=', webhook_id).executeTakeFirst()
}

/** Writes a webhook with its sealed secret. */
export async function insertWebhook(tx: Context, row: WebhookRow): Promise<void> {
  await tx.db.insertInto('webhook').values(row).execute()
}

/** Its secret goes too. @returns undefined where there is no such webhook, or it was deleted before (primary key) */
export async function deleteWebhook(tx: Context, webhook_id: string): Promise<ListedWebhook | undefined> {
  return await tx.db
    .updateTable('webhook')
    .set({ status: 'deleted', secret_sealed: null })
    .where('webhook_id', '=', webhook_id)
    .where('status', '<>', 'deleted')
    .returning(COLUMNS)
    .executeTakeFirst()
}

/**
 * A receiver that is gone for good is told nothing any more, and its secret goes. @returns false where it was not active
 * (primary key)
 */
export async function endWebhook(tx: Context, webhook_id: string): Promise<boolean> {
  const ended = await tx.db
    .updateTable('webhook')
    .set({ status: 'gone', secret_sealed: null })
    .where('webhook_id', '=', webhook_id)
    .where('status', '=', 'active')
    .returning('webhook_id')
    .executeTakeFirst()
  return ended !== undefined
}
