import { epochSeconds } from '../../protocol/time.ts'
import { auditWebhookGone } from '../audit/own-events.ts'
import { type Context, transaction } from '../context.ts'
import { type Network, SYSTEM_NETWORK } from '../fetch/connect.ts'
import { type FetchReason, FetchRefused } from '../fetch/fetch-refused.ts'
import { guardedPost } from '../fetch/guarded-post.ts'
import { openWebhookSecret } from '../keys/webhook-secret.ts'
import { type ClaimedDelivery, claimDeliveries, failDeliveries, settleDelivery } from '../store/webhook-deliveries.ts'
import { endWebhook } from '../store/webhooks.ts'
import { webhookHeaders } from './signature.ts'

/** Seconds from one attempt to the next; after the last the delivery failed. */
export const RETRY_AFTER = [5, 30, 120, 600, 1_800, 3_600] as const
/** Seconds in which nobody else tries the same: far longer than an attempt takes. */
const LEASE = 30
/** Of one webhook in one turn of one node. */
const AT_ONCE = 4
const GONE = 410

/** How an attempt ended: a status, or why there was no answer. */
type Result = number | FetchReason | 'secret_unreadable'

/**
 * Delivers what is due, each with one signed request outside of any transaction. At least once: whoever answers and is
 * not heard is told again, under the same `webhook-id`.
 */
export async function deliverWebhooks(ctx: Context, network: Network = SYSTEM_NETWORK): Promise<void> {
  const due = await claimDeliveries(ctx, { lease: LEASE, most: AT_ONCE }, ctx.now())
  const turn = due.map(async delivery => settle(ctx, delivery, await attempt(ctx, delivery, network)))
  const trouble = (await Promise.allSettled(turn)).find(outcome => outcome.status === 'rejected')
  if (trouble) throw trouble.reason
}

async function attempt(ctx: Context, delivery: ClaimedDelivery, network: Network): Promise<Result> {
  const { webhook_id, url, secret_sealed, payload } = delivery
  const secret = readSecret(ctx, webhook_id, secret_sealed)
  if (!secret) return 'secret_unreadable'
  const headers = webhookHeaders(delivery, secret, epochSeconds(ctx.now()))
  try {
    return await guardedPost(ctx, url, { headers, body: payload }, network)
  } catch (error) {
    if (error instanceof FetchRefused) return error.reason
    throw error
  }
}

/** A secret that does not open, or was erased meanwhile, stands in the way of its own webhook alone. */
function readSecret(ctx: Context, webhook_id: string, sealed: Buffer | null): Buffer | undefined {
  if (!sealed) return undefined
  try {
    return openWebhookSecret(ctx, webhook_id, sealed)
  } catch {
    return undefined
  }
}

async function settle(ctx: Context, delivery: ClaimedDelivery, result: Result): Promise<void> {
  const { webhook_id, delivery_id, attempts } = delivery
  const last_result = typeof result === 'number' ? `http_${result}` : result
  const now = ctx.now()
  if (typeof result === 'number' && result >= 200 && result < 300) {
    ctx.metrics.webhookAttempts.inc({ result: 'delivered' })
    return await settleDelivery(ctx, delivery, { last_result, delivered_at: now })
  }
  // Never the URL: some receivers are known by a secret in it.
  ctx.log.warn({ webhook_id, delivery_id, attempts, result: last_result }, 'a webhook was not delivered')
  if (result === GONE) return await endGone(ctx, delivery, last_result)
  const delay = RETRY_AFTER[attempts - 1]
  ctx.metrics.webhookAttempts.inc({ result: delay === undefined ? 'failed' : 'retried' })
  const next = delay === undefined ? { failed_at: now } : { next_attempt_at: new Date(now.getTime() + delay * 1000) }
  await settleDelivery(ctx, delivery, { last_result, ...next })
}

/** 410: nobody is there any more, and never will be (Standard Webhooks 1.0). */
async function endGone(ctx: Context, { webhook_id }: ClaimedDelivery, last_result: string): Promise<void> {
  ctx.metrics.webhookAttempts.inc({ result: 'gone' })
  await transaction(ctx, async tx => {
    if (!(await endWebhook(tx, webhook_id))) return
    await failDeliveries(tx, webhook_id, last_result, tx.now())
    await auditWebhookGone(tx, webhook_id)
  })
}
