import type { SecretRotation } from '../../protocol/client.ts'
import { sha256 } from '../../protocol/digest.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { expireSecrets, findSecrets, insertSecret, SECRETS_MAX } from '../store/client-secrets.ts'
import { updateClient } from '../store/clients.ts'
import type { Outcome } from './act.ts'
import { checkMayActAs, clientToChange } from './client-checks.ts'
import { type ClientRotated, viewOf } from './client-view.ts'
import { endTokensOf } from './ended-tokens.ts'

/** A new secret of a client, 256 random bits, kept as its digest. @returns the secret, for this one time */
export async function addSecret(tx: Context, client_id: string): Promise<string> {
  const client_secret = `${tx.randomId()}${tx.randomId()}`
  const secret_digest = sha256(client_secret)
  await insertSecret(tx, { client_id, secret_digest, created_at: tx.now(), expires_at: null })
  return client_secret
}

/**
 * Gives a client a new secret, inside `act`; those before it end `overlap_seconds` from now, or when they would anyway
 * (protocol.md section 11). Without overlap, and with the exclusive gate as its `before`, what the client still holds by
 * them ends too. Throws Problem `not_found`, `conflict` for one that is not active or has 8 live secrets,
 * `invalid_request` for one that has no secret, `forbidden` for admin scopes that the caller has not.
 */
export async function rotateSecret(
  tx: Context,
  caller: Caller,
  client_id: string,
  { overlap_seconds }: SecretRotation,
): Promise<Outcome<ClientRotated>> {
  const client = await clientToChange(tx, client_id)
  checkMayActAs(tx, caller, client)
  if (client.token_endpoint_auth_method === 'private_key_jwt') {
    throw new Problem('invalid_request', 'This client signs with keys and has no secret; change its keys.', 'no_secret')
  }
  await expireSecrets(tx, client_id, new Date(tx.now().getTime() + overlap_seconds * 1000))
  if ((await findSecrets(tx, client_id, tx.now())).length >= SECRETS_MAX) {
    throw new Problem(
      'conflict',
      'The client has 8 secrets already; wait for one to end, or rotate without overlap.',
      'too_many_secrets',
    )
  }
  const client_secret = await addSecret(tx, client_id)
  // A mint that a secret of before has begun must see that something changed.
  const changed = { ...client, updated_at: tx.now() }
  await updateClient(tx, changed)
  const ended = overlap_seconds === 0 ? { ended_tokens: await endTokensOf(tx, caller, [client_id]) } : {}
  const view = { ...(await viewOf(tx, changed)), ...ended }
  const audit = { details: { overlap_seconds, ...ended } }
  return { status: 201, body: { ...view, client_secret }, replayBody: view, audit }
}
