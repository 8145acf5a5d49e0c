import { Problem } from '../../protocol/problem.ts'
import { THUMBPRINT } from '../../protocol/thumbprint.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { followTime } from '../keys/rotate-keys.ts'
import { revokeAgentKeys } from '../store/agent-key-revocation.ts'
import { findKeyOwner } from '../store/agent-keys.ts'
import { compromiseSigningKey, isSigningKey, lockRotation, lockSigningKey } from '../store/signing-keys.ts'
import { withdrawClientKey } from './client-key-revocation.ts'
import { endTokensOf } from './ended-tokens.ts'
import { withdrawIssuerKey } from './issuer-key-revocation.ts'
import type { Covered } from './revocation-subjects.ts'
import { replaceTokenKey } from './token-keys.ts'

/** Verifiers may hold the JWKS of the moment before for a while (protocol.md section 9). */
const KID_ENTRY_SECONDS = 86_400

/**
 * Revokes a key by its thumbprint: one of ours, an agent's with all that it endorsed, a client's, a trusted issuer's, or
 * one that nobody registered, whose tokens then stop as long as the entry stands. Throws Problem `invalid_request` for what is no
 * thumbprint, `forbidden` for a key of ours without `admin:keys`, `conflict` for the only key of a client, unless it is
 * an agent's too.
 */
export async function revokeKey(tx: Context, caller: Caller, id: string, now: Date): Promise<Covered> {
  if (!THUMBPRINT.test(id)) {
    throw new Problem(
      'invalid_request',
      'A key is named by its thumbprint: 43 characters of base64url.',
      'malformed_id',
    )
  }
  return (await revokeSigningKey(tx, caller, id, now)) ?? (await revokeForeignKey(tx, caller, id, now))
}

/**
 * Emergency: no lead, because every hour of it signs forgeries. The waiting key takes over, which verifiers have seen;
 * where there is none they fetch the JWKS again on an unknown `kid`.
 */
async function revokeSigningKey(tx: Context, caller: Caller, kid: string, now: Date): Promise<Covered | undefined> {
  if (!(await isSigningKey(tx, kid))) return undefined
  if (!caller.scope.includes('admin:keys')) {
    throw new Problem('forbidden', 'Revoking a key of this server needs scope admin:keys as well.', 'admin_keys_scope')
  }
  await lockRotation(tx)
  // By the instants, not by rows that nobody has switched yet: is it the key that signs?
  await followTime(tx, now)
  const key = await lockSigningKey(tx, kid)
  if (!key) return undefined
  await compromiseSigningKey(tx, kid, now)
  const next = key.state === 'active' ? await replaceTokenKey(tx, key.alg, now) : {}
  return {
    ids: [kid],
    final: true,
    ends_at: new Date(now.getTime() + KID_ENTRY_SECONDS * 1000),
    details: { alg: key.alg, ...next },
    note: 'APIs that verify offline may accept tokens of this key until they fetch the JWKS again, 5 minutes by its max-age.',
  }
}

async function revokeForeignKey(tx: Context, caller: Caller, jkt: string, now: Date): Promise<Covered> {
  const owner = await findKeyOwner(tx, jkt)
  const { taken, kept } = await withdrawClientKey(tx, jkt, now)
  if (!owner && kept.length > 0) throw lastClientKey()
  const ended_tokens = await endTokensOf(tx, caller, [...taken, ...kept])
  const issuers = await withdrawIssuerKey(tx, jkt, now)
  const endorsed = await revokeAgentKeys(tx, jkt, now)
  const subject = owner ?? (taken[0] === undefined ? undefined : { client_id: taken[0] })
  return {
    ids: [jkt, ...endorsed],
    final: owner !== undefined,
    ...(subject && { subject }),
    ...(owner && endorsed.length === 0 && { holder: owner }),
    details: {
      ...{ endorsed: endorsed.length, clients: taken },
      ...(issuers.length > 0 && { issuers }),
      ...(kept.length > 0 && { only_key_of: kept }),
      ...(taken.length + kept.length > 0 && { ended_tokens }),
    },
    ...noteOf({ isAgents: owner !== undefined, taken, kept, issuers }),
  }
}

/** What a client signs with stays its own: an agent's key is not spared for it. */
function lastClientKey(): Problem {
  const sentence = 'It is the only key of a client: revoke the client, or give it new keys first.'
  return new Problem('conflict', sentence, 'last_client_key')
}

type Holders = {
  readonly isAgents: boolean
  readonly taken: readonly string[]
  readonly kept: readonly string[]
  readonly issuers: readonly string[]
}

function noteOf({ isAgents, taken, kept, issuers }: Holders): { note?: string } {
  const notes: string[] = []
  if (kept.length > 0) notes.push(ONLY_KEY)
  else if (taken.length > 0) notes.push('The key was taken out of the stored keys of its client.')
  if (issuers.length > 0) {
    notes.push(`The key was taken out of the stored keys of these trusted issuers, for good: ${issuers.join(', ')}.`)
  }
  if (notes.length > 0) return { note: notes.join(' ') }
  return isAgents ? {} : { note: NOBODYS }
}

const ONLY_KEY =
  'It is still the only key by which a client signs in: revoke that client, or give it new keys; until then it signs in nowhere while the entry stands.'
const NOBODYS =
  'No agent, no stored client and no stored issuer has this key: only the entry stands, until it ends. A client that publishes its keys at a jwks_uri takes it out there; so must a trusted issuer, whose key is refused for a day more.'
