import { z } from 'zod'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { revokeAgent } from '../store/agents.ts'
import { findActiveHoldersOf, revokeClient } from '../store/clients.ts'
import { revokeRegistration } from '../store/registration-changes.ts'
import { findRegistration } from '../store/registrations.ts'
import { insertRevocations, liveDescendants, type RevocationRef } from '../store/revocations.ts'
import { findToken } from '../store/tokens.ts'
import type { Outcome } from './act.ts'

const KINDS = ['token', 'registration', 'agent', 'client'] as const
const LATER = ['execution', 'workflow', 'initiator', 'key'] as const

/** Body of POST /admin/v1/revocations. `id` of an agent is `client_id/agent_id`. */
export const revocationSchema = z.strictObject({
  kind: z.enum([...KINDS, ...LATER]),
  id: z.string().min(1).max(256),
  reason: z.string().min(1).max(200),
})
export const revocationAnswerSchema = z.object({
  kind: z.enum(KINDS),
  id: z.string(),
  revoked: z.record(z.enum(KINDS), z.number()),
  revoked_at: z.string(),
})
type RevocationAnswer = z.output<typeof revocationAnswerSchema>
type Kind = (typeof KINDS)[number]

/**
 * Revokes a token, a version, an agent or a client, for good, and every live token delegated from it (protocol.md
 * section 9), inside `act` with the exclusive gate as its `before`. Once it has answered, nothing it covers is minted
 * anywhere. Throws Problem `not_built`, `not_found`.
 */
export async function createRevocation(
  tx: Context,
  caller: Caller,
  { kind: asked, id, reason }: z.output<typeof revocationSchema>,
): Promise<Outcome<RevocationAnswer>> {
  const kind = KINDS.find(built => built === asked)
  if (!kind) throw new Problem('not_built', 'Only token, registration, agent and client can be revoked yet.')
  const subject = await revokeRow(tx, kind, id)
  if (!subject) throw new Problem('not_found', 'There is nothing of this kind and id.')
  const now = tx.now()
  const entry: RevocationRef = { kind, id }
  const descendants = await liveDescendants(tx, entry, now)
  const entries = [entry, ...descendants.map(jti => ({ kind: 'token' as const, id: jti }))]
  await insertRevocations(tx, entries, { reason, revoked_by: caller.sub, now })
  const revoked = { token: descendants.length, registration: 0, agent: 0, client: 0 }
  revoked[kind] += 1
  return {
    status: 201,
    body: { kind, id, revoked, revoked_at: now.toISOString() },
    audit: { ...subject, details: { kind, id, revoked } },
  }
}

/** Sets the state that outlives the entry. @returns whose it was, undefined where there is no such thing */
async function revokeRow(
  tx: Context,
  kind: Kind,
  id: string,
): Promise<{ client_id: string; agent_id?: string } | undefined> {
  switch (kind) {
    case 'token': {
      const token = await findToken(tx, id)
      return token && subjectOf(token.client_id, token.agent_id)
    }
    case 'registration': {
      const version = await findRegistration(tx, id)
      if (!version) return undefined
      await revokeRegistration(tx, id)
      return subjectOf(version.client_id, version.agent_id)
    }
    case 'agent': {
      const [client_id = '', agent_id = '', ...rest] = id.split('/')
      const found = rest.length === 0 && (await revokeAgent(tx, client_id, agent_id))
      return found ? subjectOf(client_id, agent_id) : undefined
    }
    case 'client':
      await keepAnAdministrator(tx, id)
      return (await revokeClient(tx, id)) ? { client_id: id } : undefined
  }
}

/** Bootstrap is closed for ever: without an administrator nobody could ever revoke or approve again. */
async function keepAnAdministrator(tx: Context, client_id: string): Promise<void> {
  const administrators = await findActiveHoldersOf(tx, tx.config.adminAudience, ['admin:clients'])
  const [last, ...others] = administrators
  if (last?.client_id !== client_id || others.length > 0) return
  throw new Problem(
    'conflict',
    'This is the last client with admin:clients; create another administrator first.',
    'last_administrator',
  )
}

function subjectOf(client_id: string, agent_id: string | null) {
  return { client_id, ...(agent_id !== null && { agent_id }) }
}
