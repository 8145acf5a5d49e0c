import { createHmac } from 'node:crypto'

/** The headers of one attempt (Standard Webhooks 1.0): the id stays over all attempts, the time is the attempt's. */
export function webhookHeaders(
  { delivery_id, payload }: { delivery_id: string; payload: string },
  secret: Buffer,
  epochSeconds: number,
): Readonly<Record<string, string>> {
  const signed = `${delivery_id}.${epochSeconds}.${payload}`
  return {
    'webhook-id': delivery_id,
    'webhook-timestamp': String(epochSeconds),
    'webhook-signature': `v1,${createHmac('sha256', secret).update(signed, 'utf8').digest('base64')}`,
  }
}
