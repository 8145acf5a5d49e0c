import type { Kysely } from 'kysely'
import { OAuthError } from '../../protocol/errors.ts'
import { SIGNING_ALGS } from '../../protocol/resource.ts'
import type { Database } from '../store/schema.ts'
import { insertActiveKey, readPublishedKeys } from '../store/signing-keys.ts'
import type { DerivedKeys } from './derive.ts'
import type { Keyring } from './keyring.ts'
import { newSigningKey } from './new-signing-key.ts'
import { type OpenKey, openKey } from './open-key.ts'
import { signingKey } from './rotation.ts'
import type { Sealer } from './sealing.ts'

/** A view older than this is read again before a signature; older than the limit, nothing is signed with it. */
const REFRESH_AFTER_MS = 30_000
const STALE_AFTER_MS = 60_000
/** Whoever sends unknown `kid`s makes a node read its keys at most this often. */
const LOOK_AGAIN_AFTER_MS = 1_000

type View = { readonly read_at: Date; readonly keys: ReadonlyMap<string, OpenKey> }

type Source = { readonly db: Kysely<Database>; readonly sealer: Sealer; readonly now: () => Date }

/**
 * Opens our token keys, making the first of each algorithm where there is none (reliability.md section 4). Throws when
 * a sealed key does not open: it was changed, moved, or sealed under another key-encryption key.
 */
export async function openKeyring(source: Source, derived: DerivedKeys): Promise<Keyring> {
  await createMissingKeys(source)
  let view = await readView(source)
  const [unopened] = unopenedOf(view)
  if (unopened !== undefined) throw new Error(`The next signing key ${unopened} does not open with the keys given.`)
  let standing = [...view.keys.values()]
  let published = standing.map(key => key.published)
  let reading: Promise<void> | undefined
  const age = () => source.now().getTime() - view.read_at.getTime()

  function refresh(): Promise<void> {
    reading ??= readView(source, view)
      .then(next => {
        view = next
        standing = [...next.keys.values()]
        published = standing.map(key => key.published)
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
      const signer = signingKey(standing, alg, source.now())?.signer
      if (!signer) {
        throw new OAuthError('temporarily_unavailable', 'No signing key is active for this resource.', {
          reason: 'no_active_key',
        })
      }
      return signer
    },
    published: () => published,
    async verifier(kid) {
      if (!view.keys.has(kid) && age() >= LOOK_AGAIN_AFTER_MS) await refresh()
      return view.keys.get(kid)?.verifier
    },
    standing: () => standing,
    unopened: () => unopenedOf(view),
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

/** What did not change since the view before is not opened again. */
async function readView({ db, sealer, now }: Source, before?: View): Promise<View> {
  const read_at = now()
  const rows = await readPublishedKeys(db)
  const keys = await Promise.all(rows.map(row => openKey(sealer, row, before?.keys.get(row.kid))))
  return { read_at, keys: new Map(keys.map(key => [key.kid, key])) }
}

function unopenedOf({ keys }: View): readonly string[] {
  return [...keys.values()].filter(key => key.state === 'next' && !key.signer).map(key => key.kid)
}
