import { z } from 'zod'

/** Most webhooks that are active at once: each is told of every approval. */
export const WEBHOOKS_MAX = 16

export const webhookIdSchema = z.string().regex(/^whk_[A-Za-z0-9_-]{22}$/, 'must be a webhook_id')

/** Body of POST /admin/v1/webhooks. The URL is https; http only where the server allows private fetches. */
export const webhookCreateSchema = z.strictObject({
  url: z.string().max(2048).refine(isWebhookUrl, 'must be an https URL without user name, password or fragment'),
})
export type WebhookCreate = z.output<typeof webhookCreateSchema>

/** `gone`: the receiver answered 410, and is told nothing any more. */
export const webhookSchema = z.object({
  webhook_id: z.string(),
  url: z.string(),
  status: z.enum(['active', 'gone', 'deleted']),
  created_at: z.string(),
  created_by: z.string(),
})
export type WebhookView = z.output<typeof webhookSchema>

/** The answer of its creation: `secret` (`whsec_` and base64 of 32 bytes, Standard Webhooks 1.0) is shown once. */
export const webhookCreatedSchema = webhookSchema.extend({ secret: z.string().optional() })
export type WebhookCreated = z.output<typeof webhookCreatedSchema>

export const WEBHOOK_EVENTS = ['approval.opened', 'approval.decided'] as const
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number]

/**
 * What a webhook says: that there is something to look at, and never the arguments. At least once and in no order, so
 * `webhook-id` says what came before, and GET /admin/v1/approvals/{id} how things are.
 */
export const webhookEventSchema = z.object({
  type: z.enum(WEBHOOK_EVENTS),
  timestamp: z.string(),
  data: z.object({
    approval_id: z.string(),
    execution_id: z.string(),
    client_id: z.string(),
    workflow_id: z.string(),
    workflow_step: z.string(),
    agent_id: z.string(),
    arguments_digest: z.string().nullable(),
    status: z.enum(['pending', 'granted', 'denied']),
    expires_at: z.string(),
  }),
})
export type WebhookEvent = z.output<typeof webhookEventSchema>

/** One item of GET /admin/v1/webhooks/{id}/deliveries. `delivery_id` is the `webhook-id` that the receiver sees. */
export const webhookDeliverySchema = z.object({
  delivery_id: z.string(),
  type: z.enum(WEBHOOK_EVENTS),
  status: z.enum(['due', 'delivered', 'failed']),
  attempts: z.int(),
  created_at: z.string(),
  next_attempt_at: z.string().nullable(),
  delivered_at: z.string().nullable(),
  failed_at: z.string().nullable(),
  /** Of the last attempt: `http_` and the status of the answer, or why there was none. */
  last_result: z.string().nullable(),
})
export type WebhookDeliveryView = z.output<typeof webhookDeliverySchema>

function isWebhookUrl(text: string): boolean {
  const url = URL.parse(text)
  if (!url || !['https:', 'http:'].includes(url.protocol)) return false
  return url.username === '' && url.password === '' && !text.includes('#')
}
