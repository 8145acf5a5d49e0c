import { importJWK } from 'jose'
import type { Kysely } from 'kysely'
import { OAuthError } from '../../protocol/errors.ts'
import { isJsonObject } from '../../protocol/json.ts'
import { SIGNING_ALGS, type SigningAlg } from '../../protocol/resource.ts'
import type { Database } from '../store/schema.ts'
import { insertActiveKey, readPublishedKeys, type SigningKeyRow } from '../store/signing-keys.ts'
import type { DerivedKeys } from './derive.ts'
import type { Keyring, PublishedKey, Signer, Verifier } from './keyring.ts'
import { newSigningKey, placeOfKey } from './new-signing-key.ts'
import type { Sealer } from './sealing.ts'

/** A view older than this is read again before a signature; older than the limit, nothing is signed with it. */
const REFRESH_AFTER_MS = 30_000
const STALE_AFTER_MS = 60_000
/** Whoever sends unknown `kid`s makes a node read its keys at most this often. */
const LOOK_AGAIN_AFTER_MS = 1_000

type View = {
  readonly read_at: Date
  readonly published: readonly PublishedKey[]
  readonly verifiers: ReadonlyMap<string, Verifier>
  readonly signers: ReadonlyMap<SigningAlg, Signer>
}

type Source = { readonly db: Kysely<Database>; readonly sealer: Sealer; readonly now: () => Date }

/**
 * Opens our token keys, making the first of each algorithm where there is none (reliability.md section 4). Throws when
 * a sealed key does not open: it was changed, moved, or sealed under another key-encryption key.
 */
export async function openKeyring(source: Source, derived: DerivedKeys): Promise<Keyring> {
  await createMissingKeys(source)
  let view = await readView(source)
  let reading: Promise<void> | undefined
  const age = () => source.now().getTime() - view.read_at.getTime()

  function refresh(): Promise<void> {
    reading ??= readView(source)
      .then(next => {
        view = next
      })
      .finally(() => {
        reading = undefined
      })
    return reading
  }

  return {
    async signer(alg) {
      if (age() > REFRESH_AFTER_MS) {
        await refresh().catch(cause => {
          if (age() > STALE_AFTER_MS) throw cause
        })
      }
      const signer = view.signers.get(alg)
      if (!signer) {
        throw new OAuthError('temporarily_unavailable', 'No signing key is active for this resource.', {
          reason: 'no_active_key',
        })
      }
      return signer
    },
    published: () => view.published,
    async verifier(kid) {
      if (!view.verifiers.has(kid) && age() >= LOOK_AGAIN_AFTER_MS) await refresh()
      return view.verifiers.get(kid)
    },
    refresh,
    dpopNonceKey: derived.dpopNonce,
    cursorKey: derived.cursor,
    workflowNamesKey: derived.workflowNames,
  }
}

async function createMissingKeys({ db, sealer, now }: Source): Promise<void> {
  const known = new Set((await readPublishedKeys(db)).filter(key => key.state === 'active').map(key => key.alg))
  for (const alg of SIGNING_ALGS) {
    if (known.has(alg)) continue
    await insertActiveKey(db, { ...(await newSigningKey(sealer, alg)), now: now() })
  }
}

async function readView({ db, sealer, now }: Source): Promise<View> {
  const read_at = now()
  const rows = await readPublishedKeys(db)
  const verifiers = await Promise.all(rows.map(readVerifier))
  const signers = await Promise.all(rows.filter(row => row.state === 'active').map(row => readSigner(row, sealer)))
  return {
    read_at,
    published: rows.map(({ kid, alg, public_jwk }) => ({ ...public_jwk, kid, alg, use: 'sig' })),
    verifiers: new Map(verifiers.map(verifier => [verifier.kid, verifier])),
    signers: new Map(signers.map(signer => [signer.alg, signer])),
  }
}

async function readVerifier({ kid, alg, public_jwk }: SigningKeyRow): Promise<Verifier> {
  return { kid, alg, key: await importKey({ ...public_jwk }, alg) }
}

async function readSigner({ kid, alg, private_sealed }: SigningKeyRow, sealer: Sealer): Promise<Signer> {
  if (!private_sealed) throw new Error(`The active signing key ${kid} has no private part.`)
  const jwk: unknown = JSON.parse(sealer.open(private_sealed, placeOfKey(kid, alg)).toString('utf8'))
  if (!isJsonObject(jwk)) throw new Error(`The signing key ${kid} is not a JWK.`)
  return { kid, alg, key: await importKey(jwk, alg) }
}

async function importKey(jwk: object, alg: SigningAlg): Promise<CryptoKey> {
  const key = await importJWK({ ...jwk }, alg)
  if (key instanceof Uint8Array) throw new Error('A signing key is not symmetric.')
  return key
}
