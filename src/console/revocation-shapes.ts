import * as z from 'zod/mini'
import type { RevocationAnswer, RevocationView } from '../protocol/revocation.ts'
import { exactly } from './shapes.ts'

/* The wire shapes of revocations, each held to the server's own by its type. */

const text = z.string()
const maybeText = z.nullable(text)

export const revocable = z.enum([
  'token',
  'registration',
  'agent',
  'client',
  'execution',
  'workflow',
  'initiator',
  'key',
])
export const revocationAnswerShape = exactly<RevocationAnswer>()(
  z.object({
    kind: revocable,
    id: text,
    revoked: z.record(revocable, z.number()),
    delegations: z.number(),
    live_tokens: z.number(),
    live_tokens_at_least: z.boolean(),
    revoked_at: text,
    ends_at: text,
    final: z.boolean(),
    note: z.optional(text),
  }),
)
export const revocationShape = exactly<RevocationView>()(
  z.object({
    kind: text,
    id: text,
    reason: text,
    revoked_by: text,
    at: text,
    ends_at: text,
    lifted_at: maybeText,
  }),
)
