import { thumbprintOf } from '../../protocol/jwk.ts'
import type { Context } from '../context.ts'
import { type Client, listClients, lockClient, replaceClientKeys } from '../store/clients.ts'
import type { ClientJwk } from '../store/schema.ts'

const PAGE = 200

/** Clients that had the key: those it was taken from, and those that keep it because they have no other. */
type Withdrawn = { readonly taken: readonly string[]; readonly kept: readonly string[] }

/**
 * Takes a key out of the stored keys of every client that has it in use. Thumbprints are computed, not stored: clients
 * are few, and only this asks; under the gate, which a change of keys passes too, so that none is missed.
 */
export async function withdrawClientKey(tx: Context, jkt: string, now: Date): Promise<Withdrawn> {
  const taken: string[] = []
  const kept: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await listClients(tx, { limit: PAGE, ...(after !== undefined && { after }) })
    for (const client of page) {
      if (!(await hasKey(client, jkt))) continue
      const isTaken = await withdraw(tx, client.client_id, jkt, now)
      if (isTaken !== undefined) (isTaken ? taken : kept).push(client.client_id)
    }
    if (page.length < PAGE) return { taken, kept }
    after = page.at(-1)?.client_id
  }
}

async function hasKey({ jwks, status }: Client, jkt: string): Promise<boolean> {
  if (jwks === null || status !== 'active') return false
  for (const key of jwks.keys) if ((await thumbprintOf(key)) === jkt) return true
  return false
}

/** Looks again with the row locked. @returns false where it is the only key; undefined where the client has lost it */
async function withdraw(tx: Context, client_id: string, jkt: string, now: Date): Promise<boolean | undefined> {
  const client = await lockClient(tx, client_id)
  if (!client?.jwks || !(await hasKey(client, jkt))) return undefined
  const kept: ClientJwk[] = []
  for (const key of client.jwks.keys) if ((await thumbprintOf(key)) !== jkt) kept.push(key)
  if (kept.length === 0) return false
  await replaceClientKeys(tx, client_id, kept, now)
  return true
}
