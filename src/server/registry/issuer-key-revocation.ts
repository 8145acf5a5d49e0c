import { thumbprintOf } from '../../protocol/jwk.ts'
import type { Context } from '../context.ts'
import type { ClientJwk } from '../store/schema.ts'
import { listTrustedIssuers, lockTrustedIssuer, updateTrustedIssuer } from '../store/trusted-issuers.ts'

const PAGE = 200

/**
 * Takes a key out of the stored keys of every trusted issuer that has it, the last one too: an issuer without keys
 * refuses, one with a stolen key does not. For good, because the entry of the revocation ends. Under the gate, which a
 * write of keys passes too, so that none is missed. @returns the names of those that had it
 */
export async function withdrawIssuerKey(tx: Context, jkt: string, now: Date): Promise<readonly string[]> {
  const taken: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await listTrustedIssuers(tx, { limit: PAGE, ...(after !== undefined && { after }) })
    for (const { name, jwks } of page) {
      if (jwks !== null && (await without(jwks.keys, jkt)).length < jwks.keys.length) {
        if (await withdraw(tx, name, jkt, now)) taken.push(name)
      }
    }
    if (page.length < PAGE) return taken
    after = page.at(-1)?.name
  }
}

/** Looks again with the row locked. */
async function withdraw(tx: Context, name: string, jkt: string, now: Date): Promise<boolean> {
  const row = await lockTrustedIssuer(tx, name)
  if (!row?.jwks) return false
  const keys = await without(row.jwks.keys, jkt)
  if (keys.length === row.jwks.keys.length) return false
  await updateTrustedIssuer(tx, { ...row, jwks: { keys }, updated_at: now })
  return true
}

async function without(keys: readonly ClientJwk[], jkt: string): Promise<readonly ClientJwk[]> {
  const kept: ClientJwk[] = []
  for (const key of keys) if ((await thumbprintOf(key)) !== jkt) kept.push(key)
  return kept
}
