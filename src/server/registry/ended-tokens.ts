import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { revokeTokensOfClients } from '../store/client-tokens.ts'
import { endSessionsOfClients } from '../store/console-sessions.ts'
import { entryEnd } from '../store/revocations.ts'

/** For whoever reads the entries; no reason of a refusal. */
const REASON = 'a credential of the client was taken away'

/**
 * Ends what clients still hold by a credential that was taken from them: their live tokens for our own two APIs, with
 * which a thief would take everything back, and their console sessions. A token does not tell by which key its client
 * signed in, so that all of them end. Only behind the exclusive gate. @returns how many tokens
 */
export async function endTokensOf(
  tx: Context,
  caller: Pick<Caller, 'sub'>,
  client_ids: readonly string[],
): Promise<number> {
  if (client_ids.length === 0) return 0
  const now = tx.now()
  const { issuer, adminAudience } = tx.config
  await endSessionsOfClients(tx, client_ids, now)
  const act = {
    reason: REASON,
    revoked_by: caller.sub,
    now,
    ends_at: entryEnd(now),
  }
  return await revokeTokensOfClients(tx, { client_ids, resources: [issuer, adminAudience] }, act)
}
