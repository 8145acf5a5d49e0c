import { parseJwks } from '../../protocol/jwk.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Context } from '../context.ts'
import { type Client, listClients, replaceClientKeys } from '../store/clients.ts'

const PAGE = 200

/**
 * Takes a key out of the stored keys of every client that has it in use. Thumbprints are computed,
 * not stored: clients are few, and only this asks. Throws Problem `conflict` where one would keep none.
 * @returns whose it was
 */
export async function withdrawClientKey(tx: Context, jkt: string, now: Date): Promise<readonly string[]> {
  const found: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await listClients(tx, { limit: PAGE, ...(after !== undefined && { after }) })
    for (const client of page) {
      if (await withdraw(tx, client, jkt, now)) found.push(client.client_id)
    }
    if (page.length < PAGE) return found
    after = page.at(-1)?.client_id
  }
}

async function withdraw(tx: Context, { client_id, jwks, status }: Client, jkt: string, now: Date): Promise<boolean> {
  if (jwks === null || status !== 'active') return false
  const keys = await parseJwks(jwks)
  const kept = jwks.keys.filter((_key, at) => keys[at]?.jkt !== jkt)
  if (kept.length === jwks.keys.length) return false
  if (kept.length === 0) {
    throw new Problem(
      'conflict',
      'It is the only key of a client: revoke the client, or give it new keys first.',
      'last_client_key',
    )
  }
  await replaceClientKeys(tx, client_id, kept, now)
  return true
}
