import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { newSigningKey } from '../keys/new-signing-key.ts'
import { revokeAgentKeys } from '../store/agent-key-revocation.ts'
import { findKeyOwner } from '../store/agent-keys.ts'
import { compromiseSigningKey, insertActiveKey, lockSigningKey } from '../store/signing-keys.ts'
import { withdrawClientKey } from './client-key-revocation.ts'
import type { Covered } from './revocation-subjects.ts'

/** RFC 7638 with SHA-256: what `cnf.jkt` and our `kid` are. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/
/** Verifiers may hold the JWKS of the moment before for a while (protocol.md section 9). */
const KID_ENTRY_SECONDS = 86_400

/**
 * Revokes a key by its thumbprint: one of ours, an agent's with all that it endorsed, a client's, or one that nobody
 * registered, whose tokens then stop as long as the entry stands. Throws Problem `invalid_request` for what is no
 * thumbprint, `forbidden` for a key of ours without `admin:keys`, `conflict` for the last key of a client.
 */
export async function revokeKey(tx: Context, caller: Caller, id: string, now: Date): Promise<Covered> {
  if (!THUMBPRINT.test(id)) {
    throw new Problem(
      'invalid_request',
      'A key is named by its thumbprint: 43 characters of base64url.',
      'malformed_id',
    )
  }
  return (await revokeSigningKey(tx, caller, id, now)) ?? (await revokeForeignKey(tx, id, now))
}

/** Emergency: no lead, because every hour of it signs forgeries. Verifiers fetch the JWKS again on an unknown `kid`. */
async function revokeSigningKey(tx: Context, caller: Caller, kid: string, now: Date): Promise<Covered | undefined> {
  const key = await lockSigningKey(tx, kid)
  if (!key) return undefined
  if (!caller.scope.includes('admin:keys')) {
    throw new Problem('forbidden', 'Revoking a key of this server needs scope admin:keys as well.', 'admin_keys_scope')
  }
  await compromiseSigningKey(tx, kid, now)
  const next = key.state === 'active' ? await newSigningKey(tx.sealer, key.alg) : undefined
  if (next) await insertActiveKey(tx.db, { ...next, now })
  return {
    ids: [kid],
    final: true,
    ends_at: new Date(now.getTime() + KID_ENTRY_SECONDS * 1000),
    details: { alg: key.alg, ...(next && { next_kid: next.kid }) },
    note: 'APIs that verify offline may accept tokens of this key until they fetch the JWKS again, 5 minutes by its max-age.',
  }
}

async function revokeForeignKey(tx: Context, jkt: string, now: Date): Promise<Covered> {
  const owner = await findKeyOwner(tx, jkt)
  const clients = await withdrawClientKey(tx, jkt, now)
  const endorsed = await revokeAgentKeys(tx, jkt, now)
  const subject = owner ?? (clients[0] === undefined ? undefined : { client_id: clients[0] })
  return {
    ids: [jkt, ...endorsed],
    final: owner !== undefined,
    ...(subject && { subject }),
    ...(owner && endorsed.length === 0 && { holder: owner }),
    details: { endorsed: endorsed.length, clients },
    ...noteOf(owner !== undefined, clients.length),
  }
}

function noteOf(isAgents: boolean, clients: number): { note?: string } {
  if (clients > 0) return { note: 'The key was taken out of the stored keys of its client.' }
  if (isAgents) return {}
  return {
    note: 'No agent and no stored client has this key: only the entry stands, until it ends. A client that publishes its keys at a jwks_uri takes it out there.',
  }
}
