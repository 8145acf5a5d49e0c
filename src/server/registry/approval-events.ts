import type { WebhookEvent, WebhookEventType } from '../../protocol/webhook.ts'
import type { Context } from '../context.ts'
import { insertDeliveries } from '../store/webhook-deliveries.ts'
import { findActiveWebhooks } from '../store/webhooks.ts'

/** What webhooks say of an approval: ids and a digest, never the arguments. */
type Told = {
  readonly approval_id: string
  readonly execution_id: string
  readonly client_id: string
  readonly workflow_id: string
  readonly step_id: string
  readonly agent_id: string
  readonly arguments_digest: string | null
  readonly status: 'pending' | 'granted' | 'denied'
  /** Of the execution. */
  readonly expires_at: Date
}

/** Puts an event into the outbox of every active webhook, in the transaction of what it tells. */
export async function tellWebhooks(tx: Context, type: WebhookEventType, told: Told, now: Date): Promise<void> {
  const webhooks = await findActiveWebhooks(tx)
  if (webhooks.length === 0) return
  const { step_id: workflow_step, expires_at, approval_id, execution_id, client_id, workflow_id } = told
  const { agent_id, arguments_digest, status } = told
  const event: WebhookEvent = {
    type,
    timestamp: now.toISOString(),
    data: {
      ...{ approval_id, execution_id, client_id, workflow_id, workflow_step, agent_id },
      ...{ arguments_digest, status, expires_at: expires_at.toISOString() },
    },
  }
  const payload = JSON.stringify(event)
  await insertDeliveries(
    tx,
    webhooks.map(({ webhook_id }) => ({
      ...{ delivery_id: `msg_${tx.randomId()}`, webhook_id, event_type: type, payload },
      ...{ attempts: 0, next_attempt_at: now, created_at: now },
    })),
  )
}
