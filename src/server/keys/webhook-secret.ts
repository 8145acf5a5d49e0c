import type { Context } from '../context.ts'

/** A new secret of a webhook: 256 random bits (Standard Webhooks 1.0). */
export function newWebhookSecret({ randomId }: Pick<Context, 'randomId'>): Buffer {
  return Buffer.concat([Buffer.from(randomId(), 'base64url'), Buffer.from(randomId(), 'base64url')])
}

/** As its receiver is given it, once. */
export function webhookSecretText(secret: Buffer): string {
  return `whsec_${secret.toString('base64')}`
}

/** Sealed for the row of this webhook: moved to another it does not open. */
export function sealWebhookSecret({ sealer }: Pick<Context, 'sealer'>, webhook_id: string, secret: Buffer): Buffer {
  return sealer.seal(secret, placeOf(webhook_id))
}

/** Throws where the sealed value was changed or moved. */
export function openWebhookSecret({ sealer }: Pick<Context, 'sealer'>, webhook_id: string, sealed: Buffer): Buffer {
  return sealer.open(sealed, placeOf(webhook_id))
}

function placeOf(webhook_id: string) {
  return { table: 'webhook', row: webhook_id, column: 'secret_sealed' }
}
