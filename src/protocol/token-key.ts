import { z } from 'zod'
import { SIGNING_ALGS } from './resource.ts'

/** Seconds that a token key is published before it signs (protocol.md section 9): the default, and what a call may ask. */
export const PUBLISH_LEAD_DEFAULT = 86_400
export const PUBLISH_LEAD_MIN = 40
export const PUBLISH_LEAD_MAX = 2_592_000

/** `next`: published, signs from `active_at` on. `retiring`: still published. `retired`, `compromised`: gone from the JWKS. */
export const KEY_STATES = ['next', 'active', 'retiring', 'retired', 'compromised'] as const

/** Body of POST /admin/v1/keys/rotate. */
export const keyRotationSchema = z.strictObject({
  alg: z.enum(SIGNING_ALGS),
  publish_lead: z
    .int()
    .min(PUBLISH_LEAD_MIN, 'publish_lead is at least 40 seconds: an API may not see a new key sooner.')
    .max(PUBLISH_LEAD_MAX, 'publish_lead is at most 2592000 seconds, 30 days.')
    .default(PUBLISH_LEAD_DEFAULT),
  /** Says what would happen and makes no key. */
  dry_run: z.boolean().default(false),
})
export type KeyRotation = z.output<typeof keyRotationSchema>

export const keyRotationAnswerSchema = z.object({
  dry_run: z.boolean(),
  /** The new key; null of a dry run. */
  kid: z.string().nullable(),
  alg: z.enum(SIGNING_ALGS),
  publish_lead: z.int(),
  /** The instant from which the new key signs. */
  active_at: z.string(),
  /** The key that signs until then, and when it leaves the JWKS; null where there is none. */
  replaces: z.string().nullable(),
  replaced_until: z.string().nullable(),
  /** What such a short lead costs. */
  note: z.string().optional(),
})
export type KeyRotationAnswer = z.output<typeof keyRotationAnswerSchema>

/** One entry of GET /admin/v1/keys. */
export const tokenKeySchema = z.object({
  kid: z.string(),
  alg: z.enum(SIGNING_ALGS),
  state: z.enum(KEY_STATES),
  /** Published from this instant on. */
  created_at: z.string(),
  /** Of a `next` key: the instant from which it will sign. */
  active_at: z.string().nullable(),
  retiring_at: z.string().nullable(),
  /** When it left the JWKS and its private part was erased. */
  retired_at: z.string().nullable(),
  /** Of a `retiring` key: when it will. */
  published_until: z.string().nullable(),
})
export type TokenKeyView = z.output<typeof tokenKeySchema>
