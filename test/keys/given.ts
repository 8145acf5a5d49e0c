import { CompactSign, compactVerify, decodeProtectedHeader, importJWK } from 'jose'
import type { SigningAlg } from '../../src/protocol/resource.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import { loadServerSecret } from '../../src/server/keys/derive.ts'
import { openKeyring } from '../../src/server/keys/open-keyring.ts'
import { rotateTokenKey } from '../../src/server/registry/token-keys.ts'
import type { KeyState } from '../../src/server/store/schema.ts'
import { remoteJwks } from '../../src/verifier/remote-jwks.ts'

/** Another node on the same database, which reads its keys by itself. */
export async function anotherNode(ctx: Context, changes: Partial<Pick<Context, 'db' | 'sealer'>> = {}) {
  const { db, sealer, now } = { ...ctx, ...changes }
  const keys = await openKeyring({ db, sealer, now }, await loadServerSecret(db, sealer, now()))
  return { ...ctx, ...changes, keys }
}

/** A rotation as its route does it at one node. @returns the `kid` of the new key */
export async function rotate(ctx: Context, publish_lead: number, alg: SigningAlg = 'ES256'): Promise<string> {
  const { body } = await transaction(ctx, tx => rotateTokenKey(tx, { alg, publish_lead, dry_run: false }))
  await ctx.keys.refresh()
  return body.kid ?? ''
}

export async function keysIn(ctx: Context, state: KeyState, alg: SigningAlg = 'ES256') {
  return await ctx.db
    .selectFrom('signing_key')
    .select(['kid', 'active_at', 'retiring_at', 'private_sealed'])
    .where('state', '=', state)
    .where('alg', '=', alg)
    .orderBy('created_at')
    .execute()
}

/** What a node signs with at this moment: the `kid` of a signature that was made. */
export async function signed(ctx: Context): Promise<{ kid: string; token: string }> {
  const { kid, alg, key } = await ctx.keys.signer('ES256')
  const token = await new CompactSign(Buffer.from('{}')).setProtectedHeader({ alg, kid }).sign(key)
  return { kid, token }
}

export const publishes = ({ keys }: Context, kid: string) => keys.published().some(key => key.kid === kid)

/** A resource server that caches the JWKS of whichever node answers. @returns whether a token passes there now */
export function resourceServer(now: () => Date, answering: () => Context): (token: string) => Promise<boolean> {
  const jwks = remoteJwks('https://as.example/.well-known/jwks.json', {
    now,
    fetch: async () => Response.json({ keys: answering().keys.published() }),
  })
  const imported = new Map<string, Awaited<ReturnType<typeof importJWK>>>()
  return async token => {
    const { kid = '' } = decodeProtectedHeader(token)
    const jwk = (await jwks(kid)).find(key => 'kid' in key && key.kid === kid)
    if (!jwk) return false
    const key = imported.get(kid) ?? (await importJWK({ ...jwk }))
    imported.set(kid, key)
    return await compactVerify(token, key).then(
      () => true,
      () => false,
    )
  }
}
