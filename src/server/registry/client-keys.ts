import { type PublicKey, parseJwks } from '../../protocol/jwk.ts'
import type { Context } from '../context.ts'
import type { Client } from '../store/clients.ts'

/** The keys a client signs with now: those of its record. Empty where it has none. */
export async function clientKeys(_ctx: Context, client: Pick<Client, 'jwks'>): Promise<readonly PublicKey[]> {
  return client.jwks === null ? [] : await parseJwks(client.jwks)
}
