import { Problem } from '../../protocol/problem.ts'
import {
  WEBHOOKS_MAX,
  type WebhookCreate,
  type WebhookCreated,
  type WebhookDeliveryView,
  type WebhookView,
  webhookDeliverySchema,
} from '../../protocol/webhook.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { namesForbiddenAddress } from '../fetch/connect.ts'
import { FetchRefused } from '../fetch/fetch-refused.ts'
import { allowedUrl } from '../fetch/guarded-request.ts'
import { newWebhookSecret, sealWebhookSecret, webhookSecretText } from '../keys/webhook-secret.ts'
import { failDeliveries, listDeliveries } from '../store/webhook-deliveries.ts'
import {
  deleteWebhook,
  findActiveWebhooks,
  findWebhook,
  insertWebhook,
  type ListedWebhook,
  listWebhooks,
  lockWebhooks,
} from '../store/webhooks.ts'
import type { Outcome } from './act.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { timePlace, timePosition } from './time-cursor.ts'

/**
 * Makes a webhook, inside `act`; its secret is shown once and kept sealed. Throws Problem `invalid_request` for a URL
 * that is never called, `conflict` where there are 16 already.
 */
export async function createWebhook(
  tx: Context,
  caller: Caller,
  { url }: WebhookCreate,
): Promise<Outcome<WebhookCreated>> {
  checkUrl(tx, url)
  await lockWebhooks(tx)
  if ((await findActiveWebhooks(tx)).length >= WEBHOOKS_MAX) {
    throw new Problem('conflict', 'There are 16 webhooks already; delete one first.', 'too_many_webhooks')
  }
  const webhook_id = `whk_${tx.randomId()}`
  const row = { webhook_id, url, status: 'active' as const, created_at: tx.now(), created_by: caller.sub }
  const secret = newWebhookSecret(tx)
  await insertWebhook(tx, { ...row, secret_sealed: sealWebhookSecret(tx, webhook_id, secret) })
  const view = webhookView(row)
  const body = { ...view, secret: webhookSecretText(secret) }
  return { status: 201, body, replayBody: view, audit: { details: { webhook_id, host: hostOf(url) } } }
}

/** Ends a webhook and what it still had to be told, inside `act`. Throws Problem `not_found`. */
export async function removeWebhook(tx: Context, webhook_id: string): Promise<Outcome<WebhookView>> {
  const row = await deleteWebhook(tx, webhook_id)
  if (!row) throw unknownWebhook()
  await failDeliveries(tx, webhook_id, 'webhook_deleted', tx.now())
  return { status: 200, body: webhookView(row), audit: { details: { webhook_id, host: hostOf(row.url) } } }
}

/** Webhooks that are not deleted, the newest first. */
export async function getWebhooks(
  ctx: Context,
  { cursor, limit }: { cursor?: string; limit: number },
): Promise<Page<WebhookView>> {
  const { cursorKey } = ctx.keys
  const place = cursor === undefined ? undefined : timePlace(decodeCursor(cursorKey, 'webhooks', cursor))
  const before = place && { before: { created_at: place.at, webhook_id: place.id } }
  const rows = await listWebhooks(ctx, { ...before, limit: limit + 1 })
  const positionOf = ({ created_at, webhook_id }: ListedWebhook) => timePosition(created_at, webhook_id)
  const { items, next_cursor } = pageOf(cursorKey, 'webhooks', rows, limit, positionOf)
  return { items: items.map(webhookView), next_cursor }
}

/** What a webhook was told in the last week, and what it is to be told, the newest first. Throws Problem `not_found`. */
export async function getDeliveries(
  ctx: Context,
  webhook_id: string,
  { cursor, limit }: { cursor?: string; limit: number },
): Promise<Page<WebhookDeliveryView>> {
  if (!(await findWebhook(ctx, webhook_id))) throw unknownWebhook()
  const { cursorKey } = ctx.keys
  const list = `deliveries ${webhook_id}`
  const place = cursor === undefined ? undefined : timePlace(decodeCursor(cursorKey, list, cursor))
  const before = place && { before: { created_at: place.at, delivery_id: place.id } }
  const rows = await listDeliveries(ctx, webhook_id, { ...before, limit: limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, list, rows, limit, row =>
    timePosition(row.created_at, row.delivery_id),
  )
  return { items: items.map(deliveryView), next_cursor }
}

function deliveryView(row: Awaited<ReturnType<typeof listDeliveries>>[number]): WebhookDeliveryView {
  const { delivery_id, event_type, attempts, created_at, next_attempt_at, delivered_at, failed_at, last_result } = row
  const status = delivered_at ? 'delivered' : failed_at ? 'failed' : 'due'
  return webhookDeliverySchema.parse({
    ...{ delivery_id, type: event_type, status, attempts, last_result },
    created_at: created_at.toISOString(),
    next_attempt_at: status === 'due' ? next_attempt_at.toISOString() : null,
    delivered_at: delivered_at?.toISOString() ?? null,
    failed_at: failed_at?.toISOString() ?? null,
  })
}

function webhookView({ webhook_id, url, status, created_at, created_by }: ListedWebhook): WebhookView {
  return { webhook_id, url, status, created_at: created_at.toISOString(), created_by }
}

/** What delivery would refuse for ever is said at once; a name is judged at each delivery. */
function checkUrl({ config: { allowPrivateFetch } }: Context, text: string): void {
  try {
    const url = allowedUrl(text, allowPrivateFetch)
    if (!namesForbiddenAddress(url, allowPrivateFetch)) return
  } catch (error) {
    if (!(error instanceof FetchRefused)) throw error
  }
  throw new Problem('invalid_request', 'The url must be https, at a public address.', 'webhook_url')
}

function hostOf(url: string): string | undefined {
  return URL.parse(url)?.host
}

function unknownWebhook(): Problem {
  return new Problem('not_found', 'There is no webhook of this id.')
}
